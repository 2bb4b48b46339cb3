"""Write the page of an inspection, and its table as text."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from localmixup import CompleteGraph
from localmixup.geometry import Rates
from localmixup.lab.inspection import LIPSCHITZ_SAMPLES, Inspection, coincident, percent, reasons, summary
from localmixup.lab.report import inspection_figures as figures
from localmixup.lab.report.figure import Figure
from localmixup.lab.report.images import drawable, image_figure
from localmixup.lab.report.page import write_page
from localmixup.lab.runs.store import versions

_WORST = 6
HEAD = ["graph", "mean weight", "intrusion (95 %)", "within class", "between", "contradiction", "disagreement"]
_WORST_HEAD = ["row (class)", "mixed with", "lam", "distance", "nearest", "at distance"]


def write_inspection(path: Path, found: Inspection) -> None:
    """Write the page of an inspection.

    Args:
        path: path of the HTML file.
        found: from `localmixup.lab.inspection.inspect`.
    """
    write_page(
        path,
        "inspection.html.j2",
        found=found,
        table_head=HEAD,
        table=rows(found),
        reasons=reasons(found),
        coincident=coincident(found),
        overlap="" if found.report is None else percent(found.report.overlap.value),
        rates=figures.rate_figures(found),
        classes=figures.class_figure(found),
        plane=figures.plane_figure(found),
        worst=worst_figures(found),
        worst_head=_WORST_HEAD,
        worst_rows=worst_rows(found),
        distances=figures.inspection_distances(found),
        evenness=figures.evenness_figure(found),
        kept=figures.kept_figure(found),
        lipschitz=figures.lipschitz_figure(found),
        lipschitz_samples=LIPSCHITZ_SAMPLES,
        shape=figures.shape_figure(found),
        numbers=json.dumps(summary(found), indent=1),
        versions=versions(),
    )


def rows(found: Inspection) -> list[list[str]]:
    """Return the table as text, for the terminal and the page: mixup and each suggested graph.

    Args:
        found: an inspection.
    """
    if found.report is None or found.suggestion is None:
        return []
    graphs = {f"{g.parameter} {g.value:.4g}": g.graph for g in found.suggestion.graphs.values()}
    return [
        _cells(name, found.report.rates(graph), found.report.exhaustive)
        for name, graph in [("mixup, all pairs", CompleteGraph()), *graphs.items()]
    ]


def _cells(name: str, rates: dict[str, Rates], exact: bool) -> list[str]:
    mixed = rates["all"]
    spread = "" if exact else f" ({percent(mixed.intrusion.low)} to {percent(mixed.intrusion.high)})"
    return [
        name,
        percent(mixed.mean_weight),
        f"{percent(mixed.intrusion.value)}{spread}",
        percent(rates["within"].intrusion.value),
        percent(rates["between"].intrusion.value),
        percent(mixed.contradiction.value),
        percent(mixed.disagreement.value),
    ]


def worst_figures(found: Inspection) -> list[Figure]:
    """Return, for images, the worst virtual samples: one end, the mixture, the other end, and the nearest real image.

    Args:
        found: an inspection.
    """
    if found.report is None or not drawable(found.data):
        return []
    drawn = []
    for place, (row, (i, j, k), names) in enumerate(_worst(found)):
        lam = float(found.report.samples.lam[row])
        a, b, nearest = found.inputs[i], found.inputs[j], found.inputs[k]
        image = torch.cat([a, lam * a + (1 - lam) * b, b, nearest], dim=2)
        caption = f"{lam:.2f} {names[0]} + {1 - lam:.2f} {names[1]}, nearest: {names[2]}"
        title = f"two images, their mixture and the nearest image: {caption}"
        drawn.append(image_figure(f"worst-{place}", title, caption, image))
    return drawn


def worst_rows(found: Inspection) -> list[list[str]]:
    """Return the worst virtual samples of a table, in numbers; nothing for images.

    Args:
        found: an inspection.
    """
    if found.report is None or found.data.kind == "image":
        return []
    s = found.report.samples
    return [
        [
            f"{i} ({names[0]})", f"{j} ({names[1]})", f"{s.lam[row]:.2f}", f"{s.distance[row]:.3g}",
            f"{k} ({names[2]})", f"{s.nearest_distance[row]:.3g}",
        ]
        for row, (i, j, k), names in _worst(found)
    ]  # fmt: skip


def _worst(found: Inspection) -> list[tuple[int, tuple[int, int, int], list[str]]]:
    """Rows of the worst virtual samples, with the indices and classes of both ends and of the nearest real sample."""
    report = found.report
    if report is None:
        return []
    s, listed = report.samples, []
    for row in report.worst(_WORST):
        indices = int(s.first[row]), int(s.second[row]), int(s.nearest[row, 0])
        names = [found.data.class_names[int(report.classes[report.labels[index]])] for index in indices]
        listed.append((int(row), indices, names))
    return listed
