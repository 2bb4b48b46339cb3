"""The decision and its words: what to use in each case that can occur."""

import re

import numpy as np
import pytest

from localmixup.lab.analysis.decisions import decide
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Choice, Judged, contrasts_of
from localmixup.lab.analysis.resampled import Design, Measured
from localmixup.lab.analysis.sentences import next_step, question_of


def arm(error, nll, seed, noise, unit):
    rng = np.random.default_rng(seed)
    values = error + noise * rng.normal(size=12)
    return Judged(Measured(values), None if unit != "%" else Measured(nll + 0.004 * rng.normal(size=12)))


def decision(vanilla, mixup, local, choice, *, nll=(0.5, 0.5, 0.5), noise=0.05, unit="%"):
    """Decide about three arms with these errors and log-likelihoods."""
    values = zip((VANILLA, MIXUP, LOCAL), (vanilla, mixup, local), nll, range(3), strict=True)
    judged = {label: arm(error, of_nll, seed, noise, unit) for label, error, of_nll, seed in values}
    contrasts = contrasts_of(judged, choice, Design(0.25, 2000), unit)
    return decide(contrasts, choice)


OVER_VANILLA, OVER_MIXUP = Choice(0, 0, VANILLA, LOCAL), Choice(0, 0, MIXUP, LOCAL)
MIXUP_AHEAD = Choice(0, 0, MIXUP, MIXUP)
BETTER, WORSE = (0.5, 0.4, 0.3), (0.5, 0.6, 0.7)


@pytest.mark.parametrize(("noise", "asks"), [(0.6, True), (3.0, False), (0.05, None)])
def test_the_next_step_where_nothing_can_be_told(noise, asks):
    arms = zip((VANILLA, LOCAL), (5, 5), (0, 1), strict=True)
    judged = {label: arm(error, 0.5, seed, noise, "%") for label, error, seed in arms}
    (locality, *_) = contrasts_of({**judged, MIXUP: judged[VANILLA]}, OVER_VANILLA, Design(0.0, 10**9), "%").values()
    step = next_step(LOCAL if asks is None else "unclear", locality)
    if asks is None:
        assert step == ""
    else:
        assert (f"--resamples {locality.needed}" in step) == asks == (locality.needed <= 200)


@pytest.mark.parametrize(
    ("errors", "choice", "options", "use", "words"),
    [
        ((5, 5, 3), OVER_VANILLA, {}, LOCAL, "Local mixup makes fewer errors than training without mixup: 3."),
        ((5, 4, 3), OVER_MIXUP, {}, LOCAL, "Local mixup makes fewer errors than mixup"),
        ((5, 3, 3.02), MIXUP_AHEAD, {}, MIXUP, "Local mixup is not shown to be better still"),
        ((5, 3, 4), MIXUP_AHEAD, {}, MIXUP, "Local mixup is worse"),
        # better than a mixup that harms, and still worse than nothing
        ((5, 8, 6), OVER_MIXUP, {}, VANILLA, "Mixup makes more errors than training without mixup"),
        ((5, 8, 5.02), OVER_VANILLA, {}, VANILLA, "Local mixup is not shown to be better than training without mixup"),
        ((5, 5, 5), OVER_VANILLA, {}, VANILLA, "Neither mixup nor local mixup makes the error smaller by more than 0.3"),
        ((5, 5, 5), OVER_VANILLA, {"nll": BETTER}, LOCAL, "its probabilities are better than those of training"),
        ((5, 5, 5), MIXUP_AHEAD, {"nll": BETTER}, MIXUP, "Mixup does not make the error larger by more than 0.3 points"),
        ((5, 5, 5), OVER_VANILLA, {"noise": 2.0}, "unclear", "Changing nothing in your training is safe."),
        ((5, 5, 5), OVER_VANILLA, {"noise": 2.0, "nll": BETTER}, "unclear", "but a larger error is not excluded"),
        ((5, 5, 5), OVER_VANILLA, {"noise": 2.0, "nll": WORSE}, "unclear", "The probabilities of local mixup are worse"),
        ((5, 5, 3), OVER_VANILLA, {"unit": "RMSE"}, LOCAL, "Local mixup has a smaller error than training without"),
    ],
)  # fmt: skip
def test_what_to_use(errors, choice, options, use, words):
    found = decision(*errors, choice, **options)
    assert found.use == use
    assert words in found.why
    headline = {LOCAL: "Use local mixup", MIXUP: "Use mixup", VANILLA: "Train without mixup"}
    assert found.headline == headline.get(use, found.headline)
    assert sum(found.probability.values()) == pytest.approx(1)
    low, high = found.difference[1:]
    assert low < found.difference[0] < high
    assert found.detectable > 0


def test_better_than_vanilla_but_not_than_mixup_is_told_as_that():
    found = decision(5.0, 4.8, 4.7, OVER_MIXUP, noise=0.1)
    assert found.use == LOCAL
    assert found.contrast == "mixing"
    assert "Whether it is better than mixup cannot be told" in found.why


def test_where_nothing_can_be_told_the_headline_says_what_it_would_take():
    few = decision(5, 5, 5, OVER_VANILLA, noise=0.5)
    assert few.use == "unclear"
    # without rows the bound of Nadeau and Bengio holds: no number of resamples is enough
    assert re.fullmatch(
        r"Cannot tell \(a difference of 0.\d+ points is too small .* [\d.]+ points or more can be seen\)", few.headline
    )
    rng = np.random.default_rng(5)
    rows = {label: 5 + rng.normal(size=(6, 1)) + rng.normal(size=(6, 4000)) for label in (VANILLA, MIXUP, LOCAL)}
    arms = {label: Judged(Measured(of.mean(axis=1), of)) for label, of in rows.items()}
    many = decide(contrasts_of(arms, OVER_VANILLA, Design(1.0, 4000), "%"), OVER_VANILLA)
    assert re.fullmatch(r"Cannot tell \(a difference of 0.\d+ points needs about [\d,]+ resamples\)", many.headline)


def test_a_single_resample_decides_nothing():
    arms = {label: Judged(Measured(np.array([1.0]))) for label in (VANILLA, MIXUP, LOCAL)}
    found = decide(contrasts_of(arms, OVER_VANILLA, Design(0.25, 100), "%"), OVER_VANILLA)
    assert found.use == "unclear"
    assert "at least 2 resamples" in found.headline


def test_questions_name_what_they_compare():
    judged = {label: arm(5, 0.5, seed, 0.1, "%") for seed, label in enumerate((VANILLA, MIXUP, LOCAL))}
    asked = [question_of(c) for c in contrasts_of(judged, OVER_MIXUP, Design(0.25, 2000), "%").values()]
    assert "Is local mixup better than mixup?" in asked
    assert "Is mixup better than training without mixup?" in asked
    assert "Are the probabilities of local mixup better than those of training without mixup?" in asked
