"""What a run depends on: the settings that decide what comes out, and the files outside the store that it reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aaclib import provenance, records, roles, rows
from aaclib.config import Config
from aaclib.paths import cache_dir, home_path, raw_dir


def absolute(key: str, value: Any) -> Any:
    """A path given on the command line is meant from where the user stands; notebooks run in the project's root."""
    claps = ("clap.backend", "metrics.judge")
    names = ("audio", "captions", "text", "clotho", "audiocaps", "wavcaps", "fsd50k", "musiccaps", "clotho_aqa")
    named = key in claps or key == "cluster" and str(value).startswith("slurm:")
    kind, colon, path = value.partition(":") if named and isinstance(value, str) else ("", "", value)
    if not named and key not in ("decoder.tokenizer", *(f"data.{name}" for name in names)) or not path:
        return value
    file = home_path(path)
    return f"{kind}{colon}{file.resolve()}" if file.exists() else value


def inputs(config: Config, root: Path) -> dict[str, str]:
    """Digests of the files and folders outside the store that a run reads."""
    data = config.data
    paths = {name: getattr(data, name) for name in ("audio", "captions", "text")}
    text = (*data.more_text, *(data.text_of if roles.TEXT in data.targets else ()))
    pairs = "" if rows.no_pairs(config) else data.pairs
    used = {name.partition("-")[0].partition(".")[0] for name in (*data.targets, *text, pairs, data.pretrain)}
    known = [name for name in ("clotho", "audiocaps", "wavcaps", "fsd50k", "musiccaps") if name in used]
    paths |= {name: getattr(data, name) or raw_dir() / name for name in known}
    paths["clap"] = config.clap.backend.partition(":")[2]
    paths["judge"] = config.metrics.judge.partition(":")[2]
    paths |= {f"predictions/{name}": raw_dir() / "predictions" / name for name in data.targets}
    paths["published"] = root / "data" / "published.csv"
    # tables made without SPICE or FENSE are made again
    paths |= {folder.name: folder for folder in (cache_dir() / "spice").glob("corenlp-*")}
    paths["fense"] = os.environ.get("AACLIB_FENSE", "")
    if config.captioner:
        paths["captioner"] = records.record_of(config.source[0])
    return {name: provenance.files_digest(home_path(path)) for name, path in paths.items() if str(path)}
