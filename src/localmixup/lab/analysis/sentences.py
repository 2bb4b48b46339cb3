"""The decision of a comparison in words: a headline and one or two sentences for a reader without statistics."""

from __future__ import annotations

from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA, Contrast
from localmixup.lab.analysis.wording import decimals_of, signed

_WORDS = {VANILLA: "training without mixup", MIXUP: "mixup", LOCAL: "local mixup"}
_MOST_ASKED = 200  # resamples that a user may be asked for
_HEADLINES = {VANILLA: "Train without mixup", MIXUP: "Use mixup", LOCAL: "Use local mixup"}


def headline_of(use: str, contrast: Contrast) -> str:
    """Return the decision in words.

    Args:
        use: label of an arm, or `"unclear"`.
        contrast: whose answer decides.
    """
    if use in _HEADLINES:
        return _HEADLINES[use]
    if contrast.mean != contrast.mean or contrast.low != contrast.low:
        return "Cannot tell (at least 2 resamples are needed)"
    margin = amount(contrast.margin, contrast)
    if contrast.needed is None:
        return (
            f"Cannot tell (a difference of {margin} is too small for this many rows, in which "
            f"{amount(contrast.limit, contrast)} or more can be seen)"
        )
    return f"Cannot tell (a difference of {margin} needs about {contrast.needed:,} resamples)"


def next_step(use: str, contrast: Contrast) -> str:
    """Return what to do where nothing can be told; empty if something can.

    Args:
        use: label of an arm, or `"unclear"`.
        contrast: whose answer decides.
    """
    if use in _HEADLINES or contrast.needed is None:
        return ""
    if contrast.needed <= _MOST_ASKED:
        return (
            f"To find out, run localmixup compare with --resamples {contrast.needed}. Finished runs are not repeated."
        )
    return "So small a difference is hardly worth that many trainings: train as before."


def helps(c: Contrast) -> str:
    """Return that the first arm is better, with both errors and how sure the difference is."""
    return f"{_name(c.one)} {_fewer(c)} than {_WORDS[c.other]}: {_values(c)}."


def of_mixup(locality: Contrast) -> str:
    """Return what is known of local mixup where mixup is used."""
    if locality.other == VANILLA:
        return "Local mixup does not do better than that on the rows that choose."
    if locality.shown > 0:
        return f"Local mixup is worse: {_values(locality)}."
    return f"Local mixup is not shown to be better still ({_range(locality)})."


def equal_or_not(locality: Contrast) -> str:
    """Return what is known of local mixup against mixup where local mixup is used for beating vanilla training."""
    return (
        f"Whether it is better than mixup cannot be told ({_range(locality)}); it did better on the rows that choose."
    )


def calibrated(front: Contrast, calibration: Contrast) -> str:
    """Return that the error stays and the probabilities get better."""
    return (
        f"{_name(front.one)} does not make the error larger by more than {amount(front.margin, front)} "
        f"({_range(front)}), and its probabilities are better than those of {_WORDS[front.other]}: the negative "
        f"log-likelihood is {_values(calibration)}."
    )


def worse_probabilities(calibration: Contrast) -> str:
    """Return that the price of fewer errors is worse probabilities."""
    return (
        f"Its probabilities are worse than without mixup, though: the negative log-likelihood is "
        f"{_values(calibration)}. Where you need probabilities, calibrate them afterwards."
    )


def of_harm(mixup: Contrast, locality: Contrast) -> str:
    """Return that mixup is worse than vanilla training, and what is known of local mixup."""
    more = "makes more errors" if mixup.unit == "%" else "has a larger error"
    told = f"Mixup {more} than training without mixup: {_values(mixup)}."
    if locality.other == VANILLA:
        word = "is worse too" if locality.shown > 0 else "is not shown to be better"
        return f"{told} Local mixup {word} than training without mixup ({_range(locality)})."
    return told


def no_gain(local: Contrast, mixup: Contrast) -> str:
    """Return that nothing is gained by mixing."""
    gains = " and ".join(f"{_WORDS[c.one]} against {_WORDS[c.other]}: {_range(c)}" for c in (mixup, local))
    return (
        f"Neither mixup nor local mixup makes the error smaller by more than {amount(mixup.margin, mixup)} ({gains})."
    )


def nothing_seen(front: Contrast, calibration: Contrast | None) -> str:
    """Return how large the difference may be where nothing can be told."""
    told = (
        f"The difference between {_WORDS[front.one]} and {_WORDS[front.other]} is too small to be seen here: "
        f"{_range(front)}. {_name(front.one)} is better with a probability of {100 * front.better:.0f} %, about equal "
        f"with {100 * front.equal:.0f} % and worse with {100 * front.worse:.0f} %."
    )
    if calibration is not None and calibration.shown < 0:
        told += (
            f" The probabilities of {_WORDS[calibration.one]} are better, with a negative log-likelihood of "
            f"{_values(calibration)}, but a larger error is not excluded."
        )
    if calibration is not None and calibration.shown > 0:
        told += (
            f" The probabilities of {_WORDS[calibration.one]} are worse, with a negative log-likelihood of "
            f"{_values(calibration)}."
        )
    return f"{told} Changing nothing in your training is safe."


def question_of(c: Contrast) -> str:
    """Return what a contrast asks."""
    if c.unit == "nll":
        return f"Are the probabilities of {_WORDS[c.one]} better than those of {_WORDS[c.other]}?"
    return f"Is {_WORDS[c.one]} better than {_WORDS[c.other]}?"


def answer(c: Contrast) -> str:
    """Return the answer to one question: yes, no or not shown, with the numbers."""
    word = {-1: "Yes", 1: "No, worse", 0: "Not shown"}[c.shown]
    of = f"{c.one} {c.values[0]:.{_decimals(c)}f}, {c.other} {c.values[1]:.{_decimals(c)}f}"
    odds = ", ".join(
        f"{100 * share:.0f} % {name}"
        for share, name in ((c.better, "better"), (c.equal, "about equal"), (c.worse, "worse"))
    )
    return f"{word}: {of}; {_range(c)} ({odds})."


def amount(value: float, c: Contrast) -> str:
    """Return a difference with its unit."""
    if c.unit == "%":
        return f"{value:.2g} points" if abs(value) < 1 else f"{value:.1f} points"
    return f"{value:.{_decimals(c)}f}"


def _name(label: str) -> str:
    return _WORDS[label].capitalize()


def _fewer(c: Contrast) -> str:
    return "makes fewer errors" if c.unit == "%" else "has a smaller error"


def _decimals(c: Contrast) -> int:
    return decimals_of(c.unit, max(c.values)) if c.unit != "nll" else 3


def _values(c: Contrast) -> str:
    unit = " %" if c.unit == "%" else ""
    one, other = (f"{value:.{_decimals(c)}f}{unit}" for value in c.values)
    return f"{one} instead of {other} ({_range(c)})"


def _range(c: Contrast) -> str:
    """A difference with its interval: what is most likely, and what is not excluded."""
    unit = " points" if c.unit == "%" else ""
    mean, low, high = (signed(value, _decimals(c)) for value in (c.mean, c.low, c.high))
    return f"{mean}{unit}, between {low} and {high} with {100 * c.confidence:.3g} % confidence"
