"""Start-up: what stands between a command and its first word. The limit: Python itself."""

from __future__ import annotations

import subprocess
import sys

from table import Row, alternately


def measure(tiny: bool = False) -> list[Row]:
    """Importing the package and `aaclib --help`, each in a fresh process, beside importing what it is made of."""
    ways = {
        "python": ["-c", "pass"],
        "import": ["-c", "import aaclib"],
        "help": ["-m", "aaclib", "--help"],
        "torch": ["-c", "import torch"],
    }

    def start(words: list[str]) -> None:
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)

    found = alternately({name: lambda words=words: start(words) for name, words in ways.items()}, 1 if tiny else 5)
    note = "beside `import torch`, which both put off until it is needed"
    return [
        Row("import aaclib", found["import"], found["torch"], found["python"], note),
        Row("aaclib --help", found["help"], found["torch"], found["python"], note),
    ]
