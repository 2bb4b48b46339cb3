"""Packages of the extras: imported on use, and named when they are missing."""

import sys

import pytest

from localmixup._optional import MissingPackageError, require


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gudhi", None)  # as if it were not installed
    with pytest.raises(MissingPackageError, match=r"gudhi is needed .*: pip install -e '\.\[geometry\]'"):
        require("gudhi", extra="geometry")


def test_an_error_inside_a_package_is_not_taken_for_a_missing_package(tmp_path, monkeypatch):
    (tmp_path / "package_with_a_broken_part.py").write_text("import something_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_it_needs") as caught:
        require("package_with_a_broken_part", extra="lab")
    assert not isinstance(caught.value, MissingPackageError)
