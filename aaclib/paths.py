"""Where the project's folders lie. Each can be moved by an environment variable."""

from __future__ import annotations

import os
from pathlib import Path


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


def work_dir() -> Path:
    """Where the working copies of the notebooks lie: data/work, or AACLIB_WORK."""
    return Path(os.environ.get("AACLIB_WORK") or project_root() / "data" / "work")


def home_path(path: str | Path) -> Path:
    """`path` with ~ or ~user in front as that home folder; a name that merely begins with ~ stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody of that name has a home
        return Path(path)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: on its disk it would lie."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def offline() -> bool:
    """Whether the user's environment forbids every download: AACLIB_OFFLINE=1."""
    return switched_on("AACLIB_OFFLINE")


def switched_on(variable: str) -> bool:
    """Whether a variable of the environment says yes, in one of the words that Hugging Face's libraries read so."""
    return os.environ.get(variable, "").lower() in ("1", "true", "yes", "on")
