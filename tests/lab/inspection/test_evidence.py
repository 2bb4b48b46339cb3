"""The table of hit rates counts what was measured, with the rule that is in force."""

from localmixup.lab.data.suite import SUITE
from localmixup.lab.inspection.evidence import HIT_HEAD, evidence, hit_rates
from localmixup.lab.inspection.verdict import word_for


def test_the_stored_words_are_those_of_the_rule_in_force_on_the_sets_that_judge_it():
    sets = evidence()["sets"]
    assert set(sets) == {n for n, one in SUITE.items() if one.half == "verdict" and one.task == "classification"}
    assert {name: one["word"] for name, one in sets.items()} == {
        name: word_for(one["score"], "classification") for name, one in sets.items()
    }


def test_the_hit_rates_count_every_set_once():
    sets, rows = evidence()["sets"].values(), hit_rates()
    assert all(len(row) == len(HIT_HEAD) for row in rows)
    assert [row[0] for row in rows] == ["safe", "harmful", "unclear"]
    counts = [[int(cell) for cell in row[1:]] for row in rows]
    assert sum(row[0] for row in counts) == len(sets)
    assert sum(row[1] for row in counts) == sum(one["harm"][1] > 0 for one in sets)
    assert all(total == shown + neither + gain for total, shown, _, neither, gain in counts)
