"""A stand-in for `java` that speaks as the PTB tokenizer and METEOR do, and dies, stalls or stays silent as planned.

`install(folder)` writes it; `plan(folder, "ptb", "kill", "ok")` says what its first, second, ... start as this program
does (the last word holds for all that follow); `starts(folder, "ptb")` counts them.
"""

import sys
from pathlib import Path

SCRIPT = """#!{python} -IS
import os, sys, time
arguments, folder = sys.argv[1:], {folder!r}
if "-version" in arguments:
    print("    java.home = " + folder + "\\n    java.specification.version = 17", file=sys.stderr)
    sys.exit()
program = "meteor" if "meteor-1.5.jar" in arguments else "ptb"
with open(os.path.join(folder, program + ".starts"), "a+") as log:
    log.write(".")
    log.flush()
    log.seek(0)
    count = len(log.read())
try:
    plan = open(os.path.join(folder, program + ".plan")).read().split()
except FileNotFoundError:
    plan = ["ok"]
todo = plan[min(count, len(plan)) - 1]
if todo == "memory":
    print("Error occurred during initialization of VM\\nCould not reserve enough space", flush=True)
    sys.exit(1)
if todo == "stall":
    time.sleep(60)
if todo == "kill":
    os.kill(os.getpid(), 9)
for number, line in enumerate(sys.stdin):
    if todo == "middle" and number == 2:
        os.kill(os.getpid(), 9)
    if todo == "half":
        sys.stdout.write("1.0 2")
        sys.exit(0)
    counts = [str(float(len(line.split("|||")[-1].strip())))] * 23
    print(" ".join(counts) if program == "meteor" else line.strip().lower().rstrip("."), flush=True)
"""


def install(folder: Path) -> Path:
    path = folder / "java"
    path.write_text(SCRIPT.format(python=sys.executable, folder=str(folder)))
    path.chmod(0o755)
    return path


def plan(folder: Path, program: str, *words: str) -> None:
    (folder / f"{program}.starts").unlink(missing_ok=True)
    (folder / f"{program}.plan").write_text(" ".join(words))


def starts(folder: Path, program: str) -> int:
    path = folder / f"{program}.starts"
    return path.stat().st_size if path.exists() else 0
