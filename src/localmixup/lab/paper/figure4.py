"""Figure 4: test error on the two spirals against the radius of a threshold graph, and the distances of the pairs."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from localmixup.lab.analysis.arms import ArmResult, both
from localmixup.lab.analysis.statistics import holm, mean_of, paired
from localmixup.lab.analysis.table import Table
from localmixup.lab.analysis.wording import LEVEL, effect
from localmixup.lab.data.prepared import training_rows
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES, SpiralProtocol
from localmixup.lab.paper.reading import Group, Reading, paper_table, series_of
from localmixup.lab.paper.section import PaperTable, Section
from localmixup.lab.report.figure import Figure, Series, chart
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

COUNTED = 20
"""Samples that count in an update, on average."""

MAIN = "local mixup"
_BINS = 50


class Figure4(Item):
    """Error against radius."""

    name = "figure4"
    title = "Figure 4: error against the radius on two spirals"
    claim = (
        "Local Mixup has a minimum error that is significantly smaller than mixup's, at a radius below the first "
        "quartile of the distances, and both are significantly better than vanilla training"
    )
    size = "1000 runs of every radius"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run all radii of all panels, then the other reductions and the controls."""
        protocol = PROTOCOLS[bench.protocol].spirals
        runs = bench.runs or SCALES[bench.scale].spiral_runs
        for panel, divisor in protocol.panels:
            loaded = bench.data(panel)
            yield from bench.find(self.name, loaded, lambda loaded=loaded: distances(loaded))  # type: ignore[misc]
            yield from bench.train(loaded, curve(bench, panel, loaded, protocol), max(1, runs // divisor))
            if len(protocol.reductions) > 1:
                others = [
                    arm
                    for reduction in protocol.reductions[1:]
                    for arm in curve(bench, panel, loaded, protocol, reduction=reduction)
                ]
                few = max(1, runs // (10 * divisor))
                yield from bench.train(loaded, [*others, *scaled_controls(others)], few)

    def full_runs(self, panel: str) -> int:
        """Return 1000, on either reading of the spirals."""
        return 1000

    def section(self, reading: Reading) -> Section:
        """Return the curves, the histograms, and whether the paper's three claims hold."""
        tables, figures, sentences = [], [], []
        found = {f.spec.panel: f.value for f in reading.found(self.name)}
        for group in reading.groups(self.name):
            curves: dict[str, list[ArmResult]] = {}
            for r in sorted(group.results, key=lambda r: r.arm.x or 0.0):
                curves.setdefault(r.arm.label, []).append(r)
            figures.append(_figure(group, curves))
            main = curves.pop(MAIN, [])
            if {r.arm.x for r in main} != set(PROTOCOLS[group.protocol].spirals.radii):
                sentences.append(f"{group.where}: not all radii have finished runs yet.")
                continue
            tables.append(_table(main, self.full_runs(group.panel)))
            sentences += _claims(group, main, tables[-1].table, found.get(group.panel))
            sentences += [_beside(group, label, points, {**curves, MAIN: main}) for label, points in curves.items()]
        figures += [_histogram(panel, value) for panel, value in found.items()]
        return self.reported(reading, sentences, tables=tables, figures=figures)


def _name(r: ArmResult, main: Sequence[ArmResult]) -> str:
    if r.arm.x == 0:
        return "vanilla"
    return "mixup" if r is main[-1] else f"radius {r.arm.x:g}"


def _table(main: Sequence[ArmResult], full_runs: int) -> PaperTable:
    """One row for each radius, with its paired differences to both ends."""
    updates = sorted({r.arm.training.updates for r in main})
    told = f"{updates[0]:,}" if len(updates) == 1 else f"{updates[0]:,} to {updates[-1]:,}"
    published = main[1].arm.method.method == "published-spirals"
    count = "All samples of a batch count" if published else f"{COUNTED} samples of a batch count on average"
    note = (
        f"{count}; {told} updates. All runs have the same draw of the spirals and the same test set of 400: how much "
        "another draw would change is not in the intervals."
    )
    named = [r.labelled(_name(r, main)) for r in main]
    return paper_table(named, full_runs=full_runs, notes=[note], chosen=lambda r: f"batch of {_batch(r)}")


def _batch(r: ArmResult) -> int:
    return round(COUNTED / (r.arm.method.kept_share or 1.0))


def _figure(group: Group, curves: Mapping[str, Sequence[ArmResult]]) -> Figure:
    main = curves.get(MAIN, [])
    shown = [label for label in curves if label == MAIN]
    if group.panel == "spirals" or group.scale != "full":
        shown += [label for label in curves if label != MAIN]
    series = [
        series_of(
            label,
            [float(r.arm.x or 0.0) for r in curves[label]],
            [r.errors for r in curves[label]],
            kind="line" if label == MAIN else "dashed",
        )
        for label in shown
    ]
    runs = min((len(r.records) for r in main), default=0)
    title = f"{group.panel}: error against radius ({group.protocol}, {group.scale}, {runs:,} runs per radius)"
    name = f"figure4-{group.panel}-{group.protocol}-{group.scale}"
    return chart(name, title, "radius (0 is vanilla training)", "test error, %", series)


def _claims(group: Group, main: Sequence[ArmResult], table: Table, found: Mapping[str, Any] | None) -> list[str]:
    """The three claims of the paper, each tested."""
    best = group.best_of(main[1:-1])
    label = _name(best, main)
    held = {-1: "holds", 0: "is not shown", 1: "does not hold, the opposite does"}

    def claim(one: str, other: str) -> str:
        return f"{table.against(one, other)}: the claim {held[effect(table.difference(one, other))]}"

    words = [
        f"{group.where}: the best radius by {group.chosen_by} is {best.arm.x:g}, with "
        f"{mean_of(best.errors).mean:.2f} %; against mixup {claim(label, 'mixup')}.",
        f"{group.where}: that radius against vanilla training {claim(label, 'vanilla')}; mixup against vanilla "
        f"training {claim('mixup', 'vanilla')}.",
    ]
    if found is not None:
        quartile = found["quartiles"][0]
        below = (best.arm.x or 0.0) < quartile
        words.append(
            f"{group.where}: the first quartile of the distances is {quartile:.3f}: the best radius is "
            f"{'below it, as claimed' if below else 'not below it, against the claim'}."
        )
    return [*words, f"{group.where}, locality: {_locality(main, best)}"]


def _locality(main: Sequence[ArmResult], best: ArmResult) -> str:
    """What the curve can say about locality, given how it was made."""
    mixup = main[-1]
    updates = {r.arm.training.updates for r in main}
    if best.arm.method.method == "published-spirals":
        return (
            "nothing, for no pair is left out: the weights scale the loss of the whole batch. What differs between the "
            f"radii is the batch, of {min(map(_batch, main))} to {max(map(_batch, main))} samples that all count, and "
            f"the number of updates, {min(updates):,} to {max(updates):,}."
        )
    told = (
        f"one of the samples that count meets itself at every radius, so mixup ({COUNTED} counted, "
        f"{100 * mixup.mean('mixed_share'):.0f} % mixed) is itself the control at the same mixed share as radius "
        f"{best.arm.x:g} ({100 * best.mean('mixed_share'):.0f} % mixed)"
    )
    if len(updates) == 1:
        return f"{told}; with equal updates the difference is that of locality."
    return (
        f"{told}; but updates differ, {best.arm.training.updates:,} against {mixup.arm.training.updates:,}, so the "
        "difference is not that of locality alone."
    )


def _beside(group: Group, label: str, points: Sequence[ArmResult], curves: Mapping[str, Sequence[ArmResult]]) -> str:
    """Another reduction, or a control, beside the main curve."""
    control_of = points[0].arm.control_of
    main = {r.arm.x: r for r in curves.get(control_of or MAIN, [])}
    pairs = {r.arm.x: both(r, main[r.arm.x]) for r in points if r.arm.x and r.arm.x in main}
    found = {x: paired(mine, others) for x, (mine, others) in pairs.items() if mine}
    words = ", ".join(f"{x:g}: {d.mean:+.2f}" for x, d in found.items())
    shown = [p < LEVEL for p in holm([d.p for d in found.values()])]
    unclear = [d for d, yes in zip(found.values(), shown, strict=True) if not yes and not math.isnan(d.low)]
    ends = [abs(end) for d in unclear for end in (d.low, d.high)]
    still = f"; where none is shown, up to {max(ends):.2f} points are not excluded" if ends else ""
    note = " Adam cancels a constant factor of the loss, so this control can only confirm that." if control_of else ""
    return (
        f"{group.where}: {label} against {control_of or MAIN}, by radius: {words} points; {sum(shown)} of "
        f"{len(shown)} differences are shown after Holm ({len(points[0].records)} runs){still}.{note}"
    )


def _histogram(panel: str, value: Mapping[str, Any]) -> Figure:
    middle = [(a + b) / 2 for a, b in pairwise(value["edges"])]
    share = [100 * count / sum(value["counts"]) for count in value["counts"]]
    title = f"{panel}: distances of all pairs of training samples"
    series = [Series("pairs", middle, share, kind="bars")]
    return chart(f"figure4-distances-{panel}", title, "distance", "share of the pairs, %", series)


def curve(
    bench: Bench, panel: str, loaded: Loaded, protocol: SpiralProtocol, *, reduction: str | None = None
) -> list[Arm]:
    """Return the arms of one curve, one for each radius.

    Args:
        bench: tells protocol and scale.
        panel: name of the data.
        loaded: the data.
        protocol: how they are trained.
        reduction: of the weighted loss; by default the protocol's first.
    """
    arms = []
    x = loaded.prepared.x
    rows = training_rows(len(x), protocol.validation_share)
    near = torch.nn.functional.pdist(x.double())
    for k, radius in enumerate(protocol.radii):
        size = COUNTED
        if radius > 0:
            # in a random permutation one sample on average meets itself, and the others count if they are near
            kept = float((near <= radius).double().mean())
            size = protocol.batch_sizes[k] if protocol.batch_sizes else round(1 + (COUNTED - 1) / kept)
        epoch = math.ceil(rows / size) if protocol.last_batches else rows / size
        updates = protocol.updates or round((protocol.epochs or 0) * epoch)
        if bench.scale == "smoke":
            updates = max(5, updates // 1000)
        training = TrainingSpec(
            model=protocol.model,
            pairs="batch",
            updates=updates,
            batch_size=COUNTED,
            optimizer="adam",
            learning_rate=1e-3,
            schedule="constant",
            weight_decay=0.0,
            reduction=reduction or protocol.reductions[0],  # type: ignore[arg-type]
            validation_share=protocol.validation_share,
            curve_points=1,
            regions=False,
        )
        method = MethodSpec(method="vanilla")
        if radius > 0:
            method = MethodSpec(method=protocol.method, parameter=radius, kept_share=COUNTED / size)
        label = MAIN if reduction is None else f"{MAIN}, {reduction}"
        arm = Arm(
            item="figure4", protocol=bench.protocol, scale=bench.scale, panel=panel, label=label, x=radius,
            data=loaded.spec, training=training, method=method,
        )  # fmt: skip
        arms.append(arm)
    return arms


def scaled_controls(arms: Sequence[Arm]) -> list[Arm]:
    """Return mixup with the loss scaled as much as eq. (3) scales it, for arms whose loss is a plain mean.

    The other control, mixup at the same mixed share, is mixup itself here: one of the samples that count meets itself,
    whatever the radius.
    """
    found = []
    for arm in arms:
        if arm.method.kept_share is None or arm.training.reduction != "mean":
            continue
        method = MethodSpec(method="mixup", loss_scale=round(arm.method.kept_share, 6))
        label = f"mixup, loss scaled as {arm.label} does"
        found.append(arm.model_copy(update={"method": method, "label": label, "control_of": arm.label}))
    return found


def distances(loaded: Loaded) -> dict[str, object]:
    """Return a histogram of the distances of all pairs of the pool, and the share of them within each radius."""
    x = loaded.prepared.x.double()
    near, order = torch.nn.functional.pdist(x).sort()
    counts, edges = np.histogram(near.numpy(), bins=_BINS)
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    same = (loaded.prepared.y[first] == loaded.prepared.y[second])[order].cumsum(0)
    radii = torch.arange(0.25, 4.01, 0.25, dtype=torch.float64)
    within = torch.searchsorted(near, radii, right=True)
    return {
        "counts": counts.tolist(),
        "edges": edges.tolist(),
        "quartiles": np.quantile(near.numpy(), [0.25, 0.5, 0.75]).tolist(),
        "radii": radii.tolist(),
        "kept": (within.double() / len(near)).tolist(),
        "same_class": (same[within - 1].double() / within).tolist(),
    }
