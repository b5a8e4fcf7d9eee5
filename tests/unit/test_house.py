"""The house stays as drawn: layers, file sizes, light imports, notebooks without outputs, scripts that fit together."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aaclib.suite import requirements, stages

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "aaclib"
# the rooms, each importing only from itself and those before it: leaves; mathematics; model, embeddings and world;
# run; tables and plots; suite
LAYERS = (
    {
        "paths",
        "fitting",
        "contradictions",
        "roles",
        "reading",
        "columns",
        "config",
        "sums",
        "told",
        "lost",
        "errors",
        "store",
        "cache",
        "progress",
        "seeds",
        "interrupts",
        "saving",
        "screen",
        "workers",
        "cluster",
        "audio",
        "containers",
        "names",
        "text",
        "escape",
        "pretrained",
        "provenance",
        "memo",
        "records",
        "finished",
        "device",
        "own",
        "reprs",
    },
    {
        "gap",
        "memory",
        "maps",
        "steps",
        "beyond",
        "parts",
        "bridge",
        "groups",
        "aggregates",
        "resampling",
        "stats",
        "retrieval",
        "scaling",
    },
    {"datasets", "clap", "embeddings", "shards", "decoder", "resume", "train", "generate", "candidates", "metrics"},
    {
        "run",
        "arrays",
        "rows",
        "prompts",
        "decoders",
        "captions",
        "training",
        "sweep",
        "results",
        "captioner",
        "captioning",
        "answering",
        "portable",
        "model_card",
        "play",
    },
    {"plots", "tables"},
    {"suite"},
)
LAYER_OF = {module: number for number, layer in enumerate(LAYERS, 1) for module in layer}
LONGEST = {"aaclib": 300, "tests": 500}  # lines of a file
SOURCES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
LONGEST_CELL, LONGEST_FUNCTION = 25, 15  # lines


def imported(tree: ast.AST) -> set[str]:
    """The modules of aaclib (first name below the package) that code imports, but for type checkers only."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for inner in ast.walk(node):
                inner.ignored = True
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            raise AssertionError("import from aaclib by its full name, so that this test can follow")
        else:
            continue
        if not getattr(node, "ignored", False):
            found |= {name.split(".")[1] for name in names if name.startswith("aaclib.")}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_its_own_layer_and_those_below(path):
    module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if module in ("__init__", "__main__"):
        return
    assert module in LAYER_OF, f"give aaclib.{module} a layer in LAYERS"
    for other in imported(ast.parse(path.read_text())):
        if other in LAYER_OF:
            assert LAYER_OF[other] <= LAYER_OF[module], f"{module} (layer {LAYER_OF[module]}) imports {other}"


def test_the_layer_check_sees_imports_inside_functions_but_not_those_for_type_checkers():
    code = "if TYPE_CHECKING:\n  from aaclib.clap import base\ndef f():\n  from aaclib import captioner\n"
    code += "import aaclib.store"
    assert imported(ast.parse(code)) == {"captioner", "store"}


def test_no_module_imports_in_a_circle_not_even_inside_a_function():
    modules = {}
    for path in SOURCES:
        modules[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path.read_text()
    assert circle(modules) == []
    assert circle({"a": "from b import x", "b": "def f():\n    import a.c", "a.c": "import a"}) == ["a", "a.c", "b"]


def circle(modules: dict[str, str]) -> list[str]:
    """The modules (name -> code) from which a way of imports leads back to them; from a package its parts alone are
    imported, where a part is named."""
    leads = {}
    for name, code in modules.items():
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                node.body = []
        nodes = list(ast.walk(tree))
        named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        for node in [node for node in nodes if isinstance(node, ast.ImportFrom)]:
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {part if part in modules else node.module for part in parts}
        leads[name] = named & modules.keys() - {name}
    for through in modules:  # ways through one more module at a time
        for name in modules:
            leads[name] |= leads[through] if through in leads[name] else set()
    return sorted(name for name in modules if name in leads[name])


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: p.name)
def test_no_file_is_too_long_and_nothing_unsafe_is_in_it(path):
    text = path.read_text()
    longest = LONGEST[path.relative_to(ROOT).parts[0]]
    assert text.count("\n") <= longest, f"one idea per file, in at most {longest} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            unsafe = {("weights_only", False), ("shell", True), ("allow_pickle", True)}
            assert (node.arg, node.value.value) not in unsafe
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), "a bare except hides what went wrong"


def test_importing_aaclib_loads_no_model_library_and_opens_no_socket():
    code = """
import socket, sys
def refuse(*a, **k): raise AssertionError("a socket was opened")
socket.socket.connect = socket.create_connection = refuse
import aaclib, aaclib.suite.cli, aaclib.config, aaclib.store, aaclib.progress, aaclib.suite.runner, aaclib.provenance
aaclib.suite.cli.parser()
print([m for m in ("torch", "transformers", "laion_clap", "pandas", "papermill", "matplotlib") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_package_gives_its_parts_when_asked():
    import aaclib

    assert isinstance(aaclib.config.load("quick"), aaclib.Config)
    assert aaclib.Store.__module__ == "aaclib.store"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = aaclib.nonsense
    for name in aaclib._MODULES:
        assert (PACKAGE / f"{name}.py").is_file() or (PACKAGE / name / "__init__.py").is_file(), name


def test_editors_are_told_the_same_parts_as_python():
    import aaclib

    (block,) = [node for node in ast.parse((PACKAGE / "__init__.py").read_text()).body if isinstance(node, ast.If)]
    told = {alias.asname: node.module for node in block.body for alias in node.names}
    assert told == {name: "aaclib" for name in aaclib._MODULES} | aaclib._CLASSES


def test_the_stages_are_the_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [notebook.name for notebook in stages.NOTEBOOKS]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SOLUTIONS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_notebooks_have_parameters_no_outputs_and_short_cells(path):
    book = json.loads(path.read_text())
    tagged = [cell for cell in book["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1 and {"profile", "overrides"} <= assigned("".join(tagged[0]["source"]))
    for cell in book["cells"]:
        assert not cell.get("outputs") and not cell.get("execution_count"), "commit notebooks without outputs"
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).splitlines()
        assert len(lines) <= LONGEST_CELL, f"{cell['id']}: {len(lines)} lines"
        source = "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.ClassDef), "classes live in aaclib"
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, f"{node.name}: what is long lives in aaclib"


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if "02" <= p.name[:2] <= "06"], ids=lambda p: p.name)
def test_prose_and_code_are_in_balance(path):
    """8 to 15 words of prose per line of code: the method is visible, and explained."""
    words, lines = words_and_lines(json.loads(path.read_text())["cells"])
    assert 8 <= words / lines <= 15, f"{words} words, {lines} lines of code: {words / lines:.1f}"


def words_and_lines(cells):
    """Words of prose, and lines of code without blank lines and lines that are comments only."""
    of = {kind: ["".join(c["source"]) for c in cells if c["cell_type"] == kind] for kind in ("markdown", "code")}
    lines = [line.strip() for source in of["code"] for line in source.splitlines()]
    return sum(len(text.split()) for text in of["markdown"]), sum(not re.match("#|$", line) for line in lines)


def test_words_and_lines_are_counted_as_a_reader_would():
    text, code = "# Two words\n\nand three more", "# no code\n\nx = 1  # code\n    y = '#'\n"
    cells = [{"cell_type": "markdown", "source": text}, {"cell_type": "code", "source": [code]}]
    assert words_and_lines(cells) == (6, 2)


def assigned(source: str) -> set[str]:
    targets = [t for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign) for t in node.targets]
    annotated = [node.target for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AnnAssign)]
    return {t.id for t in targets + annotated if isinstance(t, ast.Name)}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "LICENSE",
        "CITATION.cff",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        ".editorconfig",
        ".pre-commit-config.yaml",
        "run_all.sh",
        "run_tests.sh",
        "environment.yml",
        "constraints.txt",
        "pyproject.toml",
        ".ci/run",
        "notebooks",
        "aaclib/profiles",
        "data/README.md",
        "data/published.csv",
        "tests/unit",
        "benchmarks",
    ],
)
def test_the_top_level_is_all_there(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", ["run_all.sh", "run_tests.sh", ".ci/run", ".ci/hook"])
def test_scripts_are_executable_and_parse(name):
    assert os.access(ROOT / name, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / name], check=True)
    subprocess.run(["bash", "-n", ROOT / "environment.sh"], check=True)


@pytest.mark.parametrize("name", ["run_all.sh", "run_tests.sh"])
def test_scripts_explain_themselves_from_any_folder_without_an_environment(name, tmp_path):
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run([ROOT / name, "--help"], capture_output=True, text=True, cwd=tmp_path, env=bare)
    assert done.returncode == 0 and f"./{name}" in done.stdout


def test_environment_yml_has_the_list_of_pyproject():
    tree = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [part["pip"] for part in tree["dependencies"] if isinstance(part, dict)]
    listed = [line for line in pip if not line.startswith("-")]
    assert listed == requirements.wanted(extras=["test"])
    assert "-c constraints.txt" in pip and "-e ." in pip
    assert "python=3.11" in tree["dependencies"] and any(str(d).startswith("openjdk") for d in tree["dependencies"])


def test_constraints_pin_everything_that_pyproject_names_and_nothing_of_one_platform():
    text = (ROOT / "constraints.txt").read_text()
    pins = requirements.pins(ROOT / "constraints.txt")
    for line in requirements.wanted(extras=["test", "cluster", "docs"]):
        requirement = requirements.Requirement(line)
        name = requirements.canonicalize_name(requirement.name)
        assert name in pins and requirement.specifier.contains(pins[name]), line
    assert not re.search(r"^(nvidia|triton|cuda|-|.*(@|://))", text, re.MULTILINE | re.IGNORECASE)


def test_requirements_names_what_is_missing(tmp_path):
    project = tmp_path / "pyproject.toml"
    wants = '["pytest>=8", "pytest>=999", "no-such-thing>=1"]'
    project.write_text(f'[project]\nrequires-python = ">=3.11"\ndependencies = {wants}\n')
    first, second = requirements.missing(project)
    assert first.startswith("pytest>=999 (found ") and second == "no-such-thing>=1 (not installed)"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# tested\npytest==1.0\n")
    assert requirements.missing(project, constraints=constraints)[0].startswith("pytest==1.0 (found ")
