"""`localmixup benchmark`: wrong arguments are told before anything is trained, and nothing is left behind."""

import subprocess
import sys

import pytest

from localmixup.lab.benchmark.suite import SIZES
from localmixup.lab.cli import benchmark


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "wines"], "--suite must be all, small, or names with commas of"),
        (["--size", "200"], "--size must be one of '100', '300', '2000'"),
        (["--resamples", "1"], "--resamples must be"),
        (["--scheduler", "tcp://x:1"], "--scheduler needs --backend dask"),
    ],
)
def test_wrong_arguments_end_in_one_line(arguments, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "localmixup", "benchmark", *arguments], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_sizes_are_those_of_the_suite():
    assert tuple(map(str, SIZES)) == benchmark.SIZES
