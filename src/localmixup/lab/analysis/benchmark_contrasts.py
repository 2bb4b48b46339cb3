"""The contrasts of the benchmark: which arm is compared with which, over which sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN
from localmixup.lab.analysis.benchmark_labels import (
    CLASSICAL,
    KINDS,
    NEAR,
    OF_SET,
    OF_SET_AS_FAR,
    RECOMMENDED,
    REFERENCE,
    UNTOUCHED,
)
from localmixup.lab.analysis.benchmarked import Effect, SetResult
from localmixup.lab.analysis.over_sets import Overall, combined, effects_of
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.analysis.wording import p_text, signed

ALL, UNSEEN, SEEN = "all sets", "untouched sets", "sets with a part in the choice"
HARMFUL, OTHERS, ALIKE = "sets called harmful", "the other sets", "sets with the same learning rate"
WITH_CLASSES, UNSEEN_CLASSES = "sets with classes", "untouched sets with classes"
OTHER_CLASSES, UNCONTROLLED = "the other sets with classes", "sets but the controls"
_SPLIT = (ALL, UNSEEN, HARMFUL, OTHERS)
_CONTRASTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    # what, against, measure, over which sets; the first is the primary contrast
    (UNTOUCHED, "reference", "error", (ALL, UNSEEN, *KINDS.values(), UNCONTROLLED)),
    (RECOMMENDED, "reference", "error", (ALL,)),
    (LOCAL, "reference", "error", (ALL,)),
    (NEAR, "reference", "error", (ALL, UNSEEN)),
    (UNTOUCHED, VANILLA, "error", _SPLIT),
    (RECOMMENDED, VANILLA, "error", (ALL,)),
    (LOCAL, VANILLA, "error", (ALL,)),
    (MIXUP, VANILLA, "error", (ALL,)),
    (CLASSICAL, VANILLA, "error", _SPLIT),
    (NEAR, VANILLA, "error", (*_SPLIT, SEEN)),
    (OF_SET_AS_FAR, VANILLA, "error", _SPLIT),
    (UNTOUCHED, MIXUP, "error", (ALL, UNSEEN)),
    (LOCAL, MIXUP, "error", (ALL,)),
    ("winner", AS_OFTEN, "error", (ALL,)),
    ("winner", AS_FAR, "error", (ALL,)),
    (NEAR, UNTOUCHED, "error", (*_SPLIT, SEEN)),
    (NEAR, OF_SET, "error", _SPLIT),
    (NEAR, OF_SET_AS_FAR, "error", (*_SPLIT, ALIKE)),
    (OF_SET_AS_FAR, OF_SET, "error", _SPLIT),
    (OF_SET_AS_FAR, UNTOUCHED, "error", _SPLIT),
    (UNTOUCHED, VANILLA, "nll", (WITH_CLASSES, UNSEEN_CLASSES, OTHER_CLASSES)),
    (RECOMMENDED, VANILLA, "nll", (WITH_CLASSES,)),
    (LOCAL, VANILLA, "nll", (WITH_CLASSES,)),
    (MIXUP, VANILLA, "nll", (WITH_CLASSES,)),
    (CLASSICAL, VANILLA, "nll", (WITH_CLASSES,)),
    (NEAR, VANILLA, "nll", (WITH_CLASSES, UNSEEN_CLASSES, OTHER_CLASSES)),
    (OF_SET, VANILLA, "nll", (UNSEEN_CLASSES,)),
    (OF_SET_AS_FAR, VANILLA, "nll", (WITH_CLASSES, UNSEEN_CLASSES, OTHER_CLASSES)),
    (NEAR, UNTOUCHED, "nll", (WITH_CLASSES, UNSEEN_CLASSES, OTHER_CLASSES)),
    (NEAR, OF_SET, "nll", (WITH_CLASSES,)),
    (NEAR, OF_SET_AS_FAR, "nll", (WITH_CLASSES, ALIKE)),
    (OF_SET_AS_FAR, OF_SET, "nll", (WITH_CLASSES,)),
    (OF_SET_AS_FAR, UNTOUCHED, "nll", (WITH_CLASSES,)),
)


class Table(NamedTuple):
    """A table with its title, a remark, the column names and the rows."""

    title: str
    remark: str
    head: list[str]
    rows: list[list[str]]


def contrasts(results: Sequence[SetResult]) -> Table:
    """Return every contrast over all sets."""
    classes = [r for r in results if r.task == "classification"]
    parts = {
        ALL: results,
        UNSEEN: [r for r in results if r.untouched],
        SEEN: [r for r in results if not r.untouched],
        HARMFUL: [r for r in results if r.verdict == "harmful"],
        OTHERS: [r for r in results if r.verdict != "harmful"],
        UNCONTROLLED: [r for r in results if r.kind != "control"],
        # the learning rate of each arm is chosen on its own
        ALIKE: [r for r in results if _rate(r, NEAR) == _rate(r, OF_SET_AS_FAR)],
        WITH_CLASSES: classes,
        UNSEEN_CLASSES: [r for r in classes if r.untouched],
        OTHER_CLASSES: [r for r in classes if r.verdict != "harmful"],
        **{title: [r for r in results if r.kind == kind] for kind, title in KINDS.items()},
    }
    rows = [
        _contrast_row(one, other, measure, name, effects)
        for one, other, measure, names in _CONTRASTS
        for name in names
        if (effects := effects_of(parts[name], one, other, measure))
    ]
    return Table(
        "Contrasts over the sets",
        "In margins (of a likelihood, 5 % of that of the arm in the second column); negative is better, and brackets "
        "hold the 95 % interval of the mean over sets, from the hierarchical model; p is that of Wilcoxon's test. "
        "Where the two disagree, the difference is not shown. The first row is the primary contrast; the others are "
        'secondary and not corrected. "The other sets" are those that inspect does not call harmful.',
        [
            "what",
            "against",
            "measure",
            "sets",
            "mean difference",
            "p",
            "shown better / worse on (by the wider intervals)",
            "the mean is better / equal within a margin / worse",
            "the next set is better / equal / worse",
        ],
        rows,
    )


def _rate(result: SetResult, label: str) -> float:
    """Return the learning rate of an arm, NaN where a set was measured without it."""
    return next((arm.learning_rate for arm in result.arms if arm.label == label), math.nan)


def _contrast_row(one: str, other: str, measure: str, name: str, effects: Sequence[Effect]) -> list[str]:
    found = combined(effects)
    names = {"reference": REFERENCE, "winner": "the local arm preferred by the rows that choose"}
    return [
        names.get(one, one), names.get(other, other), {"error": "error", "nll": "negative log-likelihood"}[measure],
        f"{name} ({found.sets})", mean_text(found),
        "" if math.isnan(found.p) else p_text(found.p).removeprefix("p ").removeprefix("= "),
        better_and_worse(effects), _three(found.average), _three(found.following),
    ]  # fmt: skip


def better_and_worse(effects: Sequence[Effect]) -> str:
    """Return on how many sets an arm is shown to be better than another, and on how many worse."""
    return f"{_signs(e.interval() for e in effects)} ({_signs(e.widest_interval() for e in effects)})"


def _signs(intervals: Iterable[tuple[float, float]]) -> str:
    """Return how many intervals lie below zero, and how many above."""
    ends = list(intervals)
    return f"{sum(high < 0 for _, high in ends)} / {sum(low > 0 for low, _ in ends)}"


def mean_text(found: Overall) -> str:
    """Return the mean over sets with its interval."""
    return f"{signed(found.mean)} ({signed(found.low)} to {signed(found.high)})"


def _three(shares: tuple[float, float, float]) -> str:
    return f"{' / '.join(f'{100 * share:.0f}' for share in shares)} %"
