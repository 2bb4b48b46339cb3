"""What the design promises about imports: a light library, and arrows that point one way."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "localmixup"
# each file of the library may import those before it
ORDER = [
    "_shapes", "_checks", "_arrays", "distances", "calibration", "graphs", "adaptive", "config", "state", "interpolation", "batch",
    "partners", "settings", "native", "mixing", "schedules", "pasting", "sequences", "manifold", "learned", "neighbors", "_cache", "pairs",
]  # fmt: skip
# rooms that stand on them, and may not know of each other nor of the lab
ROOMS = ["geometry", "theory"]


def imports_of(path):
    """Modules of this package that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "localmixup":
            parts = node.module.split(".")[1:]
            found |= {".".join([*parts, alias.name]) for alias in node.names} if not parts else {".".join(parts)}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".", 1)[1] for a in node.names if a.name.startswith("localmixup.")}
    return found


def test_every_file_of_the_library_stands_in_the_order():
    files = {p.stem for p in SOURCE.glob("*.py")} - {"__init__", "__main__", "cli"}
    assert files == set(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_the_library_imports_only_what_stands_before_it(name):
    allowed = set(ORDER[: ORDER.index(name)])
    imported = {module for module in imports_of(SOURCE / f"{name}.py") if module != "__version__"}
    assert imported <= allowed


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_stand_on_the_library_only(room):
    for path in (SOURCE / room).glob("*.py"):
        outside = {m for m in imports_of(path) if m.split(".")[0] != room}
        assert outside <= set(ORDER), path


@pytest.mark.parametrize("path", sorted((SOURCE / "integrations").glob("*.py")), ids=lambda p: p.name)
def test_an_integration_stands_on_the_library_and_on_no_other_one(path):
    # what starts with an underscore is no framework's, and may serve several
    helpers = {f"integrations.{p.stem}" for p in path.parent.glob("_*.py")}
    assert imports_of(path) <= {*ORDER, *helpers}


def test_the_lab_has_no_circles_and_only_its_commands_stand_above_it():
    lab = SOURCE / "lab"
    names = {path: ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in lab.rglob("*.py")}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    above = {name: {m for m in imports_of(path) if m.startswith("lab")} - {name} for path, name in names.items()}
    done = set()
    while above:
        free = {name for name, imported in above.items() if not (imported & set(above))}
        assert free, f"a circle of imports among {sorted(above)}"
        done |= free
        above = {name: imported for name, imported in above.items() if name not in free}
    assert "lab.commands" in done


def test_nothing_imports_the_command_line():
    for path in SOURCE.rglob("*.py"):
        if path.name not in ("__main__.py", "cli.py"):
            assert "cli" not in imports_of(path), path


def test_import_loads_torch_numpy_and_the_standard_library_only():
    code = """
import sys, torch, numpy
before = set(sys.modules)
import localmixup
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"localmixup", "torch", "numpy"}))
print(sorted(name for name in set(sys.modules) - before if name.startswith(("torch._dynamo", "torch._inductor"))))
"""
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


@pytest.mark.slow
def test_a_wheel_installs_and_imports_in_an_empty_environment(tmp_path):
    root = SOURCE.parent.parent
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, root], check=True)
    wheel = next(tmp_path.glob("localmixup-*.whl"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "empty"], check=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = root / "constraints.txt"
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", constraints, wheel], check=True)
    code = "import localmixup, pathlib; print(localmixup.__version__, pathlib.Path(localmixup.__file__).with_name('py.typed').exists())"
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.split() == [localmixup_version(), "True"]
    done = subprocess.run(
        [tmp_path / "empty" / "bin" / "localmixup"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert "pip install 'localmixup[lab]'" in done.stderr


def localmixup_version():
    import localmixup

    return localmixup.__version__
