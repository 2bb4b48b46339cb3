"""The verdict follows the score, and says what the score is made of."""

import numpy as np
import pytest

from localmixup.geometry import class_regions, target_gap
from localmixup.graphs import CompleteGraph
from localmixup.lab.inspection.verdict import (
    FIRST_LINE,
    HARMFUL_FROM,
    HARMFUL_GAP,
    SAFE_GAP,
    SAFE_UP_TO,
    verdict_on_classes,
    verdict_on_targets,
    word_for,
)


@pytest.mark.parametrize(
    ("task", "low", "high"), [("classification", SAFE_UP_TO, HARMFUL_FROM), ("regression", SAFE_GAP, HARMFUL_GAP)]
)
def test_the_word_changes_at_the_limits_and_nowhere_else(task, low, high):
    assert low < high
    words = [word_for(score, task) for score in np.linspace(low - 5, high + 5, 101)]
    assert words == sorted(words, key=["safe", "unclear", "harmful"].index)
    assert [word_for(low, task), word_for(high, task)] == ["safe", "harmful"]
    assert word_for((low + high) / 2, task) == "unclear"


def test_the_score_with_classes_is_intrusion_within_classes_minus_the_error(inspected_rings, inspected_blobs):
    _, rings = inspected_rings
    report = class_regions(rings.features, rings.data.y, n_samples=500)
    verdict = verdict_on_classes(report)
    within, error = report.rates(CompleteGraph())["within"].value, report.error.value
    assert verdict.score == pytest.approx(100 * (within - error))
    assert verdict == rings.verdict
    assert (verdict.word, verdict.first_line) == ("harmful", "Mixup would harm here.")
    assert f"in {100 * within:.1f} % of the cases" in verdict.why
    _, blobs = inspected_blobs
    assert (blobs.verdict.word, blobs.verdict.score) == ("safe", 0)
    assert set(FIRST_LINE) == {"safe", "harmful", "unclear"}


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda x: x @ [1.0, 2.0], "safe"),
        (lambda x: np.sin(25 * x[:, 0]), "harmful"),
        (lambda x: 3.0 * (np.abs(np.hypot(*x.T) - 0.6) < 0.1), "harmful"),
    ],
    ids=["linear", "waves", "narrow ring"],
)
def test_made_up_functions_get_the_word_that_they_deserve(function, word):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (900, 2))
        verdict = verdict_on_targets(target_gap(x, function(x) + 0.1 * rng.normal(size=900), n_samples=4000))
        assert verdict.word == word
        assert f"{verdict.score:.2g} times" in verdict.why
