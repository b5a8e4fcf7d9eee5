"""What a run needs from outside: files of data sets, weights, tokenizers; for each, whether it is here or whence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from aaclib import bridge
from aaclib.config import Config, ConfigError, of_run
from aaclib.datasets import TEXT_FOR_ALL, DatasetError, absent, load
from aaclib.datasets.audiocaps import AudioCaps
from aaclib.datasets.clotho import ARCHIVE_BYTES, AUDIO_BYTES, OFFICIAL, Clotho
from aaclib.datasets.wavcaps import JSON, ZIP, ZIP_BYTES, WavCaps
from aaclib.paths import home_path, raw_dir

NEED_SPICE = {"spice", "spider", "spider_fl"}
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
HUB_BYTES = {"laion/clap-htsat-unfused": 615_000_000, "laion/clap-htsat-fused": 615_000_000}
LAION_BYTES = 1_900_000_000
SMALL = 2_000_000  # bytes of a captions table, about


@dataclass(frozen=True)
class Need:
    """One thing that has to be there. `url` "" = nothing here can fetch it."""

    what: str
    where: str  # file, folder or hub name
    here: bool
    size: int = 0  # bytes to fetch, about
    unpacked: int = 0  # bytes on the disk afterwards, about; 0 = as fetched
    url: str = ""
    mend: str = ""  # the command that gets it


def needs(config: Config) -> list[Need]:
    """Everything outside the store that the profile's run reads. Raises what loading a data set raises."""
    found = []
    learned_from = ("train", "validation") if config.train.keep == "best" else ("train",)
    for target in config.data.targets:
        if absent(target, config.data):
            continue
        heard = ("evaluation", *learned_from) if supervised(config, target) else ("evaluation",)
        found += _dataset(config, target, learned_from, heard)
        if borrows_text(config, target):
            found += [need for name in TEXT_FOR_ALL for need in _dataset(config, name, learned_from, ())]
    if config.captioner:  # its CLAP and decoders make the captions, its gap was measured in that run
        try:
            config = of_run(config.source[0])
        except ConfigError:  # the checks of the settings say that there is no such run
            return list(dict.fromkeys(found))
    elif config.data.pairs and config.gap.n_pairs:
        name, split = config.data.pairs_split
        found += _dataset(config, name, (split,), (split,))
    found += _clap(config)
    if config.decoder.tokenizer != "words":
        vocabularies = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model")
        found.append(
            _hub("the decoder's tokenizer", config.decoder.tokenizer, [vocabularies], SMALL, "decoder.tokenizer=DIR")
        )
    return list(dict.fromkeys(found))


def borrows_text(config: Config, target: str) -> bool:
    """Whether the target's recordings come without text, so that its decoders learn from `TEXT_FOR_ALL`."""
    if config.captioner or target not in ("folder", "fsd50k"):
        return False
    try:
        return not load(target, config.data).split("train").captions
    except DatasetError:  # check_audio says what is wrong with it
        return False


def supervised(config: Config, target: str) -> bool:
    return any(not bridge.strategy(name).weakly_supervised for name in config.data.targets[target])


def _dataset(config: Config, name: str, texts: tuple[str, ...], audio: tuple[str, ...]) -> list[Need]:
    if name not in ("clotho", "audiocaps", "wavcaps"):
        return []
    dataset = load(name, config.data)
    if isinstance(dataset, Clotho):
        tables = {split: dataset.table_path("captions", split) for split in (*texts, *audio)}
        found = [
            _table(f"Clotho's {OFFICIAL[split]} captions", path, dataset.remote(path.name).url)
            for split, path in tables.items()
        ]
        for split in audio:
            folder, archive = dataset.audio_folder(split), f"clotho_audio_{OFFICIAL[split]}.7z"
            here, place = folder.is_dir() and any(folder.iterdir()), dataset.root / "archives" / archive
            found.append(
                Need(
                    f"Clotho's {OFFICIAL[split]} audio",
                    str(folder),
                    here,
                    0 if place.is_file() else ARCHIVE_BYTES[split],
                    AUDIO_BYTES[split],
                    dataset.remote(archive).url,
                    f"a network; or put the archive at {place}",
                )
            )
        return found
    if isinstance(dataset, AudioCaps):
        return [
            _table(f"AudioCaps' {s} captions", dataset.table_path(s), dataset.remote(s).url)
            for s in dict.fromkeys([*texts, *audio])
        ]
    assert isinstance(dataset, WavCaps)  # the third of the names above
    table = _table("WavCaps' SoundBible captions", dataset.json_path(), dataset.remote(JSON).url)
    mend = "a network; or --set data.wavcaps=DIR with {id}.flac files and sb_final.json"
    return [
        table,
        Need(
            "WavCaps' SoundBible audio",
            str(dataset.root),
            dataset.audio_is_here(),
            ZIP_BYTES,
            ZIP_BYTES,
            dataset.remote(ZIP).url,
            mend,
        ),
    ]


def _table(what: str, path: Path, url: str) -> Need:
    return Need(what, str(path), path.is_file(), SMALL, SMALL, url, f"a network; or put it at {path}")


def _clap(config: Config) -> list[Need]:
    spec, _, query = config.clap.backend.partition("?")
    kind, _, name = spec.partition(":")
    if kind == "hf":
        files = [("config.json",), ("preprocessor_config.json",), WEIGHTS, ("tokenizer.json", "vocab.json")]
        return [_hub("CLAP weights and tokenizer", name, files, HUB_BYTES.get(name, 0), "clap.backend=hf:DIR")]
    if kind == "laion":
        path = next((p for p in (home_path(name), raw_dir() / "clap" / f"{name}.pt") if p.is_file()), None)
        here = path is not None or cached("lukewys/laion_clap", f"{name}.pt")
        url = "" if name.endswith(".pt") or "/" in name else _hub_url("lukewys/laion_clap", f"{name}.pt")
        weights = Need(
            "LAION-CLAP checkpoint",
            str(path or name),
            here,
            LAION_BYTES,
            0,
            url,
            f"a network; or put {name}.pt at {raw_dir() / 'clap'}",
        )
        return [weights, _hub("RoBERTa's tokenizer", "roberta-base", [("tokenizer.json", "vocab.json")], SMALL, "")]
    if kind == "wavcaps":
        path = home_path(name)
        weights = Need(
            "WavCaps' CLAP checkpoint",
            str(path),
            path.is_file(),
            0,
            0,
            "",
            f"fetch cnn14-bert.pt by browser (links in github.com/XinhaoMei/WavCaps, folder retrieval), put "
            f"it at {path}, or --set clap.backend=wavcaps:FILE",
        )
        options = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)  # wavcaps:FILE?tokenizer=DIR
        return [
            weights,
            _hub(
                "BERT's tokenizer",
                options.get("tokenizer", "bert-base-uncased"),
                [("tokenizer.json", "vocab.txt")],
                SMALL,
                "",
            ),
        ]
    if kind == "embeddings":
        return [Need("computed embeddings", name, home_path(name).is_dir(), mend="give embeddings:DIR")]
    return []


def _hub(what: str, name: str, files: list[tuple[str, ...]], size: int, setting: str) -> Need:
    """Something that transformers reads: `files`: of each group one has to be there, in the folder or the cache."""
    folder = home_path(name)
    local = folder.is_dir() or name.startswith((".", "/", "~"))
    here = all(any((folder / file).is_file() if local else cached(name, file) for file in group) for group in files)
    if local:
        return Need(what, str(folder), here, mend=f"the folder must hold {', '.join(group[0] for group in files)}")
    offline = f"; without network, copy its files to a folder and --set {setting}" if setting else ""
    return Need(what, name, here, size, 0, _hub_url(name, "config.json"), f"hf download {name}{offline}")


def _hub_url(name: str, file: str) -> str:
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co')}/{name}/resolve/main/{file}"


def cached(name: str, file: str) -> bool:
    """Is this file of a hub repository in the local cache?"""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, file), str)
