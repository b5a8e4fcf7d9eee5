"""What a run reads from outside the store: data sets, weights, tokenizers; for each, whether it is here or whence."""

from __future__ import annotations

import os
import shlex

from aaclib import bridge, records, roles, rows
from aaclib.config import Config, ConfigError
from aaclib.datasets import SMALL, SPLITS, Need, absent, brace
from aaclib.datasets import needs as needs_of_data
from aaclib.paths import home_path, raw_dir

APART = {"00", "13"}  # notebooks that read no target: the preflight, and the one about judgements
NEED_SPICE = {"spice", "spider", "spider_fl"}
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model")
HUB_BYTES = {"laion/clap-htsat-unfused": 615_000_000, "laion/clap-htsat-fused": 615_000_000}
LAION_BYTES = 1_900_000_000


def needs(config: Config) -> list[Need]:
    """Everything of these that has to be there for the notebooks of the settings. Raises what loading a data set
    raises."""
    found = brace.needs(config.data) if "13" in config.notebooks else []
    if not set(config.notebooks) - APART:
        return found
    found += [need for name, texts, audio in reads(config) for need in needs_of_data(name, config.data, texts, audio)]
    if config.captioner:  # its CLAP and decoders make the captions
        try:
            config = records.settings(config.source[0])
        except ConfigError:  # the checks of the settings say that there is no such run
            return list(dict.fromkeys(found))
    found += _clap(config)
    if config.decoder.tokenizer != "words":
        fix = "decoder.tokenizer=DIR"
        found.append(_hub("the decoder's tokenizer", config.decoder.tokenizer, [TOKENIZER], SMALL, fix))
    return list(dict.fromkeys(found))


def reads(config: Config) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(data set, splits whose captions are read, splits whose audio is heard), for all that is no synthetic world."""
    found, data = [], config.data
    learned_from = ("train", "validation") if config.train.keep == "best" else ("train",)
    for target in (name for name in data.targets if not absent(name, data)):
        if target == roles.TEXT:  # which is read alone, the evaluation part of its first data set as well
            found += [(name, SPLITS[: 3 if i == 0 else 2], ()) for i, name in enumerate(data.text_of)]
            continue
        heard = ("evaluation", *learned_from) if supervised(config, target) else ("evaluation",)
        found.append((target, SPLITS if roles.learned_from(config, target) == target else (), heard))
    found += [(name, ("train",), ()) for name in data.more_text]
    if not rows.no_pairs(config):
        name, split = data.pairs_split
        found.append((name, (split,), (split,)))
    return found


def supervised(config: Config, target: str) -> bool:
    return any(not bridge.strategy(name).weakly_supervised for name in config.data.targets[target])


def _clap(config: Config) -> list[Need]:
    spec, _, query = config.clap.backend.partition("?")
    kind, _, name = spec.partition(":")
    if kind == "hf":
        files = [("config.json",), ("preprocessor_config.json",), WEIGHTS, TOKENIZER]
        return [_hub("CLAP weights and tokenizer", name, files, HUB_BYTES.get(name, 0), "clap.backend=hf:DIR")]
    if kind == "laion":
        path = next((p for p in (home_path(name), raw_dir() / "clap" / f"{name}.pt") if p.is_file()), None)
        here = path is not None or cached("lukewys/laion_clap", f"{name}.pt")
        url = "" if name.endswith(".pt") or "/" in name else _hub_url("lukewys/laion_clap", f"{name}.pt")
        fix, place = f"a network; or put {name}.pt at {raw_dir() / 'clap'}", str(raw_dir() / "clap" / f"{name}.pt")
        weights = Need("LAION-CLAP checkpoint", str(path or name), here, LAION_BYTES, 0, url, fix, place)
        return [weights, _hub("RoBERTa's tokenizer", "roberta-base", [TOKENIZER], SMALL, "")]
    if kind == "wavcaps":
        path = home_path(name)
        fix = (
            "fetch cnn14-bert.pt by browser (links in github.com/XinhaoMei/WavCaps, folder retrieval), put it at "
            f"{path}, or --set clap.backend=wavcaps:FILE"
        )
        options = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)  # wavcaps:FILE?tokenizer=DIR
        bert = options.get("tokenizer", "bert-base-uncased")
        weights = Need("WavCaps' CLAP checkpoint", str(path), path.is_file(), fix=fix)
        return [weights, _hub("BERT's tokenizer", bert, [TOKENIZER], SMALL, "")]
    if kind == "embeddings":
        return [Need("computed embeddings", name, home_path(name).is_dir(), fix="give embeddings:DIR")]
    return []


def _hub(what: str, name: str, files: list[tuple[str, ...]], size: int, setting: str) -> Need:
    """Something that transformers reads: `files`: of each group one has to be there, in the folder or the cache."""
    from huggingface_hub import constants

    folder = home_path(name)
    local = folder.is_dir() or name.startswith((".", "/", "~"))
    here = all(any((folder / file).is_file() if local else cached(name, file) for file in group) for group in files)
    if local:
        return Need(what, str(folder), here, fix=f"the folder must hold {', '.join(group[0] for group in files)}")
    offline = f"; without network, copy its files to a folder and --set {setting}" if setting else ""
    url, fix, by_hand = _hub_url(name, "config.json"), f"hf download {name}{offline}", ["hf", "download", name]
    if not setting:  # it is looked for in the hub's own cache alone, which is copied whole
        return Need(what, name, here, size, 0, url, fix, constants.HF_HUB_CACHE, shlex.join(by_hand))
    place = str(raw_dir() / "hub" / name.rpartition("/")[2])
    by_hand, then = shlex.join([*by_hand, "--local-dir", place]), f"--set {setting.replace('DIR', place)}"
    return Need(what, name, here, size, 0, url, fix, place, by_hand, then)


def _hub_url(name: str, file: str) -> str:
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co')}/{name}/resolve/main/{file}"


def cached(name: str, file: str) -> bool:
    """Is this file of a hub repository in the local cache?"""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, file), str)
