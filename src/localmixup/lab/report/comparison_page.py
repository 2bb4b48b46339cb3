"""Write the page of a comparison, and its table as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from localmixup.lab.analysis.comparison import ComparedArm, Comparison
from localmixup.lab.analysis.questions import LOCAL, MIXUP
from localmixup.lab.analysis.sentences import next_step, question_of
from localmixup.lab.analysis.statistics import Mean
from localmixup.lab.analysis.wording import error_text, signed
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.handover import FRAMEWORKS, snippet
from localmixup.lab.models import describe_model
from localmixup.lab.report.comparison_figures import choice_figures, curve_figure, error_figure
from localmixup.lab.report.comparison_pictures import SEGMENTS, STRIP_SAMPLES, region_figures, strip_figures
from localmixup.lab.report.page import write_page
from localmixup.lab.runs.optimizers import describe_optimizer
from localmixup.lab.runs.scores import NAMES
from localmixup.lab.runs.store import Record

_DIFFER = 0.5  # points between accuracy and balanced accuracy that are worth a sentence


def step_of(comparison: Comparison) -> str:
    """Return what to do where nothing can be told; empty if something can."""
    decision = comparison.decision
    return next_step(decision.use, comparison.contrasts[decision.contrast])


def write_comparison(
    path: Path, comparison: Comparison, records: Mapping[str, Record], data: DataSet, prepared: Prepared
) -> None:
    """Write the page of a comparison.

    Args:
        path: path of the HTML file.
        comparison: what was found.
        records: the records behind it, by key.
        data: the data as they were read.
        prepared: the data that the arms were trained on.
    """
    write_page(
        path,
        "comparison.html.j2",
        c=comparison,
        code=code_of(comparison),
        code_title=code_title(comparison),
        step=step_of(comparison),
        frameworks={FRAMEWORKS[name]: snippet(comparison.recipe, name, task=comparison.task) for name in FRAMEWORKS},
        table_head=head(comparison),
        table=[cells(row, comparison) for row in comparison.rows],
        score_head=score_head(comparison),
        scores=[score_cells(row, comparison) for row in comparison.rows],
        balanced=balanced_accuracy(comparison),
        answer_head=ANSWER_HEAD,
        answers=answers(comparison),
        errors=error_figure(comparison),
        choices=choice_figures(comparison, records),
        curves=curve_figure(comparison, records),
        regions=region_figures(comparison, records, prepared),
        segments=SEGMENTS,
        strip=strip_figures(data, prepared),
        strip_samples=STRIP_SAMPLES,
        model=describe_model(comparison.training.model),
        optimizer=describe_optimizer(comparison.training),
        augmentation=AUGMENTATIONS[comparison.training.augmentation],
        specification=json.dumps(
            comparison.model_dump(mode="json", exclude={"rows", "decision", "candidates"}), indent=1
        ),
    )


def code_of(comparison: Comparison) -> str:
    """Return the code that does what was decided, or tries what was ahead where nothing can be told.

    Args:
        comparison: what was found.
    """
    recipe = comparison.front if comparison.decision.use == "unclear" else comparison.recipe
    return snippet(recipe, "pytorch", task=comparison.task)


def code_title(comparison: Comparison) -> str:
    """Return what stands above the code."""
    if comparison.decision.use == "unclear":
        front = comparison.decision.front
        other = MIXUP if front == LOCAL else LOCAL
        return f"To try {front} all the same, in your training loop ({other} did no better on the rows that choose):"
    return "In your training loop:"


def head(comparison: Comparison) -> list[str]:
    """Return the column names of the table.

    Args:
        comparison: what was found.
    """
    measure = "test error, %" if comparison.unit == "%" else "test error (root mean square)"
    other = "negative log-likelihood" if comparison.unit == "%" else "mean absolute error"
    return ["method", measure, "difference from vanilla", other, "samples mixed", "seconds per training", "settings"]


def cells(row: ComparedArm, comparison: Comparison) -> list[str]:
    """Return one row of the table as text, for the terminal and the page.

    Args:
        row: a row of the comparison.
        comparison: what was found.
    """
    other = row.scores.get("nll" if comparison.unit == "%" else "mae", math.nan)
    return [
        row.label,
        error_text(row.error, comparison.decimals),
        interval_text(row.against_vanilla, comparison.decimals),
        f"{other:.3g}",
        f"{100 * row.mixed_share:.0f} %",
        f"{row.train_seconds:.1f}",
        row.settings,
    ]


def balanced_accuracy(comparison: Comparison) -> str:
    """Return accuracy and balanced accuracy of the three arms in one sentence, where they differ; else nothing.

    Args:
        comparison: what was found.
    """
    if comparison.unit != "%":
        return ""
    pairs = {
        row.label: (100 - row.error.mean, 100 * row.scores.get("balanced_accuracy", math.nan))
        for row in comparison.rows
        if row.kind == "arm"
    }
    if not any(abs(plain - balanced) >= _DIFFER for plain, balanced in pairs.values()):
        return ""
    found = "; ".join(f"{label} {plain:.1f} and {balanced:.1f} %" for label, (plain, balanced) in pairs.items())
    return f"Accuracy and balanced accuracy, which counts every class the same: {found}."


def interval_text(mean: Mean | None, decimals: int) -> str:
    """Return a difference with its interval; empty for None.

    >>> interval_text(Mean(-1.0, -1.5, -0.5), 2)
    '-1.00 (-1.50 to -0.50)'
    """
    if mean is None:
        return ""
    return f"{signed(mean.mean, decimals)} ({signed(mean.low, decimals)} to {signed(mean.high, decimals)})"


def score_head(comparison: Comparison) -> list[str]:
    """Return the column names of the table of all measures."""
    return ["method", *(NAMES[name] for name in comparison.rows[0].scores)]


def score_cells(row: ComparedArm, comparison: Comparison) -> list[str]:
    """Return one row of the table of all measures."""
    return [row.label, *(f"{row.scores[name]:.4g}" for name in comparison.rows[0].scores)]


ANSWER_HEAD = [
    "question", "compared", "difference", "corrected p", "better", "about equal", "worse", "detectable difference",
]  # fmt: skip
"""Column names of the answers."""


def answers(comparison: Comparison) -> list[list[str]]:
    """Return the answer to every question as text.

    Args:
        comparison: what was found.
    """
    found = []
    for c in comparison.contrasts.values():
        decimals = 3 if c.unit == "nll" else comparison.decimals
        found.append(
            [
                question_of(c),
                f"{c.one} {c.values[0]:.{decimals}f}, {c.other} {c.values[1]:.{decimals}f}",
                f"{signed(c.mean, decimals)} ({signed(c.low, decimals)} to {signed(c.high, decimals)}; "
                f"{100 * c.confidence:.3g} %)",
                f"{c.p:.2g}",
                *(f"{100 * share:.0f} %" for share in (c.better, c.equal, c.worse)),
                f"{c.detectable:.{decimals}f}",
            ]
        )
    return found
