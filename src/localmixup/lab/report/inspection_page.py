"""Write the page of an inspection, and its table as text."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from localmixup.lab.data.description import describe
from localmixup.lab.handover import INSPECTED_FILE, snippet
from localmixup.lab.inspection import Inspection, Suggested, coincident, describe_recipe, limits, percent, summary
from localmixup.lab.inspection.evidence import HIT_HEAD, evidence, hit_rates
from localmixup.lab.report import inspection_figures as figures
from localmixup.lab.report.figure import Figure
from localmixup.lab.report.images import drawable, image_figure
from localmixup.lab.report.page import write_page
from localmixup.lab.runs.store import versions

_WORST = 6
HEAD = [
    "recipe", "samples mixed in a batch", "mixtures within a class that look like another", "all mixtures that do",
    "samples ever mixed", "shift of the class shares",
]  # fmt: skip
HEAD_OF_TARGETS = ["recipe", "samples mixed in a batch", "error of mixed targets over that of neighbours", "ever mixed"]
_WORST_HEAD = ["row (class)", "mixed with", "share of the first", "their distance", "nearest real row", "at distance"]


def write_inspection(path: Path, found: Inspection, *, compare: str | None = None) -> None:
    """Write the page of an inspection.

    Args:
        path: path of the HTML file.
        found: from `localmixup.lab.inspection.inspect`.
        compare: the command that compares on these data, as one types it; by default made of their name.
    """
    write_page(
        path,
        "inspection.html.j2",
        found=found,
        code=snippet(found.taken.mix, "pytorch", task=found.data.task),
        sklearn_code=snippet(found.taken.mix, "sklearn", task=found.data.task),
        recipe_file=INSPECTED_FILE,
        compare=compare or f"localmixup compare {found.data.name}",
        suggestions=[(describe_recipe(found, one), snippet(one.mix, "pytorch", task=found.data.task), one.take)
                     for one in found.suggestions],
        table_head=head(found),
        table=rows(found),
        limits=limits(found),
        coincident=coincident(found),
        error="" if found.regions is None else percent(found.regions.error.value),
        shares=figures.share_figure(found),
        radii=figures.radius_figure(found),
        classes=figures.class_figure(found),
        plane=figures.plane_figure(found),
        worst=worst_figures(found),
        worst_head=_WORST_HEAD,
        worst_rows=worst_rows(found),
        hit_head=HIT_HEAD,
        hit_rows=hit_rates() if found.report is not None else [],
        area=evidence().get("area"),
        distances=figures.inspection_distances(found),
        evenness=figures.evenness_figure(found),
        kept=figures.kept_figure(found),
        lipschitz=figures.lipschitz_figure(found),
        shape=figures.shape_figure(found),
        read=describe(found.data, most=1000),
        numbers=json.dumps(summary(found), indent=1),
        versions=versions(),
    )  # fmt: skip


def head(found: Inspection) -> list[str]:
    """Return the headings of the table of `rows`.

    Args:
        found: an inspection.
    """
    return HEAD if found.report is not None else HEAD_OF_TARGETS


def rows(found: Inspection) -> list[list[str]]:
    """Return the table of the recipes as text, for the terminal and the page; mixup of all samples comes last.

    Args:
        found: an inspection.
    """
    taken = "the mildest, if you mix" if found.verdict.word == "harmful" else "take this one"
    return [_cells(one, taken) for one in [*found.suggestions, found.mixup]]


def _cells(one: Suggested, taken: str) -> list[str]:
    name = f"{one.title} ({taken})" if one.take else one.title
    if one.shift is None or one.error_of_all is None:
        return [name, percent(one.mixed_share), f"{one.error:.2f}", percent(one.coverage)]
    return [
        name,
        percent(one.mixed_share),
        percent(one.error),
        percent(one.error_of_all),
        percent(one.coverage),
        f"{100 * one.shift:.1f} points",
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
        first, second = f"{100 * lam:.0f} % of '{names[0]}'", f"{100 - 100 * lam:.0f} % of '{names[1]}'"
        caption = f"{first} and {second} look most like '{names[2]}'"
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
    s, row_of = found.report.samples, found.rows
    return [
        [
            f"{row_of[i]} ({names[0]})", f"{row_of[j]} ({names[1]})", percent(float(s.lam[row])),
            f"{s.distance[row]:.3g}", f"{row_of[k]} ({names[2]})", f"{s.nearest_distance[row]:.3g}",
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
        listed.append((int(row), indices, [found.class_of(index) for index in indices]))
    return listed
