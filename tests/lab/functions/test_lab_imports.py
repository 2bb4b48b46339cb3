"""Importing the lab stays light."""

import subprocess
import sys


def test_importing_the_lab_loads_nothing_heavy_and_names_its_functions():
    code = """
import sys, localmixup.lab as lab
assert not {"torch", "numpy", "pandas", "pydantic", "typer", "rich"} & set(sys.modules)
assert {"compare", "inspect"} <= set(dir(lab))
print(lab.compare.__module__, lab.inspect.__module__)
import localmixup.lab.cli.main, localmixup.lab.comparison, localmixup.lab.inspection
assert callable(lab.compare) and callable(lab.inspect)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["localmixup.lab.functions.comparing", "localmixup.lab.functions.inspecting"]
