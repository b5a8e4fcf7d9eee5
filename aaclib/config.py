"""Settings: frozen dataclasses, filled from a profile's YAML file and from `key=value` overrides.

A profile names only what it changes; everything else has the default written here. A profile may start from another
one (`base: quick`). An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import difflib
import os
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

PROFILES = Path(__file__).parent / "profiles"


class ConfigError(ValueError):
    """A setting that does not exist or does not fit; the message names the key and what would fit."""


@dataclass(frozen=True)
class Data:
    """Which data sets play which part, and where a user's own files lie."""

    # target data set -> the strategies (rows of its table), by the names of aaclib.bridge
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: str = ""                    # data set whose audio-caption pairs give sigma and the gap vector; "" = none
    pretrain: str = ""                 # data set on which the tiny CLAP is trained
    audio: str = ""                    # folder profile: where the recordings lie
    captions: str = ""                 # folder profile: CSV, JSON or JSONL with file names and captions; "" = none
    text: str = ""                     # a plain file of captions, one a line: training text and memory
    columns: dict[str, str] = field(default_factory=dict)   # folder profile: our column -> the file's column
    splits: dict[str, str] = field(default_factory=dict)    # folder profile: our split -> the file's value(s)
    clotho: str = ""                   # folder of Clotho; "" = data/raw/clotho
    audiocaps: str = ""                # folder of AudioCaps; "" = data/raw/audiocaps
    audiocaps_version: int = 1
    wavcaps: str = ""                  # folder of WavCaps (its SoundBible part); "" = data/raw/wavcaps
    fsd50k: str = ""                   # folder of FSD50K; "" = data/raw/fsd50k
    download: bool = True              # fetch what is missing and may be fetched
    urls: dict[str, str] = field(default_factory=dict)      # replaces the published addresses, by name
    sizes: dict[str, int] = field(default_factory=dict)     # "<data set>.<split>" -> number of clips
    normalise: str = "lower-nopunct"   # aaclib.text: the same for training, memory and vocabulary


@dataclass(frozen=True)
class Clap:
    backend: str = "tiny"              # tiny | hf:... | laion:... | wavcaps:... | embeddings:FOLDER
    long_audio: str = "windows"        # windows | first | centre | random | fusion
    batch_size: int = 0                # 0 = chosen from the free memory
    workers: int = 0                   # decoding threads; 0 = none
    on_error: str = "raise"            # raise | skip
    # the tiny CLAP's own training
    width: int = 128
    temperature: float = 0.01          # held, not learned: it decides the width of the modality gap
    learn_temperature: bool = False
    epochs: int = 7
    lr: float = 2e-3
    train_batch: int = 128


@dataclass(frozen=True)
class Gap:
    n_pairs: int = 50
    sigma: str = "rms"                 # rms | linf | caption, or a number
    renormalise: bool = True           # unit length again after noise, shift and centring, in both halves
    tau: float = 0.01                  # temperature of projection-based decoding
    memory: int = 0                    # size of the memory; 0 = all training captions


@dataclass(frozen=True)
class Decoder:
    """A GPT-2 architecture trained from scratch, and the mapping network in front of it."""

    layers: int = 4
    heads: int = 4
    width: int = 768
    dropout: float = 0.1
    prefix_tokens: int = 1
    tokenizer: str = "words"           # words (trained on the training captions) | an HF tokenizer's name or folder
    vocabulary: int = 5000             # at most, for `words`
    max_tokens: int = 22               # caption length while training


@dataclass(frozen=True)
class Train:
    epochs: int = 30
    supervised_factor: int = 1         # the fully supervised decoder trains so many times the epochs, to be a bound
    batch_size: int = 64
    lr: float = 1e-5
    weight_decay: float = 0.02
    warmup_steps: int = 100
    schedule: str = "linear"           # linear | cosine
    keep: str = "last"                 # last | best (by validation loss on bridged text; audio for the supervised row)

    def epochs_of(self, supervised: bool) -> int:
        """Of the fully supervised decoder, or of one that learns from text."""
        return self.epochs * (self.supervised_factor if supervised else 1)


@dataclass(frozen=True)
class Generate:
    max_tokens: int = 30
    batch_size: int = 256
    beam: int = 3
    beam_rows: tuple[str, ...] = ()    # strategies that are decoded with beam search as well


@dataclass(frozen=True)
class Metrics:
    names: tuple[str, ...] = ("bleu_1", "bleu_4", "meteor", "rouge_l", "cider_d", "spice", "spider")
    judge: str = ""                    # a second CLAP for scores without references; "" = the run's own
    bootstrap: int = 1000
    headline: str = "cider_d"


@dataclass(frozen=True)
class Config:
    name: str = ""
    title: str = ""
    seeds: tuple[int, ...] = (0,)
    device: str = ""                   # "" = cuda, mps or cpu, whichever is there first in this order
    threads: int = 0                   # 0 = PyTorch's choice
    captioner: str = ""                # folder profile without captions: the finished run whose decoder is used
    data: Data = field(default_factory=Data)
    clap: Clap = field(default_factory=Clap)
    gap: Gap = field(default_factory=Gap)
    decoder: Decoder = field(default_factory=Decoder)
    train: Train = field(default_factory=Train)
    generate: Generate = field(default_factory=Generate)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def source(self) -> tuple[str, str]:
        """`captioner` as (run, target): "RUN" or "RUN:TARGET"; an empty target is the run's first."""
        run, _, target = self.captioner.partition(":")
        return run, target


def load(profile: str = "quick", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Config:
    """The settings of a profile (a name in `aaclib/profiles`, or the path of a YAML file) with overrides on top.

    `overrides`: {"train.epochs": 3} or ["train.epochs=3"]; values given as text are read as YAML.
    """
    tree = _read(profile)
    for key, value in pairs_of(overrides):
        _put(tree, key, value)
    return _fill(Config, tree, "")


def of_run(run: str | Path, device: str | None = None) -> Config:
    """The settings of a finished run, as its `run.json` describes it: the name of a profile, or the run's folder.
    Raises ConfigError where there is no such run."""
    described = _described(run)
    return load(described["profile"], {**described.get("overrides", {}), **({"device": device} if device else {})})


def _described(run: str | Path) -> dict[str, Any]:
    """What the `run.json` of a finished run says. Raises ConfigError where there is none, and
    store.Damaged where it was changed."""
    from aaclib.store import read_record  # which needs the folders of this module

    record = record_of(run)
    if not record.is_file():
        there = sorted(path.parent.name for path in runs_dir().glob("*/run.json"))
        raise ConfigError(f"There is no finished run '{run}' ({record} is missing). "
                          + (f"Finished: {', '.join(there)}." if there else "Make one with ./run_all.sh."))
    return read_record(record)


def made_on(run: str | Path) -> str:
    """The kind of device (cpu, cuda, mps) that a finished run computed on; "" where its record does not say."""
    described = _described(run)
    chosen = described.get("config", {}).get("device") or described.get("machine", {}).get("device") or ""
    return chosen.split(":")[0]


def record_of(run: str | Path) -> Path:
    """Where the `run.json` of a run lies, or would lie."""
    return (Path(run) if Path(run).is_dir() else runs_dir() / str(run)) / "run.json"


def profiles() -> dict[str, str]:
    """The names of the profiles and their titles."""
    return {path.stem: _read(path.stem).get("title", "") for path in sorted(PROFILES.glob("*.yaml"))}


def _read(profile: str) -> dict[str, Any]:
    path = Path(profile) if str(profile).endswith((".yaml", ".yml")) else PROFILES / f"{profile}.yaml"
    if not path.is_file():
        known = [p.stem for p in PROFILES.glob("*.yaml")]
        raise ConfigError(f"There is no profile '{profile}'.{_nearest(profile, known)}")
    tree = yaml.safe_load(path.read_text()) or {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, found {type(tree).__name__}.")
    base = tree.pop("base", None)
    tree.setdefault("name", path.stem)
    return _merge(_read(base), tree) if base else tree


def _merge(base: dict, top: dict) -> dict:
    """`targets` and the other free dictionaries are replaced whole, settings are merged."""
    merged, groups = dict(base), {f.name for f in fields(Config)}
    for key, value in top.items():
        both = key in groups and isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def pairs_of(overrides: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[str, Any]]:
    """(key, value) of overrides given either way. Raises ConfigError for text without '='."""
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"'{text}' is no setting: write key=value, for example train.epochs=3.")
        yield key.strip(), yaml.safe_load(value) if value else ""


def _put(tree: dict, key: str, value: Any) -> None:
    *path, last = _split(key)
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"'{key}': '{part}' is a single setting, not a group.")
    tree[last] = value


def _split(key: str) -> list[str]:
    """The third level belongs to a free dictionary, whose keys may hold dots: data.sizes.clotho.train."""
    return key.split(".", 2)


def _fill(kind: type, tree: Mapping[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in tree.items():
        name = f"{where}{key}"
        if key not in hints:
            raise ConfigError(f"Unknown setting '{name}'.{_nearest(name, _all_keys())}")
        group = is_dataclass(hints[key])
        values[key] = _fill(hints[key], value or {}, f"{name}.") if group else _fit(value, hints[key], name)
    return kind(**values)


def _fit(value: Any, hint: Any, name: str) -> Any:
    """`value` as the type that the setting has, or an error that says which that is."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_fit(item, inner[0], name) for item in items)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"'{name}' must be a mapping, found {value!r}.")
        return {str(k): _fit(v, inner[1], f"{name}.{k}") for k, v in value.items()}
    if hint is str:
        return "" if value is None else str(value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):        # YAML reads 1e-5 as text
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
        return value
    wanted = hint.__name__ if isinstance(hint, (type, types.GenericAlias)) else str(hint)
    raise ConfigError(f"'{name}' must be {wanted}, found {value!r}.")


def _all_keys(kind: type = Config, where: str = "") -> list[str]:
    hints = typing.get_type_hints(kind)
    keys = []
    for f in fields(kind):
        keys += _all_keys(hints[f.name], f"{where}{f.name}.") if is_dataclass(hints[f.name]) else [f"{where}{f.name}"]
    return keys


def _nearest(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    close = close or [k for k in known if k.split(".")[-1] == name.split(".")[-1]][:1]
    return f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(known)}."


def project_root() -> Path:
    """The checkout: AACLIB_HOME, else the folder above the package if it holds notebooks/, else the working folder."""
    if home := os.environ.get("AACLIB_HOME"):
        return Path(home).expanduser().resolve()
    above = Path(__file__).resolve().parent.parent
    return above if (above / "notebooks").is_dir() else Path.cwd()


def raw_dir() -> Path:
    """Where downloaded and user-provided data sets lie: data/raw, or AACLIB_RAW."""
    return Path(os.environ.get("AACLIB_RAW") or project_root() / "data" / "raw")


def cache_dir() -> Path:
    """Where artefacts lie: data/cache, or AACLIB_CACHE."""
    return Path(os.environ.get("AACLIB_CACHE") or project_root() / "data" / "cache")


def runs_dir() -> Path:
    """Where runs lie (executed notebooks, figures, tables): data/runs, or AACLIB_RUNS."""
    return Path(os.environ.get("AACLIB_RUNS") or project_root() / "data" / "runs")
