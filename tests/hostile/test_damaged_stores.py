"""A store that is damaged is refused in one line, or shows the numbers that were written."""

import contextlib
import random
import sqlite3
from contextlib import closing

import pytest

from localmixup import ArgumentError
from localmixup.lab.runs.experiment import FindingSpec
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec
from localmixup.lab.runs.store import Store

FEW, MANY = 60, 2000


def spec(seed):
    return RunSpec(
        data=DataSpec(name="d", fingerprint="f"), training=TrainingSpec(model="mlp", updates=20),
        method=MethodSpec(method="mixup"), seed=seed,
    )  # fmt: skip


SPECS = [spec(seed) for seed in range(60)]
FINDING = FindingSpec(item="figure5", protocol="paper", scale="full", panel="p", settings=())


def read(path):
    with closing(Store(path)) as store:
        errors = {key: record.outcome.test_error for key, record in store.get(SPECS).items()}
        return errors, [finding.value for finding in store.findings()], store.count()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "results.sqlite"
    with closing(Store(path)) as store:
        for k, one in enumerate(SPECS):
            store.add(one, Outcome(1.0, 2.0 + k / 7, 0.5, 1.0, 1.0, 1.0, [(10, 0.5, 3.0)] * 40, None))
        store.add_finding(FINDING, {"q": [1.0, 2.5]})
    return path, read(path)


def damage(content, draw):
    """Truncated, with flipped bits, with a zeroed page, or with digits exchanged."""
    kind, changed = draw.choice(["cut", "flip", "zero", "digit"]), bytearray(content)
    if kind == "cut":
        return changed[: draw.randrange(len(changed))]
    if kind == "zero":
        start = draw.randrange(len(changed) // 4096) * 4096
        changed[start : start + 4096] = bytes(4096)
    if kind == "flip":
        for _ in range(draw.choice([1, 5, 50])):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    if kind == "digit":
        digits = [k for k, byte in enumerate(changed) if 48 <= byte <= 57]
        for _ in range(draw.choice([1, 20])):
            changed[draw.choice(digits)] = draw.randrange(48, 58)
    return changed


def try_damages(whole, folder, first, count):
    path, (errors, findings, _) = whole
    content, refused = path.read_bytes(), 0
    for seed in range(first, first + count):
        damaged = folder / f"{seed}.sqlite"
        damaged.write_bytes(damage(content, random.Random(seed)))
        try:
            found_errors, found_findings, _ = read(damaged)
        except ArgumentError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017  # every seed is tried, whether it is refused or not
        else:
            assert found_errors.items() <= errors.items(), seed
            assert all(value in findings for value in found_findings), seed
        damaged.unlink()
    return refused


def test_a_damaged_store_never_shows_other_numbers(whole, tmp_path):
    assert try_damages(whole, tmp_path, 0, FEW) > FEW / 2


@pytest.mark.slow
def test_many_damaged_stores_never_show_other_numbers(whole, tmp_path):
    assert try_damages(whole, tmp_path, FEW, MANY) > MANY / 2


def test_a_changed_number_is_noticed_and_older_stores_are_taken_as_they_are(whole, tmp_path):
    path = tmp_path / "changed.sqlite"
    path.write_bytes(whole[0].read_bytes())
    change = "update localmixup_runs set outcome = replace(outcome, '2.0', '3.0')"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    with pytest.raises(ArgumentError, match=r"is damaged: the row .* is not as it was written"):
        read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from localmixup_digests")
    with pytest.raises(ArgumentError, match="is damaged"):
        read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("drop table localmixup_digests")
        connection.execute("delete from localmixup_meta where name = 'digests'")
    assert 3.0 in read(path)[0].values()


def test_passwords_are_not_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = [
        "postgresql+psycopg://lab:geheim@127.0.0.1:1/runs", "postgresql+psycopg://127.0.0.1:1/runs?password=geheim",
        "postgresql://lab:geheim@host:notaport/runs", "nosuch://lab:geheim@host/runs", "postgresql://lab:geheim@[::1/x",
    ]  # fmt: skip
    for url in urls:
        with pytest.raises(ArgumentError) as refused:
            Store(url)
        assert "geheim" not in str(refused.value)
        assert "\n" not in str(refused.value)
    for name in ("my%20data.sqlite", "what?.sqlite", "run%41.sqlite", "#a&b=c.sqlite"):
        with closing(Store(tmp_path / name)):
            pass
        assert (tmp_path / name).is_file()
    with contextlib.suppress(ArgumentError), closing(Store("nosuch/x.sqlite")):
        pytest.fail("its folder does not exist")
