"""PTB tokenisation, one pass for all metrics: lower case, Penn Treebank tokens, punctuation removed.

pycocoevalcap's tokenizer (Stanford CoreNLP 3.4.1, its jar and options, its list of punctuation), fed through a pipe
instead of a temporary file in site-packages, in UTF-8 whatever the locale, with the number of lines checked.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aaclib.cache import Cache
from aaclib.metrics.child import ended, printing, twice
from aaclib.metrics.java import environment, java
from aaclib.metrics.result import Lost, Unavailable
from aaclib.store import VERSIONS, Store

PUNCTUATION = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
BREAKS = re.compile("[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x00]")  # what some reader takes for the end of a line
START_S, CAPTIONS_PER_S = 120.0, 100  # how long it may take; thousands a second are usual


def pycocoevalcap() -> Path:
    """The folder of pycocoevalcap, found without importing it. Raises Unavailable."""
    spec = find_spec("pycocoevalcap")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("pycocoevalcap is not installed: pip install pycocoevalcap==1.2")
    return Path(next(iter(spec.submodule_search_locations)))


def package() -> dict[str, str]:
    """The version of pycocoevalcap, whose jars and formulas decide values."""
    try:
        return {"pycocoevalcap": metadata.version("pycocoevalcap")}
    except metadata.PackageNotFoundError:  # it lies on the path without having been installed
        return {"pycocoevalcap": ""}


def identity() -> dict[str, Any]:
    """What decides the tokens of a caption."""
    return {"tokens": VERSIONS["tokens"], **package()}


def tokenise(captions: list[str], store: Store | None = None) -> list[str]:
    """Each caption as space-separated tokens, in the same order; line breaks count as spaces.
    Raises Unavailable without Java and Lost where the tokenizer fails twice or does not answer line by line."""
    # composed: an accent is the same word, however a system or a person wrote it
    plain = [unicodedata.normalize("NFC", BREAKS.sub(" ", caption)) for caption in captions]
    tokens = Cache("tokens", store).complete(
        plain, lambda fresh: twice(lambda: _run(fresh)), str.encode, bytes.decode, identity()
    )
    return [tokens[caption] for caption in plain]


def _run(lines: list[str]) -> list[str]:
    jar = pycocoevalcap() / "tokenizer" / "stanford-corenlp-3.4.1.jar"
    options = "-Xmx1G -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8"
    program = ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    command = [str(java().executable), *options.split(), "-cp", str(jar), *program]
    text = "\n".join(lines).encode("utf-8", errors="replace")  # lone surrogates cannot be sent
    seconds = START_S + len(lines) / CAPTIONS_PER_S
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=seconds, check=False, env=environment())
    except subprocess.TimeoutExpired as error:
        raise Lost(f"The PTB tokenizer did not finish {len(lines)} captions in {seconds:.0f} s.") from error
    except OSError as error:
        raise Lost(f"The PTB tokenizer could not be started: {error}.") from error
    answer = done.stdout.decode("utf-8", errors="replace").split("\n")
    if done.returncode:
        raise Lost(printing(f"The PTB tokenizer {ended(done.returncode)}", done.stderr or done.stdout))
    if answer and answer[-1] == "":
        answer.pop()
    answer += [""] * (len(lines) - len(answer)) if not any(lines[len(answer) :]) else []  # empty captions at the end
    if len(answer) != len(lines):
        raise Lost(f"The PTB tokenizer answered {len(answer)} lines to {len(lines)} captions.")
    return [" ".join(word for word in line.rstrip().split(" ") if word not in PUNCTUATION) for line in answer]
