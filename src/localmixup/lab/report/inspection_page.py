"""From an inspection to one HTML file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import torch

from localmixup.geometry.intrusion import Rates, graph_with
from localmixup.lab.inspection import LIPSCHITZ_SAMPLES, Inspection, coincident, percent, reasons, summary
from localmixup.lab.report import inspection_figures as figures
from localmixup.lab.report.page import write_page
from localmixup.lab.report.pictures import CLASS_COLORS, Picture, image_uri, png_uri
from localmixup.lab.runs.store import versions

_WORST = 6
HEAD = ["graph", "mean weight", "intrusion (95 %)", "within class", "between", "contradiction", "disagreement"]


def write_inspection(path: Path, found: Inspection) -> None:
    """Write the report of an inspection.

    Args:
        path: of the HTML file.
        found: by `localmixup.lab.inspection.inspect`.
    """
    drawn = [figures.distances(found), *figures.strength(found), figures.shapes(found)]
    classes = None
    if found.report is not None:
        classes = figures.class_matrix(found)
        drawn += [*figures.rates(found), *([classes] if classes else [])]
    if curve := figures.lipschitz(found):
        drawn.append(curve)
    write_page(
        path, "inspection.html.j2", drawn,
        found=found, figures={figure.name: figure for figure in drawn}, table_head=HEAD, table=rows(found),
        reasons=reasons(found), coincident=coincident(found), classes=classes,
        worst=worst(found), worst_rows=worst_rows(found), plane=plane(found), percent=percent,
        lipschitz_samples=LIPSCHITZ_SAMPLES, shape_head=figures.SHAPE_HEAD,
        shape_rows=figures.shape_rows(found), numbers=json.dumps(summary(found), indent=1), versions=versions(),
    )  # fmt: skip


def rows(found: Inspection) -> list[list[str]]:
    """The table, for the terminal and the page alike: mixup and each suggested graph.

    Args:
        found: an inspection.
    """
    if found.report is None or found.suggestion is None:
        return []
    told = [("mixup, all pairs", found.report.rates(graph_with("decay", 0.0)))]
    for choice in found.suggestion.choices.values():
        rates = found.report.rates(graph_with(choice.parameter, choice.value))
        told.append((f"{choice.parameter} {choice.value:.4g}", rates))
    return [_cells(name, rates, found.report.exhaustive) for name, rates in told]


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


def worst(found: Inspection) -> list[Picture]:
    """For images, the worst virtual samples: one end, the mixed image, the other end, and the real one nearest to it.

    Args:
        found: an inspection.
    """
    data, report = found.data, found.report
    if report is None or data.kind != "image" or data.shape[0] not in (1, 3):
        return []
    names, s, pictures = data.class_names, report.samples, []
    for row in report.worst(_WORST):
        i, j, k = int(s.first[row]), int(s.second[row]), int(s.nearest[row, 0])
        lam = float(s.lam[row])
        a, b, near = found.inputs[i], found.inputs[j], found.inputs[k]
        tiles = torch.cat([a, lam * a + (1 - lam) * b, b, near], dim=2)
        kinds = [names[int(report.classes[report.labels[n]])] for n in (i, j, k)]
        caption = f"{lam:.2f} {kinds[0]} + {1 - lam:.2f} {kinds[1]}, nearest: {kinds[2]}"
        pictures.append(
            Picture(image_uri(tiles, data), caption, f"two images, their mixture and the nearest: {caption}")
        )
    return pictures


def worst_rows(found: Inspection) -> list[list[str]]:
    """The worst virtual samples of a table, in numbers.

    Args:
        found: an inspection.
    """
    report = found.report
    if report is None or found.data.kind == "image":
        return []
    names, s, told = found.data.class_names, report.samples, []
    for row in report.worst(_WORST):
        i, j, k = int(s.first[row]), int(s.second[row]), int(s.nearest[row, 0])
        kinds = [names[int(report.classes[report.labels[n]])] for n in (i, j, k)]
        told.append([f"{i} ({kinds[0]})", f"{j} ({kinds[1]})", f"{s.lam[row]:.2f}", f"{s.distance[row]:.3g}",
                     f"{k} ({kinds[2]})", f"{s.nearest_distance[row]:.3g}"])  # fmt: skip
    return told


def plane(found: Inspection) -> Picture | None:
    """For two-dimensional data, where the virtual samples lie: those that intrude, and the worst segments.

    Args:
        found: an inspection.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    report = found.report
    if report is None or found.features.shape[1] != 2:
        return None
    x, s = found.features.numpy(), report.samples
    figure = Canvas(figsize=(8.4, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    colors = np.array(CLASS_COLORS)[report.labels % len(CLASS_COLORS)]
    rng = np.random.default_rng(0)
    chosen = found.suggestion.choices.get("radius") if found.suggestion else None
    graphs = [("mixup, all pairs", graph_with("decay", 0.0))]
    if chosen is not None:
        graphs.append((f"radius {chosen.value:.3g}", graph_with("radius", chosen.value)))
    for axes, (title, graph) in zip(figure.subplots(1, len(graphs), squeeze=False)[0], graphs, strict=True):
        counted = s.share * report.weights(graph)
        some = rng.choice(len(counted), size=1500, p=counted / counted.sum())
        mixed = s.lam[some, None] * x[s.first[some]] + (1 - s.lam[some, None]) * x[s.second[some]]
        bad = s.intrudes[some] > 0
        axes.scatter(*x.T, c=colors, s=5, alpha=0.5, linewidths=0)
        axes.scatter(*mixed[~bad].T, c="#9aa4ae", s=4, alpha=0.5, linewidths=0)
        axes.scatter(*mixed[bad].T, c="black", s=9, marker="x", linewidths=0.8)
        axes.set_title(title, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    caption = (
        "real samples in colour, 1,500 virtual ones in grey; a cross intrudes on a class with no part in its label"
    )
    return Picture(png_uri(buffer.getvalue()), caption, "virtual samples in the plane, intruding ones marked")
