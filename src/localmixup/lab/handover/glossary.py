"""The words of both commands and of their pages, explained for readers without statistics."""

from __future__ import annotations

from typing import NamedTuple

from localmixup._validate import check_choice


class Term(NamedTuple):
    """A word and what it means.

    Attributes:
        word: as it is printed.
        meaning: one to three sentences.
        commands: the commands that use it, of `"compare"` and `"inspect"`.
        tasks: the tasks in which it has this meaning, of `"classification"` and `"regression"`.
    """

    word: str
    meaning: str
    commands: tuple[str, ...]
    tasks: tuple[str, ...] = ("classification", "regression")


BOTH, COMPARE, INSPECT = ("compare", "inspect"), ("compare",), ("inspect",)
CLASSES, QUANTITIES = ("classification",), ("regression",)

TERMS = (
    Term(
        "Mixup",
        "A way to train: instead of a sample, the model sees a mixture of two, such as 70 % of one and 30 % of the "
        "other, and is asked for the same mixture of their two answers.",
        BOTH,
    ),
    Term("Vanilla training", "Training without mixup: every sample as it is.", BOTH),
    Term(
        "Local mixup",
        "Mixup of near samples only. Two samples that are far apart may have a sample of another class between them, "
        "and a mixture of the two is then labelled wrongly.",
        BOTH,
        CLASSES,
    ),
    Term(
        "Local mixup",
        "Mixup of near samples only. Between two samples that are far apart the target may bend, and the mixture of "
        "their two targets is then wrong.",
        BOTH,
        QUANTITIES,
    ),
    Term("Partner", "The sample that a sample is mixed with.", BOTH),
    Term(
        "Near, nearest",
        "Measured by the distance between the inputs, after every column (of images: every channel) was brought to "
        "mean 0 and standard deviation 1.",
        BOTH,
    ),
    Term(
        "Rank",
        "The place of a sample among the others when they are sorted by their distance. Ranks have no unit, so a "
        "recipe made of ranks fits inputs of any scale.",
        BOTH,
    ),
    Term(
        "Recipe",
        "All settings of the mixing together: with whom, how strongly, how many samples. It is the `LocalMixup` of the "
        "code, and stands in `local_mixup.json`.",
        BOTH,
    ),
    Term(
        "Samples mixed",
        "The share of the samples of a batch that are mixed with another one. The rest is trained on unchanged.",
        BOTH,
    ),
    Term(
        "Strength (mixup_alpha)",
        "How evenly two samples are mixed. At 1 all proportions are equally likely; at 0.2 one of the two mostly "
        "dominates.",
        BOTH,
    ),
    Term(
        "Confidence interval",
        "A range instead of a single number. With 95 % confidence means: of 100 such ranges, about 95 contain the true "
        "value. A wide range says that little is known.",
        BOTH,
    ),
    Term("Points", "Differences between percentages: from 5 % to 7 % is 2 points.", BOTH, CLASSES),
    Term(
        "Overlap",
        "The share of the real samples whose nearest other sample is of another class. It says how much the classes "
        "overlap without any mixing.",
        INSPECT,
        CLASSES,
    ),
    Term("Mixed sample", "A mixture of two real samples, with the mixture of their labels.", INSPECT, CLASSES),
    Term("Mixed sample", "A mixture of two real samples, with the mixture of their targets.", INSPECT, QUANTITIES),
    Term(
        "Intrusion",
        "A mixed sample intrudes if the real sample nearest to it is of a class that has no part in its label: it lies "
        "in the midst of a class that it does not belong to.",
        INSPECT,
        CLASSES,
    ),
    Term(
        "Within a class, between classes",
        "Whether the two samples that are mixed are of the same class or of two different ones.",
        INSPECT,
        CLASSES,
    ),
    Term(
        "Safe, harmful, unclear",
        "The verdict on mixup. Safe: mixtures of two samples of a class look like another class no more often than the "
        "samples themselves do, or hardly. Harmful: they do so clearly more often. Unclear: the measurement cannot "
        "tell, and a comparison has to.",
        INSPECT,
        CLASSES,
    ),
    Term(
        "Safe, harmful, unclear",
        "The verdict on mixup. Safe: the targets of mixed samples are about as exact as those of real samples. "
        "Harmful: they are clearly less exact. Unclear: the measurement cannot tell, and a comparison has to.",
        INSPECT,
        QUANTITIES,
    ),
    Term(
        "Score",
        "The number behind the verdict, in points: how much more often mixtures of two samples of a class look like "
        "another class than the samples themselves do. Up to 1 is safe, 3 and more is harmful.",
        INSPECT,
        CLASSES,
    ),
    Term(
        "Score",
        "The number behind the verdict, a ratio: the mean squared difference between the targets of mixed samples and "
        "what real samples say about the same place, over the one that the targets of real samples have themselves. "
        "Up to 1.1 is safe, 2 and more is harmful.",
        INSPECT,
        QUANTITIES,
    ),
    Term(
        "Candidate", "A setting that was tried. The best one is chosen on rows that do not judge afterwards.", COMPARE
    ),
    Term(
        "Resample",
        "One repetition of the whole experiment: the rows are divided again at random into some to train on and some "
        "to judge on. Several of them show how much the result depends on chance.",
        COMPARE,
    ),
    Term(
        "Test error",
        "The share of wrong answers on rows that were not trained on.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Test error",
        "The root mean square error on rows that were not trained on: a typical distance between the predicted and the "
        "true value, in the unit of the target.",
        COMPARE,
        QUANTITIES,
    ),
    Term(
        "Shown, not shown",
        "A difference is shown if its confidence interval does not contain zero. Not shown does not mean that there is "
        "none: the interval says how large it may still be.",
        COMPARE,
    ),
    Term(
        "Better, about equal, worse",
        "How probable it is that one method is better than the other, that the difference is too small to matter, and "
        "that it is worse. Too small to matter is a difference below the margin.",
        COMPARE,
    ),
    Term("Margin", "The largest difference that is taken as too small to matter.", COMPARE),
    Term(
        "Could have been seen",
        "The smallest difference that this number of resamples would have found in 4 of 5 cases. A smaller one may be "
        "there unseen.",
        COMPARE,
    ),
    Term(
        "Control",
        "A method that shares all but one property with local mixup. If it does as well, that property is not the "
        "reason.",
        COMPARE,
    ),
    Term(
        "Negative log-likelihood",
        "How good the predicted probabilities are: it is large where the model is sure and wrong. Lower is better.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Brier score",
        "The mean squared distance between the predicted probabilities and what happened. Lower is better.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Calibration error",
        "How far stated probabilities are from reality. A model whose answers given with 80 % are right in 80 % of the "
        "cases has none.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Balanced accuracy, macro F1",
        "Shares of right answers in which every class counts the same, however rare it is. Higher is better.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Area under the ROC curve",
        "How well the scores separate two classes: 1 is perfect, 0.5 is guessing.",
        COMPARE,
        CLASSES,
    ),
    Term(
        "Mean absolute error, R squared",
        "The mean distance between prediction and truth, and the share of the variation that the prediction explains "
        "(1 is perfect, 0 is as good as always predicting the mean).",
        COMPARE,
        QUANTITIES,
    ),
)
"""Every term, the general ones first."""

_NEXT = (
    "Back to [the reports](reports.md), whose words these are; how they are found: [`inspect`](inspect.md), "
    "[`compare`](compare.md)."
)
_TITLE = "# The words of the commands"
_INTRODUCTION = (
    "What `localmixup inspect` and `localmixup compare` print, explained without statistics. Every page that they "
    "write holds its own part of this list at its end."
)
_TASK = {CLASSES: " (with classes)", QUANTITIES: " (in a regression)", (*CLASSES, *QUANTITIES): ""}
_SECTIONS = {
    BOTH: "Both commands",
    INSPECT: "[`localmixup inspect`](inspect.md)",
    COMPARE: "[`localmixup compare`](compare.md)",
}


def terms_of(command: str, task: str) -> list[Term]:
    """Return the terms that a command and its page use.

    Args:
        command: `"compare"` or `"inspect"`.
        task: `"classification"` or `"regression"`.

    Raises:
        ArgumentError: another command or task.

    >>> [term.word for term in terms_of("inspect", "regression")][0]
    'Mixup'
    """
    check_choice("command", command, BOTH)
    check_choice("task", task, (*CLASSES, *QUANTITIES))
    return [term for term in TERMS if command in term.commands and task in term.tasks]


def glossary_page() -> str:
    """Return the page `docs/glossary.md`; a test keeps the file equal to it."""
    parts = [_TITLE, _INTRODUCTION]
    for commands, title in _SECTIONS.items():
        lines = [f"**{term.word}{_TASK[term.tasks]}.** {term.meaning}" for term in TERMS if term.commands == commands]
        parts += [f"## {title}", *lines]
    return "\n\n".join([*parts, _NEXT]) + "\n"
