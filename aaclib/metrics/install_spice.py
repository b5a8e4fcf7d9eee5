"""Installs what SPICE needs of Stanford CoreNLP 3.6.0 (GPL, never shipped with this project) into the cache.

From Maven Central, or from files that are here already. Of the models' 378 MB SPICE looks at 11 files of 9.7 MB: only
these are kept, checked by their content wherever they came from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from aaclib.datasets.download import DownloadError, Remote, fetch
from aaclib.metrics.result import MetricError, Unavailable
from aaclib.paths import cache_dir, home_path
from aaclib.store import Damaged, locked, read_record, write_record

VERSION = "3.6.0"
GROUP, NAME = "edu.stanford.nlp", "stanford-corenlp"
ARTEFACT = f"{GROUP}:{NAME}:{VERSION}"
CLASSES_JAR, MODELS_JAR = f"{NAME}-{VERSION}.jar", f"spice-models-{VERSION}.jar"
RECORD = "installed.json"  # beside the jars, with their sums
COMMAND = "aaclib metrics install-spice"

# Maven's files as a whole: name -> sha256
MAVEN = {
    f"{NAME}-{VERSION}.jar": "d341d5863276f55782c5ef73212222d6b3b48e02ae1951ab6de7618d28b12742",
    f"{NAME}-{VERSION}-models.jar": "d285157bd7887ee3018094b5dbae092e49088b023361ccdb550ee1daf9b2c9bd",
}
# `content` of all classes and of the 11 models, so that a repacked jar is as good
CLASSES = "9843640c6c98190432b3515449add7bab7ec224910863c1cc633802e671ea74a"
MODELS = "88766a38fb910987a15d5811e6cc4b7255819276c0c3978d3873ab9d5f46c95c"
MAIN_CLASS = "edu/stanford/nlp/pipeline/StanfordCoreNLP.class"
MODEL_FILES = tuple(
    f"edu/stanford/nlp/models/{name}"
    for name in """
    dcoref/animate.unigrams.txt dcoref/countries dcoref/demonyms.txt dcoref/female.unigrams.txt dcoref/gender.map.ser.gz
    dcoref/inanimate.unigrams.txt dcoref/male.unigrams.txt dcoref/neutral.unigrams.txt dcoref/state-abbreviations.txt
    dcoref/statesandprovinces lexparser/englishPCFG.ser.gz
    """.split()
)


class InstallError(MetricError):
    """SPICE could not be installed; the message names the file and what to do."""


def folder() -> Path:
    """Where the two jars are kept, installed or not."""
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
    once; one that was killed leaves nothing that counts, and the next goes on with its downloads. Raises InstallError.
    """
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
            jars = _local(home_path(source), work) if source else from_maven(target.parent, repository)
            _keep(jars, work / "new", str(source or "the Maven repository"))
            write_record(work / "new" / RECORD, {"version": VERSION}, [CLASSES_JAR, MODELS_JAR])
            shutil.rmtree(target, ignore_errors=True)
            os.replace(work / "new", target)
            for jar in [] if source else jars:
                jar.unlink()
        finally:
            shutil.rmtree(work)
    return target


def content(jar: zipfile.ZipFile, names: Iterable[str]) -> str:
    """A digest of the names and contents of these members."""
    total = hashlib.sha256()
    for name in sorted(names):
        total.update(name.encode() + b"\0" + hashlib.sha256(jar.read(name)).digest())
    return total.hexdigest()


def _keep(jars: list[Path], new: Path, source: str) -> None:
    """Checks the classes and the 11 models and copies them out of the first of `jars` that holds them."""
    new.mkdir()
    lacking = set(MODEL_FILES)
    for path in jars:
        with _opened(path) as jar:
            names = set(jar.namelist())
            if MAIN_CLASS in names and not (new / CLASSES_JAR).exists():
                classes = [name for name in names if name.endswith(".class")]
                _check(jar, classes, CLASSES, f"{path}: not the classes", ARTEFACT)
                shutil.copyfile(path, new / CLASSES_JAR)
            missing = set(MODEL_FILES) - names
            if lacking and not missing:
                _check(jar, MODEL_FILES, MODELS, f"{path}: not the models", f"{ARTEFACT} with classifier models")
                _copy_models(jar, new / MODELS_JAR)
            lacking = min(lacking, missing, key=len)
    if not (new / CLASSES_JAR).exists():
        raise InstallError(f"{source} holds no {CLASSES_JAR}. It needs Maven's {ARTEFACT}, plain and models.")
    if lacking:
        raise InstallError(
            f"{source} lacks {len(lacking)} of the models that SPICE needs, such as {min(lacking)}. "
            f"It needs {ARTEFACT} with classifier models."
        )


def _check(jar: zipfile.ZipFile, names: Iterable[str], wanted: str, what: str, instead: str) -> None:
    if content(jar, names) != wanted:
        raise InstallError(
            f"{what} of CoreNLP {VERSION} (checksum differs). Take Maven's {instead}, or run {COMMAND} with a network."
        )


def _copy_models(jar: zipfile.ZipFile, path: Path) -> None:
    """The 11 models alone, in a jar that is the same whenever it is made."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in sorted(MODEL_FILES):
            out.writestr(zipfile.ZipInfo(name, (2016, 1, 19, 0, 0, 0)), jar.read(name), zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as jar:
            yield jar
    except (zipfile.BadZipFile, EOFError) as error:
        raise InstallError(f"{path} is damaged or cut short ({error}). Delete it and fetch it again.") from error


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


def from_maven(folder: Path, repository: str | None = None) -> list[Path]:
    """Both files as Maven has them, in `folder`; what is cut goes on in the next attempt, or in the next run."""
    if repository is None:
        from jgo.constants import MAVEN_CENTRAL_URL as repository  # jgo knows where Maven Central is
    base = f"{repository.rstrip('/')}/{GROUP.replace('.', '/')}/{NAME}/{VERSION}"
    try:
        return [fetch(Remote(name, f"{base}/{name}", f"sha256:{sha}"), folder / name) for name, sha in MAVEN.items()]
    except DownloadError as error:
        raise InstallError(
            f"{error} With a network: {COMMAND}; with the files here: {COMMAND} --from FOLDER"
        ) from error
