"""Settings: frozen dataclasses, filled from a profile's YAML file and from `key=value` overrides.

A profile names only what it changes; everything else has the default written here, and what would fit stands beside
it. A profile may start from another one (`base: quick`). An unknown key is an error that names the nearest known one.
A text setting is the text that was given (`no`, `001`, `12:30`, `rec #2`), "" where it is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aaclib import fitting, own, roles
from aaclib.contradictions import PLAIN, SIGMAS, contradictions
from aaclib.fitting import ConfigError, checked, number, one_of, some_of

PROFILES = Path(__file__).parent / "profiles"
TF32 = False  # on a GPU float32 is float32: TF32, which PyTorch allows in convolutions, keeps 10 bits of a number's 23
METRICS = tuple("bleu_1 bleu_2 bleu_3 bleu_4 meteor rouge_l cider_d spice spider sbert_sim fer fense spider_fl".split())
SOME_METRICS = f"one of {', '.join(METRICS)}, or one that aaclib.metrics.register was given"
BACKENDS = ("tiny", "hf", "laion", "wavcaps", "embeddings")
NOTEBOOKS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14")
BEYOND = ("07", "08", "09", "10", "11", "12", "13")  # which a profile names where it wants them
CLUSTER = re.compile(r"(local:[1-9]\d*|tcp://[^\s/]+:\d+|slurm:.*\S)?")
_OWN_CLAP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _clap(spec: str) -> bool:
    """Whether this has the form of what aaclib.clap.load takes: KIND:NAME, my_module:MyClass, or a registered one."""
    kind, _, name = spec.partition("?")[0].partition(":")
    return bool(kind in BACKENDS and name or kind in own.CLAPS or _OWN_CLAP.fullmatch(spec.partition("?")[0]))


def _metric(name: str) -> bool:
    return name in METRICS or name in own.METRICS


def _sigma(value: str) -> bool:
    try:
        return value in SIGMAS or 0 <= float(value) < float("inf")
    except ValueError:
        return False


@dataclass(frozen=True)
class Data:
    """Which data sets play which part, and where a user's own files lie."""

    # target data set -> the strategies (rows of its table), by the names of aaclib.bridge
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: str = ""  # data set whose audio-caption pairs give sigma and the gap vector; "" = none
    pretrain: str = ""  # data set on which the tiny CLAP is trained
    audio: str = ""  # folder profile: where the recordings lie
    captions: str = ""  # folder profile: CSV, JSON or JSONL with file names and captions; "" = none
    text: str = ""  # a plain file of captions, one per line: training text and memory
    # data sets whose training captions every target learns from as well, and has in its memory
    more_text: tuple[str, ...] = ()
    # whose captions decoders learn from where no target has any
    text_of: tuple[str, ...] = ("clotho", "audiocaps")
    text_size: int = number(0, least=0)  # about so many of their captions, drawn by a fixed seed; 0 = all
    text_epochs: int = number(0, least=0)  # of theirs at most so many epochs; 0 = train.epochs
    columns: dict[str, str] = field(default_factory=dict)  # folder profile: our column -> the file's column
    splits: dict[str, str] = field(default_factory=dict)  # folder profile: our split -> the file's value(s)
    clotho: str = ""  # folder of Clotho; "" = data/raw/clotho
    audiocaps: str = ""  # folder of AudioCaps; "" = data/raw/audiocaps
    audiocaps_version: int = one_of(1, 2)
    wavcaps: str = ""  # folder of WavCaps (its SoundBible part); "" = data/raw/wavcaps
    fsd50k: str = ""  # folder of FSD50K; "" = data/raw/fsd50k
    musiccaps: str = ""  # folder of MusicCaps; "" = data/raw/musiccaps
    clotho_aqa: str = ""  # folder of Clotho-AQA; "" = data/raw/clotho_aqa
    brace: str = ""  # folder of BRACE's judgements; "" = data/raw/brace
    download: bool = True  # fetch what is missing and may be fetched
    urls: dict[str, str] = field(default_factory=dict)  # replaces the published addresses, by name
    sizes: dict[str, int] = number({}, least=1)  # "<data set>.<split>" -> number of clips
    # aaclib.text: the same for training, memory and vocabulary
    normalise: str = one_of("lower-nopunct", "lower", "none", "wavcaps")

    @property
    def pairs_split(self) -> tuple[str, str]:
        """`pairs` ("<data set>" or "<data set>.<split>") as (data set, split); ("", "train") for none."""
        name, _, part = self.pairs.partition(".")
        return name, part or "train"


@dataclass(frozen=True)
class Clap:
    backend: str = checked(
        "tiny",
        lambda spec: spec == "tiny" or _clap(spec),
        "tiny, hf:ID, laion:NAME, wavcaps:FILE, embeddings:FOLDER or my_module:MyClass",
    )
    long_audio: str = one_of("windows", "first", "centre", "random", "fusion")
    batch_size: int = number(0, least=0)  # 0 = chosen from the free memory
    workers: int = number(0, least=0)  # decoding threads; 0 = none
    on_error: str = one_of("raise", "skip")
    # the tiny CLAP's own training
    width: int = checked(128, lambda width: width > 0 and width % 4 == 0, "a multiple of 4 above 0")
    temperature: float = number(0.01, above=0)  # held, not learned: it decides the width of the modality gap
    learn_temperature: bool = False
    epochs: int = number(7, least=1)
    lr: float = number(2e-3, above=0)
    train_batch: int = number(128, least=1)
    # threads of its training on a CPU: another number gives other weights
    train_threads: int = number(2, least=1)


@dataclass(frozen=True)
class Gap:
    n_pairs: int = number(50, least=0)
    sigma: str = checked("rms", _sigma, f"{', '.join(SIGMAS)}, or a finite number of at least 0", SIGMAS)
    # the same for rows that take the gap away besides (noise+shift, c3); "" = as sigma
    sigma_without_gap: str = checked(
        "",
        lambda value: not value or _sigma(value),
        f"as sigma: {', '.join(SIGMAS)}, or a finite number of at least 0",
        SIGMAS,
    )
    renormalise: bool = True  # unit length again after noise, shift and centring, in both halves
    tau: float = number(0.01, above=0)  # temperature of projection-based decoding
    memory: int = number(0, least=0)  # size of the memory; 0 = all training captions
    axes: int = number(100, least=1)  # directions that `plshead` keeps, at most


@dataclass(frozen=True)
class Decoder:
    """A GPT-2 architecture trained from scratch, and the mapping network in front of it."""

    layers: int = number(4, least=1)
    heads: int = number(4, least=1)  # a divisor of the width
    width: int = number(768, least=1)
    dropout: float = number(0.1, least=0, below=1)
    prefix_tokens: int = number(1, least=1)
    tokenizer: str = "words"  # words (trained on the training captions) | an HF tokenizer's name or folder
    vocabulary: int = number(5000, least=5)  # at most, for `words`
    tokens: str = one_of("seen", "all")  # of an HF tokenizer: those of the training text, or all that it has
    max_tokens: int = number(22, least=1)  # caption length while training


@dataclass(frozen=True)
class Train:
    epochs: int = number(30, least=1)
    steps: int = number(0, least=0)  # of a training, however many captions it has; 0 = those of its epochs
    # the supervised decoder, the same recipe on audio, trains so many times the epochs
    supervised_factor: int = number(1, least=1)
    # what the bound (supervised+text) has otherwise: any of OF_BOUND, for a bound is given its best
    bound: dict[str, float] = number({}, least=0)
    batch_size: int = number(64, least=1)
    lr: float = number(1e-5, above=0)
    weight_decay: float = number(0.02, least=0)
    warmup_steps: int = number(100, least=0)
    schedule: str = one_of("linear", "cosine")
    keep: str = one_of("last", "best")  # best by validation loss on bridged text; audio for the supervised row
    threads: int = number(1, least=1)  # of one training on a CPU: another number gives other weights


@dataclass(frozen=True)
class Generate:
    max_tokens: int = number(30, least=1)
    batch_size: int = number(256, least=1)
    beam: int = number(3, least=1)
    beam_rows: tuple[str, ...] = ()  # strategies that are decoded with beam search as well
    no_repeat: int = number(0, least=0)  # beam search writes no run of so many words twice; 0 = it may
    repetition_penalty: float = number(1.0, above=0)  # on words that beam search has written; 1 = none
    samples: int = number(12, least=0)  # captions drawn beside those of the beam, for `mbr` and `refine` to choose from
    temperature: float = number(0.7, above=0)  # of these draws: small ones come near greedy


@dataclass(frozen=True)
class Best:
    """The best text-only system, as soundscapes-dev chose it (docs/choices.md). Notebook 10 reports it, once."""

    strategy: str = "noise+projection"
    decoding: str = one_of("mbr", "refine", "beam", "greedy")
    n_pairs: int = number(50, least=0)  # gap.n_pairs for it


@dataclass(frozen=True)
class Metrics:
    names: tuple[str, ...] = checked(
        ("bleu_1", "bleu_4", "meteor", "rouge_l", "cider_d", "spice", "spider"), _metric, SOME_METRICS, METRICS
    )
    # a second CLAP for scores without references; "" = the run's own
    judge: str = checked("", lambda spec: not spec or _clap(spec), "a CLAP such as hf:ID")
    bootstrap: int = number(1000, least=1)
    headline: str = checked("cider_d", _metric, SOME_METRICS, METRICS)


@dataclass(frozen=True)
class Config:
    # of the run's folder; the profile's unless given
    name: str = checked("", PLAIN.fullmatch, "a plain name: letters, digits, . _ -, no dot first")
    title: str = ""
    seeds: tuple[int, ...] = number((0,), least=0)
    device: str = checked(
        "", re.compile(r"((cpu|cuda|mps|xpu)(:\d+)?)?").fullmatch, "cpu, cuda, cuda:N or mps", ("cpu", "cuda", "mps")
    )  # "" = cuda, mps or cpu, whichever is there first in this order
    threads: int = number(0, least=0)  # at most so many workers or trainings at once; 0 = one per core
    # more machines (aaclib.cluster); "" = this one alone
    cluster: str = checked("", CLUSTER.fullmatch, "local:N, tcp://HOST:PORT or slurm:FILE.yaml")
    # the notebooks that the runner executes, by number: 14 for recordings without captions, 01 to 05 for other targets
    notebooks: tuple[str, ...] = some_of(tuple(n for n in NOTEBOOKS if n not in BEYOND), NOTEBOOKS)
    captioner: str = ""  # RUN or RUN:TARGET: the finished run whose decoders describe the recordings, in notebook 14
    data: Data = field(default_factory=Data)
    clap: Clap = field(default_factory=Clap)
    gap: Gap = field(default_factory=Gap)
    decoder: Decoder = field(default_factory=Decoder)
    train: Train = field(default_factory=Train)
    generate: Generate = field(default_factory=Generate)
    best: Best = field(default_factory=Best)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def source(self) -> tuple[str, str]:
        """`captioner` as (run, target): "RUN" or "RUN:TARGET"; an empty target is the run's first."""
        run, _, target = self.captioner.partition(":")
        return run, target

    def at_once(self, most: int) -> int:
        """How many of `most` workers may run at once: the setting `threads`, which never decides what comes out."""
        return min(most, self.threads or most)


def load(profile: str = "quick", overrides: Mapping[str, Any] | Iterable[str] = ()) -> Config:
    """The settings of a profile (a name in `aaclib/profiles`, or the path of a YAML file) with overrides on top.

    `overrides`: {"train.epochs": 3} or ["train.epochs=3"]. A group may be given whole: it changes what it names.
    Raises ConfigError, which names the setting (and the file) and what would fit.
    """
    values = fitting.put(_profile(str(profile)), fitting.pairs(Config, _given(overrides)))
    return consistent(roles.with_text(fitting.build(Config, values)))


def profiles() -> dict[str, str]:
    """The names of the profiles and their titles."""
    return {path.stem: _profile(path.stem).get("title", "") for path in sorted(PROFILES.glob("*.yaml"))}


def _profile(profile: str, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """setting -> value of a profile, on top of those of its `base`. `above`: the profiles that it is the base of."""
    path = _file(profile, above)
    if path in above:
        raise ConfigError(f"`base` leads in a circle: {' -> '.join(p.name for p in (*above, path))}.")
    tree = fitting.read_yaml_file(path)
    try:
        tree = dict(fitting.mapping(tree or {}, "the file"))
        base = fitting.fit(tree.pop("base", ""), str, "base")
        values = _profile(base, (*above, path)) if base else {}
        return fitting.put(values, fitting.pairs(Config, {"name": path.stem, **tree}.items()))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _file(profile: str, above: tuple[Path, ...]) -> Path:
    """A file's path is meant from the folder of the profile that names it, or else from where the user stands."""
    path = PROFILES / f"{profile}.yaml"
    if profile.endswith((".yaml", ".yml")):
        beside = above[-1].parent / profile if above else Path(profile)
        path = (beside if beside.exists() else Path(profile)).resolve()
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, not a profile.")
    if not path.is_file():
        known = [known.stem for known in PROFILES.glob("*.yaml")]
        raise ConfigError(f"There is no profile '{profile}'.{fitting.nearest(profile, known)}")
    return path


def pairs_of(overrides: Mapping[str, Any] | Iterable[str]) -> Iterator[tuple[str, Any]]:
    """(setting, value) of overrides given either way: values of the setting's type (lists for tuples, as in JSON), of
    a whole group each setting. Raises ConfigError for text without '=', and for what is unknown or does not fit."""
    return ((name, json.loads(json.dumps(value))) for name, value in fitting.pairs(Config, _given(overrides)))


def _given(overrides: Mapping[str, Any] | Iterable[str]) -> Iterable[tuple[Any, Any]]:
    return overrides.items() if isinstance(overrides, Mapping) else map(_pair, overrides)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"'{text}' is no setting: write key=value, for example train.epochs=3.")
    return key.strip(), value


def consistent(config: Config) -> Config:
    """The same settings. Raises ConfigError where some that are right by themselves contradict each other."""
    if contradiction := next(contradictions(config), ""):
        raise ConfigError(f"{contradiction}.")
    return config
