"""Write the page of a comparison, and its table as text."""

from __future__ import annotations

import json
from pathlib import Path

from localmixup.graphs.fit import DistanceSample
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.analysis.table import BASELINES, Row
from localmixup.lab.analysis.wording import ESS, difference_cell, error_text
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.models import MODELS
from localmixup.lab.report.comparison_figures import (
    choice_figures,
    comparison_distances,
    curve_figure,
    error_figure,
)
from localmixup.lab.report.comparison_pictures import SEGMENTS, STRIP_SAMPLES, region_figures, strip_figures
from localmixup.lab.report.page import write_page
from localmixup.lab.runs.store import Record


def write_comparison(
    path: Path,
    comparison: Comparison,
    records: dict[str, Record],
    data: DataSet,
    prepared: Prepared,
    sample: DistanceSample,
) -> None:
    """Write the page of a comparison.

    Args:
        path: path of the HTML file.
        comparison: what was found.
        records: the records of its rows, by key.
        data: the data as they were read.
        prepared: the data that the methods were trained on.
        sample: distances of the training data.
    """
    write_page(
        path,
        "comparison.html.j2",
        c=comparison,
        table_head=head(comparison),
        table=[cells(row, comparison) for row in comparison.rows],
        errors=error_figure(comparison),
        choices=choice_figures(comparison),
        curves=curve_figure(comparison, records),
        distances=comparison_distances(comparison, sample),
        pairs_measured=sample.n_pairs,
        regions=region_figures(comparison, records, prepared),
        segments=SEGMENTS,
        strip=strip_figures(comparison, data, prepared),
        strip_samples=STRIP_SAMPLES,
        model=MODELS[comparison.training.model],
        augmentation=AUGMENTATIONS[comparison.training.augmentation],
        specification=json.dumps(comparison.model_dump(mode="json", exclude={"rows", "details", "verdict"}), indent=1),
    )


def head(comparison: Comparison) -> list[str]:
    """Return the column names of the table.

    Args:
        comparison: what was found.
    """
    unit = "test error" if comparison.unit == "%" else "test RMSE"
    columns = ["method", "chosen on validation", f"{unit} (95 %)"]
    return [*columns, *(f"vs {label} (p)" for label in _baselines(comparison)), "mixed", ESS, "s / run"]


def cells(row: Row, comparison: Comparison) -> list[str]:
    """Return one row of the table as text, for the terminal and the page.

    Args:
        row: a row of the comparison.
        comparison: what was found.
    """
    return [
        row.marked_label,
        row.chosen,
        error_text(row.error, comparison.decimals),
        *(difference_cell(row.differences.get(label), comparison.decimals) for label in _baselines(comparison)),
        f"{100 * row.mixed_share:.0f} %",
        f"{row.ess_ratio:.2f}",
        f"{row.train_seconds:.1f}",
    ]


def _baselines(comparison: Comparison) -> list[str]:
    return [label for label in BASELINES if comparison.row(label)]
