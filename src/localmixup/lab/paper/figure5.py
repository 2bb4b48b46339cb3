"""Figure 5: the Lipschitz lower bound Q(D) of CIFAR-10 against the radius."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import Reading, reported
from localmixup.lab.paper.section import Answer, Section
from localmixup.lab.report.figure import Figure, Series, chart
from localmixup.lab.runs.events import Event

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""What the authors' script normalises the channels with. These deviations are not those of the pixels (0.247, ...)."""

_PER_CLASS = {"smoke": 20, "cpu": 500}


class Figure5(Item):
    """The Lipschitz bound."""

    name = "figure5"
    title = "Figure 5: the Lipschitz lower bound of CIFAR-10"
    claim = "Q(D) is 0.073 for vanilla training and 0.11 for mixup, and the radius tunes it smoothly in between"
    size = "all 50,000 training images, exact at every radius"
    protocols = ("paper",)
    default = "paper"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Compute the whole curve by one search."""
        from localmixup.geometry import lipschitz_lower_bound

        loaded = bench.data("cifar10")
        mean, deviation = (np.array(v, dtype=np.float32)[:, None, None] for v in (MEAN, DEVIATION))
        y = loaded.data.y

        def compute() -> dict[str, Any]:
            x = ((loaded.data.x.astype(np.float32) / 255 - mean) / deviation).reshape(len(y), -1)
            rows = np.arange(len(y))
            if bench.scale in _PER_CLASS:
                keep = _PER_CLASS[bench.scale]
                rows = np.sort(np.concatenate([np.flatnonzero(y == c)[:keep] for c in range(10)]))
            curve = lipschitz_lower_bound(x[rows], y[rows], kind="segment")
            return {
                "radii": [float(r) for r in curve.radius],
                "bounds": [float(q) for q in curve.value],
                "images": len(rows),
            }

        settings = (("normalised", "as in the authors' script"),)
        yield from bench.find(self.name, loaded, compute, settings=settings)

    def section(self, reading: Reading) -> Section:
        """Return the staircase, beside the paper's two ends."""
        stated = reported()["lipschitz_lower_bound_cifar10"]
        low, high = stated["vanilla_epsilon_0"], stated["mixup_epsilon_at_least_50"]
        figures, sentences, missing = [], [], []
        answers = []
        found = reading.found(self.name)
        for finding in found:
            radii, bounds, images = (finding.value[name] for name in ("radii", "bounds", "images"))
            figures.append(_figure(finding.spec.scale, images, radii, bounds, [low, high]))
            at_50 = max(q for r, q in zip(radii, bounds, strict=True) if r <= 50)
            agree = abs(bounds[0] - low) < 5e-4 and abs(bounds[-1] - high) < 5e-3
            sentences.append(
                f"{images:,} images: Q is {bounds[0]:.4f} for vanilla training (paper {low}), {at_50:.4f} at a "
                f"radius of 50 and {bounds[-1]:.4f} for mixup (paper {high}): "
                + ("both ends agree to the digits that the paper prints." if agree else "the ends do not agree.")
            )
            ours = f"{bounds[0]:.4f} and {bounds[-1]:.4f} ({images:,} images)"
            held = "holds" if agree else "does not hold"
            answers.append(Answer("Q(D) of vanilla training and of mixup on CIFAR-10", f"{low} and {high}", ours, held))
            if len(radii) > 1:
                sentences.append(
                    f"It is a staircase of {len(radii)} steps between {radii[1]:.1f} and {radii[-1]:.1f}, not smooth; "
                    "it says how steep a network must be that fits every virtual sample, nothing about the error."
                )
        if not found:
            missing.append("paper: not run")
        elif "full" not in {f.spec.scale for f in found}:
            missing.append(f"paper: not at full size ({self.size})")
        return self.reported(reading, sentences, figures=figures, missing=missing, answers=answers)


def _figure(scale: str, images: int, radii: list[float], bounds: list[float], ends: list[float]) -> Figure:
    series = [
        Series(
            "samples against segments, exact",
            [*radii, max(80.0, 1.1 * radii[-1])],
            [*bounds, bounds[-1]],
            kind="steps",
        ),
        Series("the paper's two ends", [0.0, 50.0], ends, kind="points"),
    ]
    title = f"Lower bound of the Lipschitz constant, {images:,} images of CIFAR-10"
    return chart(f"figure5-{scale}", title, "radius, in pixels normalised as in the authors' script", "Q(D)", series)
