"""What the design promises about files: a light library, imports that point down, and one meaning of a name."""

import ast
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import localmixup

SOURCE = Path(__file__).parent.parent / "src" / "localmixup"

# the core: each file or room may import those before it
CORE = [
    "_shapes", "_validate", "_optional", "_arrays", "_distances", "_nearest", "_interpolate", "_accuracy", "_criterion",
    "_batch", "graphs", "_partners", "_random", "_notice", "_settings", "_inputs", "_mixup", "sampling", "extras",
]  # fmt: skip
# rooms that stand on the core; a room may import those that are named, and itself
ABOVE = {
    "_plotting": [],
    "geometry": ["_plotting"],
    "theory": ["_plotting"],
    "distributed": [],
    "integrations": ["distributed"],
}
# the lab: each room may import those before it, the core, geometry and theory
LAB = [
    "errors",
    "text",
    "limits",
    "files",
    "scratch",
    "handover",
    "data",
    "models",
    "methods and runs",
    "analysis",
    "inspection",
    "report",
    "comparison",
    "benchmark",
    "paper",
    "cli",
    "functions",
]
TOGETHER = {"methods": "methods and runs", "runs": "methods and runs"}
THIRD_PARTY = {"torch", "numpy"}


def name_of(path):
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"}


def _nodes(tree):
    """Every import that runs, at the top of a file or inside a function; those for a type checker do not run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        yield from _nodes(node)


@functools.cache
def _imported(path):
    """Pairs of a module and a name that are imported from it."""
    found = []
    for node in _nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import from the full name of the module"
            found += [(node.module, alias.name) for alias in node.names]
        else:
            found += [(alias.name, "") for alias in node.names]
    return found


def imports_of(path):
    """Modules of this package that a file imports."""
    found = set()
    for module, name in _imported(path):
        if module.split(".")[0] != "localmixup":
            continue
        inside = module.removeprefix("localmixup").removeprefix(".")
        longer = f"{inside}.{name}" if inside else name
        if longer in MODULES:
            found.add(longer)
        elif inside:
            found.add(inside)
        elif name != "__version__":  # a public name: where it is defined
            found.add(localmixup._HOME[name])
    return found


def room_of(module):
    parts = module.split(".")
    if parts[0] != "lab" or len(parts) == 1:
        return parts[0]
    return f"lab.{TOGETHER.get(parts[1], parts[1])}"


def rooms_imported_by(room):
    """Every room that a room imports, with one file that does so."""
    found = {}
    for name, path in MODULES.items():
        if room_of(name) == room:
            found |= {room_of(module): name for module in imports_of(path)}
    found.pop(room, None)
    return found


def test_every_file_has_its_place():
    rooms = {room_of(name) for name in MODULES}
    assert rooms == {*CORE, *ABOVE, *(f"lab.{room}" for room in LAB), "lab", "__main__"}


@pytest.mark.parametrize("room", [*CORE, *ABOVE, *(f"lab.{room}" for room in LAB)])
def test_imports_point_down(room):
    if room in CORE:
        allowed = set(CORE[: CORE.index(room)])
    elif room in ABOVE:
        allowed = {*CORE, *ABOVE[room]}
    else:
        below = LAB[: LAB.index(room.removeprefix("lab."))]
        allowed = {*CORE, "_plotting", "geometry", "theory", *(f"lab.{name}" for name in below)}
    upwards = {target: file for target, file in rooms_imported_by(room).items() if target not in allowed}
    assert not upwards, f"room imported: file that imports it: {upwards}"


def test_no_circle_of_imports():
    waiting = {name: imports_of(path) - {name} for name, path in MODULES.items()}
    while waiting:
        free = {name for name, imported in waiting.items() if not imported & set(waiting)}
        assert free, f"a circle of imports among {sorted(waiting)}"
        waiting = {name: imported for name, imported in waiting.items() if name not in free}


def _bound_twice(body):
    """Names that statements of one level bind twice: the second meaning replaces the first without a word."""
    bound = []
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            inside = (part for target in targets for part in ast.walk(target))
            bound += [part.id for part in inside if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.decorator_list:
            bound.append(node.name)
    return {name for name in bound if bound.count(name) > 1 and name != "_"}


def test_no_file_binds_a_name_twice():
    root = SOURCE.parent.parent
    paths = [
        root / "dev.py",
        *(path for folder in ("src", "tests", "benchmarks") for path in (root / folder).rglob("*.py")),
    ]
    twice = {str(path): names for path in paths if (names := _bound_twice(ast.parse(path.read_text()).body))}
    assert not twice


def test_names_bound_twice_are_found():
    source = "CASES = {1: 2}\ndef f(): return CASES\nCASES = [1]\nclass f: x = 1; x = 2\na, _ = _, b = 1, 2\nb: int = 3"
    assert _bound_twice(ast.parse(source).body) == {"CASES", "f", "b"}


def test_no_integration_imports_another_one():
    frameworks = {name.split(".")[1] for name in MODULES if name.startswith("integrations.")}
    for name, path in MODULES.items():
        if name.startswith("integrations."):
            imported = {m.split(".")[1] for m in imports_of(path) if m.startswith("integrations.")}
            others = {m for m in imported & frameworks if not m.startswith("_")} - {name.split(".")[1]}
            assert not others, name


def test_the_core_needs_torch_and_numpy_only_and_nobody_a_second_drawing_library():
    for name, path in MODULES.items():
        outside = (
            {module.split(".")[0] for module, _ in _imported(path)} - set(sys.stdlib_module_names) - {"localmixup"}
        )
        if room_of(name) in CORE and name != "_shapes":  # jaxtyping, in the tests only
            assert outside <= THIRD_PARTY, name
        assert not outside & {"plotly", "bokeh", "altair", "seaborn"}, name
    assert "plotly" not in (SOURCE.parent.parent / "pyproject.toml").read_text()


def test_a_bare_import_loads_nothing_and_the_names_load_torch_and_numpy_only():
    code = """
import sys
before = set(sys.modules)
import localmixup
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
import torch, numpy
before = set(sys.modules)
for name in localmixup.__all__:
    getattr(localmixup, name)
new = set(sys.modules) - before
print(sorted({name.split(".")[0] for name in new} - set(sys.stdlib_module_names)))
print(sorted(name for name in new if name.startswith(("torch._dynamo", "torch._inductor"))))
"""
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == ["['localmixup']", "['localmixup']", "[]"]


@pytest.mark.slow
def test_a_wheel_installs_and_imports_in_an_empty_environment(tmp_path):
    root = SOURCE.parent.parent
    environment = {k: v for k, v in os.environ.items() if k not in ("LOCALMIXUP_CHECK_SHAPES", "PYTHONPATH")}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, root], check=True)
    wheel = next(tmp_path.glob("localmixup-*.whl"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = root / "constraints.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", constraints, wheel], check=True)
    code = (
        "import localmixup, pathlib; localmixup.LocalMixup; "
        "print(localmixup.__version__, pathlib.Path(localmixup.__file__).with_name('py.typed').exists())"
    )
    run = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment}
    done = subprocess.run([python, "-c", code], check=True, **run)
    assert done.stdout.split() == [localmixup.__version__, "True"]
    done = subprocess.run([tmp_path / "empty" / "bin" / "localmixup"], check=False, **run)
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert "[lab]" in done.stderr
