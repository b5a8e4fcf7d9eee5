"""How large the package is: lines of code for each room, without docstrings, comments and blank lines.

    python tests/size.py [FOLDER]    rooms and their sum; FOLDER is aaclib by default
    python tests/size.py --files     each file, the largest first

Lines are counted as they stand, so the tree has to be formatted (`ruff format`) for two counts to be comparable.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "aaclib"
DEFINITIONS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def docstring_lines(source: str) -> set[int]:
    """The numbers of the lines on which docstrings stand."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, DEFINITIONS)]
    strings = [node.body[0] for node in nodes if ast.get_docstring(node, clean=False) is not None]
    return {line for string in strings for line in range(string.lineno, string.end_lineno + 1)}


def code_lines(source: str) -> int:
    """Lines that hold code; text in quotes that is no docstring is code."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spans = ((token.start[0], token.end[0]) for token in tokens if token.type not in NO_CODE)
    return len({line for first, last in spans for line in range(first, last + 1)} - docstring_lines(source))


def files(folder: Path = PACKAGE) -> Counter[str]:
    """Lines of code of each Python file below a folder, by its path there."""
    paths = sorted(folder.rglob("*.py"))
    return Counter({p.relative_to(folder).as_posix(): code_lines(p.read_text(encoding="utf-8")) for p in paths})


def rooms(folder: Path = PACKAGE) -> Counter[str]:
    """The same by room: the folders directly below, and `.` for the files that lie beside them."""
    total: Counter[str] = Counter()
    for name, lines in files(folder).items():
        total[name.split("/")[0] if "/" in name else "."] += lines
    return total


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")] or [PACKAGE]
    counts = files(folders[0]) if "--files" in sys.argv else rooms(folders[0])
    for name, lines in counts.most_common():
        print(f"{lines:6,}  {name}")
    print(f"{counts.total():6,}  lines of code in {folders[0].name}")
