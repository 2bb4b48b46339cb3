"""The blocks of docs/elsewhere.md run as they stand where their library is installed: `dev.py compat elsewhere`."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch

PAGE = Path(__file__).parents[2] / "docs" / "elsewhere.md"
LIBRARIES = {
    "PyTorch Geometric": "torch_geometric",
    "MONAI": "monai",
    "torch-uncertainty": "torch_uncertainty",
    "Lightly": "lightly",
}


def block_of(title):
    section = PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.S)
    return code


@pytest.mark.parametrize("title", LIBRARIES)
@pytest.mark.filterwarnings("ignore")  # those of the libraries
def test_the_block_of_a_library_trains(title):
    if importlib.util.find_spec(LIBRARIES[title]) is None:
        pytest.skip(f"{LIBRARIES[title]} is not installed")
    torch.manual_seed(0)
    names = {}
    exec(compile(block_of(title), title, "exec"), names)
    assert names["loss"].ndim == 0
    assert torch.isfinite(names["loss"])
    names["loss"].backward()
    modules = [value for value in names.values() if isinstance(value, torch.nn.Module)]
    assert any(p.grad is not None and p.grad.any() for module in modules for p in module.parameters())


def test_every_library_has_a_block_that_imports_it():
    for title, name in LIBRARIES.items():
        assert f"{name}" in block_of(title)
