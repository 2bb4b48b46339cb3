"""`compare` and `paper run`, ended at random moments and started again: the same tables, one line, nothing left over.

Two kills of `compare` are always tried, in `tests/lab/cli/test_compare.py`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

from localmixup.lab.scratch import remove_stale, temporary_folder

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMPARE = ["compare", "pets.csv", "--target", "kind", "--resamples", "2", "--epochs", "10", "--jobs", "2"]
PAPER = ["paper", "run", "figure4", "--protocol", "paper", "--scale", "smoke", "--runs", "2", "--jobs", "2"]


def start(arguments, folder):
    environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
    return subprocess.Popen(
        [sys.executable, "-m", "localmixup", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**environment, "TMPDIR": str(folder / "tmp")}, start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tmp").mkdir()
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal() + 3 * (k % 2):.4f},{rng.normal():.4f},{'cat' if k % 2 else 'dog'}" for k in range(80)]
    (tmp_path / "pets.csv").write_text("size,age,kind\n" + "\n".join(rows) + "\n")
    return tmp_path


def without_times(numbers):
    if isinstance(numbers, dict):
        return {k: without_times(v) for k, v in numbers.items() if k != "train_seconds"}
    return [without_times(v) for v in numbers] if isinstance(numbers, list) else numbers


def table_of(kind, place, folder):
    if kind == "compare":
        return without_times(json.loads((folder / place / "comparison.json").read_text()))
    done = start(["paper", "report", "--store", place, "--out", "page"], folder)
    _, told = done.communicate()
    assert done.returncode == 0, told
    return (folder / "page" / "reproduction.md").read_text().partition("stored runs")[2]


def kill_many(kind, folder, count):
    """End the command `count` times, in ever new folders once it is through, and compare the tables of each."""
    arguments = [*COMPARE, "--out"] if kind == "compare" else [*PAPER, "--store"]
    began = time.perf_counter()
    whole = start([*arguments, "whole"], folder)
    _, told = whole.communicate()
    assert whole.returncode == 0, told
    lasted = time.perf_counter() - began
    expected = table_of(kind, "whole", folder)
    draw, place, kills, tables, early = random.Random(0), 0, 0, 0, 0
    while kills < count:
        number = SIGNALS[kills % 3]
        began = time.perf_counter()
        run = start([*arguments, f"out{place}"], folder)
        try:
            _, told = run.communicate(timeout=draw.uniform(0, lasted))
        except subprocess.TimeoutExpired:
            run.send_signal(number)
            _, told = run.communicate()
            kills += 1
            if number == signal.SIGINT and run.returncode == -signal.SIGINT:
                assert "localmixup/lab" not in told, told  # Python itself was still starting
                early += 1
            else:
                assert "Traceback" not in told, told
                assert run.returncode in (0, 130, -signal.SIGKILL, -signal.SIGTERM), told
        else:
            assert run.returncode == 0, told
            lasted = min(lasted, time.perf_counter() - began)
        if kills == count and run.returncode != 0:
            run = start([*arguments, f"out{place}"], folder)
            _, told = run.communicate()
            assert run.returncode == 0, told
        if run.returncode == 0:
            assert table_of(kind, f"out{place}", folder) == expected
            place, tables = place + 1, tables + 1
            print(f"{kind}: {kills} kills, {tables} tables, {early} before Python had started")
    assert not [path.name for path in (folder / "tmp").glob("localmixup-*")]
    return tables


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["compare", "paper"])
def test_a_hundred_kills(kind, folder):
    assert kill_many(kind, folder, 100) >= 1


def test_an_interrupt_while_the_workers_start(folder):
    """Then joblib's own cleaning up fails, which must neither be shown nor leave a worker or a file behind."""
    code = (
        "import os, signal, sys, threading\n"
        "start = threading.Thread.start\n"
        "def interrupted(thread):\n"
        "    if type(thread).__name__ == '_ExecutorManagerThread':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    start(thread)\n"
        "threading.Thread.start = interrupted\n"
        "from localmixup.lab.cli.main import main\n"
        f"sys.argv[1:] = {[*COMPARE, '--out', 'out']!r}\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stderr.splitlines()[-1].startswith("interrupted: ")
    assert not list((folder / "tmp").glob("localmixup-*"))


def test_workers_that_wait_end_with_a_parent_that_is_killed():
    code = (
        "import os, signal, joblib; from localmixup.lab.runs.engine import _leave_with\n"
        "work = joblib.Parallel(n_jobs=2, backend='loky', initializer=_leave_with, initargs=(os.getpid(), os.getcwd()))\n"
        "print(*set(work(joblib.delayed(os.getpid)() for _ in range(8))), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    workers = [int(number) for number in killed.stdout.split()]
    assert killed.returncode == -signal.SIGKILL
    assert workers
    waited = 0
    while any(os.path.exists(f"/proc/{worker}") for worker in workers) and waited < 100:
        time.sleep(1)  # without this they stay for five minutes
        waited += 1
    assert waited < 100


def test_a_folder_of_a_killed_process_is_removed_and_one_in_use_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, signal; from localmixup.lab.scratch import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'big').write_text('data'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("localmixup-*/big"))) == 1
    (tmp_path / "localmixup-of-another-program").mkdir()
    with temporary_folder() as folder:
        assert [path.name for path in tmp_path.iterdir()].count(folder.name) == 1
        assert not list(tmp_path.glob("localmixup-*/big"))
        remove_stale()
        assert folder.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["localmixup-of-another-program"]


def test_what_processes_shared_that_are_gone_is_removed(tmp_path, monkeypatch):
    from localmixup.lab import scratch

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = [f"sem.loky-{gone.pid}-a", f"joblib_memmapping_folder_{gone.pid}_1f_2e"]
    kept = [f"sem.loky-{os.getpid()}-b", f"joblib_memmapping_folder_{os.getpid()}_1f_2e", "sem.other"]
    for name in (*left, *kept):
        (tmp_path / name).mkdir() if name.startswith("joblib") else (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    monkeypatch.setattr(scratch, "_SHARED", tmp_path)
    remove_stale()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
