"""Figure 4: test error on the two spirals against the radius of a threshold graph, and the distances of the pairs."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch

from localmixup.lab.analysis.statistics import holm, mean_of, paired
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES, SpiralProtocol
from localmixup.lab.paper.reading import ArmResult, Reading, against, effect, groups, table_of
from localmixup.lab.paper.section import Chart, Section, Series, Table
from localmixup.lab.runs.spec import Arm, FindingSpec, MethodSpec, TrainingSpec

COUNTED = 20  # samples an update that count on average
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

    def run(self, bench: Bench) -> None:
        """All radii of all panels, then the other reductions and the controls."""
        protocol = PROTOCOLS[bench.protocol].spirals
        runs = bench.runs or SCALES[bench.scale].spiral_runs
        for panel, divisor in protocol.panels:
            loaded = bench.data(panel)
            spec = FindingSpec(
                item=self.name, protocol=bench.protocol, scale=bench.scale, panel=panel, data=loaded.spec
            )
            bench.find(spec, lambda loaded=loaded: distances(loaded))  # type: ignore[misc]
            bench.train(curve(bench, panel, loaded, protocol), max(1, runs // divisor))
            if len(protocol.reductions) > 1:
                others = [
                    arm
                    for reduction in protocol.reductions[1:]
                    for arm in curve(bench, panel, loaded, protocol, reduction=reduction)
                ]
                bench.train([*others, *scaled_controls(others)], max(1, runs // (10 * divisor)))

    def full_runs(self, panel: str) -> int:
        """A thousand, on either reading of the spirals."""
        return 1000

    def section(self, reading: Reading) -> Section:
        """The curves, the histograms, and whether the paper's three claims hold."""
        charts, tables, sentences = [], [], []
        for (protocol, scale, panel), group in groups(reading.of(self.name)).items():
            curves: dict[str, list[ArmResult]] = {}
            for r in group:
                curves.setdefault(r.arm.label, []).append(r)
            series = [_series(label, points) for label, points in curves.items() if label == MAIN]
            if panel == "spirals" or scale != "full":
                series += [_series(label, points) for label, points in curves.items() if label != MAIN]
            main = sorted(curves.get(MAIN, []), key=lambda r: r.arm.x or 0.0)
            runs = min((len(r.records) for r in main), default=0)
            title = f"{panel}: error against radius ({protocol}, {scale}, {runs:,} runs a radius)"
            name = f"figure4-{panel}-{protocol}-{scale}"
            charts.append(Chart(name, title, "radius (0 is vanilla training)", "test error, %", series))
            if {r.arm.x for r in main} != set(PROTOCOLS[protocol].spirals.radii):
                sentences.append(f"{panel}, {protocol} ({scale}): not all radii have finished runs yet.")
                continue
            tables.append(_table(main, self.full_runs(panel)))
            sentences += _claims(main, tables[-1], reading)
            for label, points in curves.items():
                if label != MAIN:
                    sentences.append(_beside(label, points, curves))
        charts += _histograms(reading)
        return Section(self.name, self.title, self.claim, tables, charts, [], sentences, self.missing(reading))


def _name(r: ArmResult, main: list[ArmResult]) -> str:
    if r.arm.x == 0:
        return "vanilla"
    return "mixup" if r is main[-1] else f"radius {r.arm.x:g}"


def _table(main: list[ArmResult], full_runs: int) -> Table:
    """One line a radius, each with its paired differences to both ends."""
    named = [
        ArmResult(r.arm.model_copy(update={"label": _name(r, main)}), r.wanted, r.records) for r in main
    ]  # fmt: skip
    updates = sorted({r.arm.training.updates for r in main})
    told = f"{updates[0]:,}" if len(updates) == 1 else f"{updates[0]:,} to {updates[-1]:,}"
    published = main[1].arm.method.method == "published-spirals"
    count = "all samples of a batch count" if published else f"{COUNTED} samples of a batch count on average"
    notes = [
        f"{count[0].upper()}{count[1:]}; {told} updates. All runs have the same draw of the spirals and the same test "
        f"set of 400: how much another draw would change is not in the intervals."
    ]
    title = f"{main[0].arm.panel}, {main[0].arm.training.model}"
    return table_of(named, full_runs=full_runs, title=title, notes=notes, chosen=lambda r: f"batch of {_batch(r)}")


def _batch(r: ArmResult) -> int:
    return round(COUNTED / (r.arm.method.kept_share or 1.0))


def _series(label: str, points: list[ArmResult]) -> Series:
    points = sorted(points, key=lambda r: r.arm.x or 0.0)
    means = [mean_of(r.errors) for r in points]
    several = len(points[0].records) > 1
    return Series(
        label,
        [float(r.arm.x or 0.0) for r in points],
        [m.mean for m in means],
        [m.low for m in means] if several else [],
        [m.high for m in means] if several else [],
        "line" if label == MAIN else "dashed",
    )


def _claims(main: list[ArmResult], table: Table, reading: Reading) -> list[str]:
    """The three claims of the paper, each tried."""
    first = main[0].arm
    chosen_on_validation = first.training.validation_share > 0
    name = "validation_error" if chosen_on_validation else "test_error"
    best = min(main[1:-1], key=lambda r: r.mean(name))
    label = _name(best, main)
    quartiles = [f.value["quartiles"] for f in reading.found("figure4") if f.spec.panel == first.panel]
    to_mixup, to_vanilla = (table.difference(label, end) for end in ("mixup", "vanilla"))
    ends = table.difference("mixup", "vanilla")
    by = "the validation split" if chosen_on_validation else "the test set, as in the paper and not corrected for that,"
    where = f"{first.panel}, {first.protocol} ({first.scale})"
    held = {-1: "holds", 0: "is not shown", 1: "does not hold, the opposite does"}
    words = [
        f"{where}: the best radius by {by} is {best.arm.x:g}, with {mean_of(best.errors).mean:.2f} %; against mixup "
        f"{against(to_mixup)}: the claim {held[effect(to_mixup)]}.",
        f"{where}: that radius against vanilla training {against(to_vanilla)}: the claim {held[effect(to_vanilla)]}; "
        f"mixup against vanilla training {against(ends)}: the claim {held[effect(ends)]}.",
    ]
    if quartiles:
        below = (best.arm.x or 0.0) < quartiles[0][0]
        words.append(
            f"{where}: the first quartile of the distances is {quartiles[0][0]:.3f}: the best radius is "
            f"{'below it, as claimed' if below else 'not below it, against the claim'}."
        )
    words.append(f"{where}, locality: {_locality(main, best)}")
    return words


def _locality(main: list[ArmResult], best: ArmResult) -> str:
    """What the curve can say of locality, by the way it was made."""
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


def _beside(label: str, points: list[ArmResult], curves: dict[str, list[ArmResult]]) -> str:
    """Another reduction, or a control, beside the main curve."""
    first = points[0].arm
    main = {r.arm.x: r for r in curves.get(first.control_of or MAIN, [])}
    pairs = []
    for r in sorted(points, key=lambda r: r.arm.x or 0.0):
        if r.arm.x and (other := main.get(r.arm.x)) and (seeds := sorted(set(r.records) & set(other.records))):
            errors = [[one.records[seed].outcome.test_error for seed in seeds] for one in (r, other)]
            pairs.append((r.arm.x, paired(*errors)))
    words = ", ".join(f"{x:g}: {d.mean:+.2f}" for x, d in pairs)
    shown = sum(p < 0.05 for p in holm([d.p for _, d in pairs]))
    note = (
        " Adam cancels a constant factor of the loss, so this control can only confirm that."
        if first.control_of
        else ""
    )
    return (
        f"{first.panel}, {first.protocol} ({first.scale}): {label} against {first.control_of or MAIN}, by radius: "
        f"{words} points; {shown} of {len(pairs)} differences are shown after Holm "
        f"({len(points[0].records)} runs).{note}"
    )


def _histograms(reading: Reading) -> list[Chart]:
    found = {f.spec.panel: f.value for f in reading.found("figure4")}
    charts = []
    for panel, value in found.items():
        edges = value["edges"]
        middle = [(a + b) / 2 for a, b in pairwise(edges)]
        total = sum(value["counts"])
        charts.append(
            Chart(
                f"figure4-distances-{panel}",
                f"{panel}: distances of all pairs of training samples",
                "distance",
                "share of the pairs, %",
                [Series("pairs", middle, [100 * c / total for c in value["counts"]], kind="bars")],
            )
        )
    return charts


def curve(
    bench: Bench, panel: str, loaded: Loaded, protocol: SpiralProtocol, *, reduction: str | None = None
) -> list[Arm]:
    """The arms of one curve, one a radius.

    Args:
        bench: tells protocol and scale.
        panel: name of the data.
        loaded: the data.
        protocol: how they are trained.
        reduction: of the weighted loss; default the protocol's first.
    """
    arms = []
    x = loaded.prepared.x
    rows = len(x) - round(len(x) * protocol.validation_share)
    near = torch.nn.functional.pdist(x.double())
    for k, radius in enumerate(protocol.radii):
        kept = float((near <= radius).double().mean())
        if radius == 0:
            size = COUNTED
        else:
            # of a random permutation one sample meets itself, and the others count if they are near
            size = protocol.batch_sizes[k] if protocol.batch_sizes else round(1 + (COUNTED - 1) / kept)
        epoch = math.ceil(rows / size) if protocol.last_batches else rows / size
        updates = protocol.updates or round((protocol.epochs or 0) * epoch)
        if bench.scale == "smoke":
            updates = max(20, updates // 100)
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
        arms.append(
            Arm(
                item="figure4",
                protocol=bench.protocol,
                scale=bench.scale,
                panel=panel,
                label=label,
                x=radius,
                data=loaded.spec,
                training=training,
                method=method,
            )
        )
    return arms


def scaled_controls(arms: list[Arm]) -> list[Arm]:
    """Mixup with the loss scaled as much as eq. (3) scales it: for arms whose reduction does not divide by the weights.

    The other control, mixup at the same mixed share, is mixup itself here: of the samples that count one is met by
    itself whatever the radius.

    Args:
        arms: of one or more curves.
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
    """Histogram of the distances of all pairs of the pool, and the share of them within each radius."""
    x = loaded.prepared.x.double()
    near = torch.nn.functional.pdist(x)
    counts, edges = np.histogram(near.numpy(), bins=_BINS)
    first, second = torch.triu_indices(len(x), len(x), offset=1)
    same = loaded.prepared.y[first] == loaded.prepared.y[second]
    radii = np.arange(0.25, 4.01, 0.25)
    within = [(near <= radius) for radius in radii]
    return {
        "counts": counts.tolist(),
        "edges": edges.tolist(),
        "quartiles": np.quantile(near.numpy(), [0.25, 0.5, 0.75]).tolist(),
        "radii": radii.tolist(),
        "kept": [float(w.double().mean()) for w in within],
        "same_class": [float(same[w].double().mean()) for w in within],
    }
