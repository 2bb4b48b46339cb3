"""From a comparison to one HTML file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import plotly.offline
from markupsafe import Markup

from localmixup.graphs.fit import sample_distances
from localmixup.lab.analysis.comparison import Comparison, Row
from localmixup.lab.analysis.decisions import p_value
from localmixup.lab.data.augmentation import AUGMENTATIONS
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods import LOCAL
from localmixup.lab.models import MODELS
from localmixup.lab.report import figures, pictures
from localmixup.lab.report.figures import Figure
from localmixup.lab.runs.store import Record


def write_report(
    path: Path, comparison: Comparison, records: dict[str, Record], data: DataSet, prepared: Prepared
) -> None:
    """Write the report of a comparison.

    Args:
        path: of the HTML file.
        comparison: what was found.
        records: of its rows, by key.
        data: as read.
        prepared: as trained on.
    """
    labels = prepared.y.numpy() if prepared.task == "classification" else None
    sample = sample_distances(prepared.x, labels)
    drawn = [
        figures.errors(comparison),
        *(figures.choice(comparison, m) for m in comparison.grid if m in LOCAL and len(comparison.grid[m]) > 1),
        figures.curves(comparison, records),
        figures.distances(comparison, sample),
    ]
    settings = comparison.training
    write_page(
        path,
        "comparison.html.j2",
        drawn,
        c=comparison,
        table_head=head(comparison),
        table=[cells(row, comparison) for row in comparison.rows],
        figures={figure.name: figure for figure in drawn},
        choices=[figure for figure in drawn if figure.name.startswith("choice-")],
        regions=pictures.decision_regions(comparison, records, prepared),
        strip=pictures.strip(comparison, data, prepared),
        pairs_measured=f"{sample.n_pairs:,}",
        model=MODELS[settings.model],
        augmentation=AUGMENTATIONS[settings.augmentation],
        specification=json.dumps(comparison.model_dump(mode="json", exclude={"rows", "details", "verdict"}), indent=1),
    )


def write_page(path: Path, template: str, drawn: Sequence[Figure], **values: Any) -> None:
    """Write one self-contained HTML file.

    Args:
        path: of the file.
        template: its name in this folder.
        drawn: the interactive figures.
        values: for the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("localmixup.lab.report", ""), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template(template).render(
        **values,
        plotly=Markup(plotly.offline.get_plotlyjs()),
        data=Markup(json.dumps({f.name: json.loads(f.json) for f in drawn}).replace("</", "<\\/")),
    )
    partial = path.with_suffix(".part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def head(comparison: Comparison) -> list[str]:
    """Column names of the table.

    Args:
        comparison: what was found.
    """
    baselines = [row.label for row in comparison.rows if row.control_of is None and row.method in ("vanilla", "mixup")]
    unit = "test error" if comparison.unit == "%" else "test RMSE"
    columns = ["method", "chosen on validation", f"{unit} (95 %)", *(f"vs {label} (p)" for label in baselines)]
    return [*columns, "mixed", "ESS", "s / run"]


def cells(row: Row, comparison: Comparison) -> list[str]:
    """One line of the table, for the terminal and the page alike.

    Args:
        row: of the comparison.
        comparison: what was found.
    """
    baselines = [r.label for r in comparison.rows if r.control_of is None and r.method in ("vanilla", "mixup")]
    spread = "" if math.isnan(row.error.low) else f" ± {row.error.high - row.error.mean:.2g}"
    label = row.label.removeprefix(f"{row.control_of}: ")
    return [
        f"↳ control: {label}" if row.control_of else label,
        row.chosen,
        f"{_figures(row.error.mean, comparison)}{spread}",
        *(_difference(row, label) for label in baselines),
        f"{100 * row.mixed_share:.0f} %",
        f"{row.effective_sample_size:.2f}",
        f"{row.train_seconds:.1f}",
    ]


def _figures(value: float, comparison: Comparison) -> str:
    return f"{value:.2f}" if comparison.unit == "%" else f"{value:.4g}"


def _difference(row: Row, label: str) -> str:
    if label not in row.differences:
        return ""
    d, p = row.differences[label], row.p_holm[label]
    return f"{d.mean:+.2f}" + (
        "" if math.isnan(p) else f" ({p_value(p).removeprefix('p').replace('=', '').replace(' ', '')})"
    )
