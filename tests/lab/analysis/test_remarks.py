"""What a comparison says beside the answers to its questions."""

import math

import numpy as np
from scipy import stats

from localmixup import LocalMixup
from localmixup.lab.analysis.comparison import Candidate
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Choice, Judged, contrasts_of
from localmixup.lab.analysis.remarks import of_probabilities, of_recipe, of_unasked
from localmixup.lab.analysis.resampled import Design, Estimate, Measured
from localmixup.lab.methods.recipe import recipe_spec


def test_the_interval_of_the_probabilities_is_that_of_student():
    told = of_probabilities("local mixup", (0.0788, 0.0668), Estimate(0.012, 0.004, 9.0, 10, 0.0, 0.0))
    low, high = stats.t(9, loc=0.012, scale=0.004).interval(0.95)
    assert f"is 0.079, and 0.067 without mixup: +0.012, between {low:+.3f} and {high:+.3f} with 95 %" in told


def asked(choice):
    """The questions about three arms of twelve resamples."""
    rng = np.random.default_rng(0)
    judged = {label: Judged(Measured(5 + rng.normal(size=12))) for label in (VANILLA, MIXUP, LOCAL)}
    return contrasts_of(judged, choice, Design(0.25, 2000), "%")


def test_local_mixup_ahead_without_a_question_is_told_only_if_its_interval_says_so():
    mixup_ahead = asked(Choice(0, 0, MIXUP, MIXUP))
    low, high = stats.t(9, loc=-0.61, scale=0.168).interval(0.95)
    ahead = Estimate(-0.61, 0.168, 9.0, 10, 0.0, 0.0)
    told = of_unasked("unclear", mixup_ahead, ahead, "%", 2)
    assert f"(-0.61 points, between {low:+.2f} and {high:+.2f} with 95 % confidence)" in told
    for other in (
        Estimate(-0.61, 0.3, 9.0, 10, 0.0, 0.0),
        Estimate(0.61, 0.168, 9.0, 10, 0.0, 0.0),
        Estimate(-0.61, math.nan, math.nan, 1, math.nan, math.nan),
    ):
        assert of_unasked("unclear", mixup_ahead, other, "%", 2) == ""
    assert of_unasked(MIXUP, mixup_ahead, ahead, "%", 2) == ""
    for choice in (Choice(0, 0, MIXUP, LOCAL), Choice(0, 0, VANILLA, LOCAL), Choice(0, 0, VANILLA, MIXUP)):
        assert of_unasked("unclear", asked(choice), ahead, "%", 2) == "", choice  # local mixup has faced vanilla


def test_the_recipe_of_the_user_is_told_apart_from_the_chosen_one():
    recipes = [recipe_spec(LocalMixup(prob=share).to_config()) for share in (0.1, 0.2, 0.3)]
    candidates = [
        Candidate(label="local mixup", settings="", spec=spec, validation_error=error, chosen=error == 2.0, keys=[])
        for spec, error in zip(recipes, (2.5, 2.0), strict=False)
    ]
    told = [of_recipe("--recipe my.json", candidates, spec, "%", 2) for spec in recipes]
    assert told == [
        "--recipe my.json had an error of 2.50 % on the rows that choose, where the local mixup of this table was chosen "
        "with 2.00 %.",
        "--recipe my.json is the local mixup of this table.",
        "",
    ]
