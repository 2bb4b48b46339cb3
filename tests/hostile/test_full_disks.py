"""Disks that are full, files that may not grow, folders that cannot be written, planted links: one line, no litter."""

import os
import subprocess
import sys

import pytest

from localmixup import ArgumentError
from localmixup.lab.files import check_writable, write_file

COMPARE = ["compare", "digits", "--resamples", "2", "--epochs", "1", "--jobs", "1", "--out"]


def test_a_planted_link_is_replaced_and_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    (tmp_path / "report.html").symlink_to(secret)
    write_file(tmp_path / "report.html", "page \udce9")
    assert secret.read_text() == "untouched"
    assert not (tmp_path / "report.html").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "secret"]


def test_a_file_that_is_too_large_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path; from localmixup.lab.files import write_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_file(Path(sys.argv[1]), 'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "page"], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert not list(tmp_path.iterdir())


def compare(out, folder, before=""):
    kept = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    command = f'{before} exec "$0" -m localmixup "$@"'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, *COMPARE, out], cwd=folder, capture_output=True, text=True, env=kept,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_store_that_may_not_grow_ends_in_one_line(tmp_path):
    assert compare("out", tmp_path, "ulimit -f 8;") == "error: --out out: cannot be written: disk I/O error"
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_in_one_line(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with pytest.raises(OSError, match="No space left"):
            write_file(disk / "page", "x" * 100_000)
        assert not list(disk.iterdir())
        (disk / "fill").write_bytes(bytes(60_000))
        assert "cannot be written: " in compare("disk/out", tmp_path)
        assert [path.name for path in disk.iterdir()] == ["fill"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_checking_a_folder_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("a" * 300)):
        with pytest.raises(ArgumentError, match=r"--out .*: cannot be written: "):
            check_writable(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
