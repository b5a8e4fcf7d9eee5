"""Installs what SPICE needs of Stanford CoreNLP 3.6.0 (GPL, never shipped with this project) into the cache.

From Maven Central through jgo, or from files that are here already. Of the models' 378 MB SPICE looks at 11 files of
9.7 MB: only these are kept, each checked by its sha256 wherever it came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from aaclib.metrics.result import MetricError, Unavailable
from aaclib.paths import cache_dir, home_path
from aaclib.progress import Progress
from aaclib.store import Damaged, locked, read_record, write_record
from aaclib.sums import file_digest

VERSION = "3.6.0"
GROUP, NAME = "edu.stanford.nlp", "stanford-corenlp"
ARTEFACT = f"{GROUP}:{NAME}:{VERSION}"
CLASSES_JAR, MODELS_JAR = f"{NAME}-{VERSION}.jar", f"spice-models-{VERSION}.jar"
RECORD = "installed.json"  # beside the jars, with their sums
COMMAND = "aaclib metrics install-spice"
ATTEMPTS, TIMEOUT_S = 3, 30

# Maven's files as a whole: classifier -> sha256
MAVEN = {
    None: "d341d5863276f55782c5ef73212222d6b3b48e02ae1951ab6de7618d28b12742",
    "models": "d285157bd7887ee3018094b5dbae092e49088b023361ccdb550ee1daf9b2c9bd",
}
# a digest of the names and contents of all its classes, so that a repacked jar is as good
CLASSES = "9843640c6c98190432b3515449add7bab7ec224910863c1cc633802e671ea74a"
MAIN_CLASS = "edu/stanford/nlp/pipeline/StanfordCoreNLP.class"
MODELS_ROOT = "edu/stanford/nlp/models/"
MODELS = {
    "dcoref/animate.unigrams.txt": "f098d0dec513de3729b4274d16bb0cc35c4bf2b801219885ee3c7e7fbbf56374",
    "dcoref/countries": "aca387cfc0033623bcdf6d0d876e850abcda0d88cdef58ea6dc6dccf7caaae87",
    "dcoref/demonyms.txt": "59d6f108e8d9d7511f386a76c8aacf1ae67a8a1d0635d91b82fdb27da15ac5f2",
    "dcoref/female.unigrams.txt": "4fa5c1129926d60c68676e649a1690039ff2c85b9ad884d6dd6b22368f7602c0",
    "dcoref/gender.map.ser.gz": "5b186bd60d88cdf7cb6fda51ec6bcb24975d503e155283b1b1e49f30b393ae76",
    "dcoref/inanimate.unigrams.txt": "3e4bcd3c30f80138bafb4c7995b358f84d698632246b552286cad629592b3754",
    "dcoref/male.unigrams.txt": "e35e709b4554c3a28ce406a765226a30e2247bb7a7816bc7fe3018c5939586f8",
    "dcoref/neutral.unigrams.txt": "1aa4883acb54fa0fd1bfa71234484549fda1a9d129d38bb76c0006146f7e7ee3",
    "dcoref/state-abbreviations.txt": "390bf299f876b557ecf7d383059b77957466b172e1c6d953b0479594d7424430",
    "dcoref/statesandprovinces": "00cd22f600bb20c7906e754322486968b8d76d8905b02e634a2142c8083d2484",
    "lexparser/englishPCFG.ser.gz": "ed674cce7311f76c018806e61cdb045e219258ee30014da4e3e686b9230ebea9",
}


class InstallError(MetricError):
    """SPICE could not be installed; the message names the file and what to do."""


def folder() -> Path:
    return cache_dir() / "spice" / f"corenlp-{VERSION}"


def installed() -> tuple[Path, Path]:
    """The two jars in the cache. Raises Unavailable, naming the command, where they are not, or not as they were
    installed."""
    try:
        read_record(folder() / RECORD)
    except FileNotFoundError:
        raise Unavailable(f"SPICE is not installed in {folder().parent}. Install it with: {COMMAND}") from None
    except Damaged as error:
        raise Unavailable(f"SPICE is damaged in {folder()} ({error.args[1]}). Install it again: {COMMAND}") from None
    return folder() / CLASSES_JAR, folder() / MODELS_JAR


def install(source: str | Path | None = None, repository: str | None = None, force: bool = False) -> Path:
    """Puts SPICE's files into the cache and returns their folder; does nothing where they are.

    source: a folder with the jars, one of the jars (the other beside it) or Stanford's zip of CoreNLP 3.6.0; None takes
    them from `repository` (a Maven repository's address; None is Maven Central). Several processes may call it at
    once; one that was killed leaves nothing that counts, and the next starts clean. Raises InstallError."""
    target = folder()
    with locked(target.parent / "install.lock"):
        with contextlib.suppress(Unavailable):
            installed()
            if not force:
                return target
        for left in target.parent.glob(".install-*"):  # of a process that was killed; the lock is ours
            shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=".install-"))
        try:
            jars = _local(home_path(source), work) if source else _maven(work, repository)
            _keep(jars, work / "new", str(source or "the Maven repository"))
            write_record(work / "new" / RECORD, {"version": VERSION}, [CLASSES_JAR, MODELS_JAR])
            shutil.rmtree(target, ignore_errors=True)
            os.replace(work / "new", target)
        finally:
            shutil.rmtree(work)
    return target


def _keep(jars: list[Path], new: Path, source: str) -> None:
    """Checks and copies the classes and the 11 models out of whichever of `jars` hold them."""
    new.mkdir()
    missing = set(MODELS)
    with zipfile.ZipFile(new / MODELS_JAR, "w", zipfile.ZIP_DEFLATED) as out:
        for path in jars:
            with _opened(path) as jar:
                names = set(jar.namelist())
                if MAIN_CLASS in names and not (new / CLASSES_JAR).exists():
                    if _classes_digest(jar) != CLASSES:
                        raise InstallError(
                            f"{path}: not the classes of CoreNLP {VERSION} (checksum differs). "
                            f"Take Maven's {ARTEFACT}, or run {COMMAND} with a network."
                        )
                    shutil.copyfile(path, new / CLASSES_JAR)
                for name in sorted(name for name in missing if MODELS_ROOT + name in names):
                    content = jar.read(MODELS_ROOT + name)
                    if hashlib.sha256(content).hexdigest() != MODELS[name]:
                        raise InstallError(
                            f"{path}: {name} is not that of CoreNLP {VERSION} (checksum differs). "
                            f"Take Maven's {ARTEFACT} with classifier models."
                        )
                    out.writestr(
                        zipfile.ZipInfo(MODELS_ROOT + name, (2016, 1, 19, 0, 0, 0)), content, zipfile.ZIP_DEFLATED
                    )
                    missing.discard(name)
    if not (new / CLASSES_JAR).exists():
        raise InstallError(f"{source} holds no {CLASSES_JAR}. It needs Maven's {ARTEFACT}, plain and models.")
    if missing:
        raise InstallError(
            f"{source} lacks {len(missing)} of the models that SPICE needs, such as {min(missing)}. "
            f"It needs {ARTEFACT} with classifier models."
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as jar:
            yield jar
    except (zipfile.BadZipFile, EOFError) as error:
        raise InstallError(f"{path} is damaged or cut short ({error}). Delete it and fetch it again.") from error


def _classes_digest(jar: zipfile.ZipFile) -> str:
    total = hashlib.sha256()
    for name in sorted(n for n in jar.namelist() if n.endswith(".class")):
        total.update(name.encode() + b"\0" + hashlib.sha256(jar.read(name)).digest())
    return total.hexdigest()


def _local(source: Path, work: Path) -> list[Path]:
    """The jars in a folder, beside a jar, or inside a zip. Raises InstallError where the source is none of these."""
    if source.is_dir():
        zips = sorted(source.glob("*.zip"))
        jars = sorted(source.rglob("*.jar")) or [jar for one in zips for jar in _unzip(one, work)]
        if not jars:
            raise InstallError(f"{source} holds no .jar and no .zip.")
        return jars
    if not source.is_file():
        raise InstallError(f"There is no {source}.")
    if source.suffix == ".zip":
        return _unzip(source, work)
    return [source, *(jar for jar in sorted(source.parent.glob("*.jar")) if jar != source)]


def _unzip(source: Path, work: Path) -> list[Path]:
    """CoreNLP's own jars out of Stanford's distribution; the members' paths are not followed."""
    jars = []
    with _opened(source) as distribution:
        for member in distribution.infolist():
            name = Path(member.filename).name
            if name.endswith(".jar") and "corenlp" in name and "sources" not in name and "javadoc" not in name:
                jars.append(work / f"{len(jars)}-{name}")
                with distribution.open(member) as read, open(jars[-1], "wb") as write:
                    shutil.copyfileobj(read, write)
    if not jars:
        raise InstallError(f"{source} holds no CoreNLP jar; expected Stanford's CoreNLP {VERSION} distribution.")
    return jars


def _maven(work: Path, repository: str | None) -> list[Path]:
    """Both artefacts through jgo. A download that broke off or has a wrong checksum is begun again, twice."""
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ImportError as error:
        raise InstallError(f"jgo is not installed ({error}): pip install jgo") from error
    jars = []
    for classifier, sha256 in MAVEN.items():
        label = f"{ARTEFACT}:{classifier}" if classifier else ARTEFACT
        for attempt in range(ATTEMPTS):
            time.sleep(attempt)
            cache = work / f"maven-{len(jars)}-{attempt}"  # jgo takes a half file for a whole one: never twice
            context = MavenContext(
                repo_cache=cache,
                resolver=PythonResolver(progress_callback=_progress),
                remote_repos={"chosen": repository.rstrip("/")} if repository else None,
                timeout=TIMEOUT_S,
            )
            try:
                path = context.project(GROUP, NAME).at_version(VERSION).artifact(classifier=classifier or "").resolve()
                if file_digest(path) == sha256:
                    break
                problem = f"{path.name}: the checksum is wrong"
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
                problem = (str(error) or type(error).__name__).splitlines()[0]
            shutil.rmtree(cache, ignore_errors=True)
        else:
            raise InstallError(
                f"{label} could not be fetched ({problem}). With a network: {COMMAND}; "
                f"with the files here: {COMMAND} --from FOLDER"
            )
        jars.append(path)
    return jars


@contextlib.contextmanager
def _progress(name: str, total: int) -> Iterator:
    progress, seen = Progress(f"SPICE: {name}", total // 2**20, "MiB", interval=5.0), 0

    def update(count: int) -> None:
        nonlocal seen
        seen += count
        if more := seen // 2**20 - progress.done:
            progress.step(more)

    yield update
