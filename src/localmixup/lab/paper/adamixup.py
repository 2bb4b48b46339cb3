"""Section 5.2, AdaMixUp: final errors and parameters on CIFAR-10 and MNIST; figure 6: convergence on MNIST."""

from __future__ import annotations

from localmixup.lab.analysis.statistics import mean_of
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import grid_of, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import (
    ArmResult,
    Reading,
    against,
    groups,
    locality,
    reported,
    sign_sentence,
    table_of,
)
from localmixup.lab.paper.section import Chart, Reported, Section, Series, Table
from localmixup.lab.paper.table1 import chosen
from localmixup.lab.runs.spec import MethodSpec

_PLAIN = {"AdaMixUp": "adamixup", "mixup": "mixup", "vanilla": "vanilla"}
_LEVELS = (10.0, 5.0, 2.0)


def run_panel(bench: Bench, item: str, name: str) -> None:
    """All methods on one data set; where the protocol has a grid, Local Mixup with each of its decays.

    Args:
        bench: tells protocol and scale.
        item: whose arms they are.
        name: of the recipe.
    """
    for panel in panels_of(bench, item, (name,)):
        training = panel.training()
        arms = [panel.arm(label, MethodSpec(method=method), training) for label, method in _PLAIN.items()]
        if panel.protocol.grid:
            arms += grid_of(panel, training)
        else:
            local = MethodSpec(method="local-exponential", parameter=panel.recipe.decay)
            arms.append(panel.arm("local mixup", local, training))
        panel.train(arms)


class AdaMixUp(Item):
    """The comparison with AdaMixUp on CIFAR-10."""

    name = "adamixup"
    title = "AdaMixUp and Local Mixup on CIFAR-10"
    claim = "Local Mixup has a lower error (3.89 against 4.11) at the same 1400 epochs, with far fewer parameters"
    size = "PreAct-ResNet-18, 1400 epochs, 5 runs"
    protocols = ("paper", "controlled")

    def full_runs(self, panel: str) -> int:
        """Five."""
        return 5

    def run(self, bench: Bench) -> None:
        """The paper's epochs, or, controlled, as many updates as table 1 has."""
        run_panel(bench, self.name, "adamixup-cifar10")

    def section(self, reading: Reading) -> Section:
        """Errors, and the parameters that are trained."""
        stated = reported()["adamixup_comparison_error_percent"]
        tables, sentences = [], []
        for (protocol, scale, panel), group in groups(reading.of(self.name)).items():
            tables.append(_table(group, "cifar10", self.full_runs(panel)))
            sentences += _compare(f"{panel}, {protocol} ({scale})", group, tables[-1], "cifar10")
            counts = {r.arm.label: next(iter(r.records.values())).outcome.parameters for r in group}
            words = ", ".join(f"{label} {count:,}" for label, count in counts.items())
            sentences.append(f"{panel}, {protocol} ({scale}), trained parameters: {words}.")
        numbers = stated["trainable_parameters_cifar10"]
        sentences.append(
            f"The paper's numbers of parameters on CIFAR-10, {numbers['local_mixup']:,} for Local Mixup and "
            f"{numbers['adamixup']:,} for AdaMixUp, are those of two other things: the first is AdaMixUp's network for "
            "MNIST, the second PreAct-ResNet-18 alone, the classifier of both methods."
        )
        return Section(self.name, self.title, self.claim, tables, [], [], sentences, self.missing(reading))


class Figure6(Item):
    """Convergence on MNIST."""

    name = "figure6"
    title = "Figure 6: convergence on MNIST"
    claim = "Local Mixup converges faster than AdaMixUp; after training 0.54 against 0.49 % error"
    size = "the MNIST network of AdaMixUp's repository, 400 epochs, 10 runs"
    protocols = ("paper", "controlled")

    def run(self, bench: Bench) -> None:
        """The error on the training data while training, and the test error after it."""
        run_panel(bench, self.name, "adamixup-mnist")

    def section(self, reading: Reading) -> Section:
        """Curves, and the errors after training."""
        tables, charts, sentences = [], [], []
        for (protocol, scale, panel), group in groups(reading.of(self.name)).items():
            tables.append(_table(group, "mnist", self.full_runs(panel)))
            sentences += _compare(f"{panel}, {protocol} ({scale})", group, tables[-1], "mnist")
            series = [_curve(r) for r in group]
            charts.append(
                Chart(
                    f"figure6-{protocol}-{scale}",
                    f"{panel}, {group[0].arm.training.model}: error on the training data ({protocol}, {scale})",
                    "updates",
                    "training error, %",
                    series,
                )
            )
            for level in _LEVELS:
                reached = {s.label: _updates_to(s, level) for s in series}
                words = ", ".join(f"{name} {'never' if u is None else f'{u:,.0f}'}" for name, u in reached.items())
                sentences.append(
                    f"{panel}, {protocol} ({scale}): updates until the training error is {level:g} %: {words}."
                )
        return Section(self.name, self.title, self.claim, tables, charts, [], sentences, self.missing(reading))


def _table(group: list[ArmResult], data: str, full_runs: int) -> Table:
    local = chosen(group)

    def value(result: ArmResult) -> Reported | None:
        stated = reported()["adamixup_comparison_error_percent"][data]
        if result is local:
            return Reported(*stated["local_mixup"])
        return Reported(*stated["adamixup"]) if result.arm.label == "AdaMixUp" else None

    return table_of(group, value, full_runs=full_runs, baselines=("vanilla", "mixup", "AdaMixUp"))


def _compare(where: str, group: list[ArmResult], table: Table, data: str) -> list[str]:
    local = chosen(group)
    if local is None or table.line("AdaMixUp") is None or table.line("mixup") is None:
        return [f"{where}: not all of the arms are finished."]
    stated = reported()["adamixup_comparison_error_percent"][data]
    gap = stated["local_mixup"][0] - stated["adamixup"][0]
    label = local.arm.label
    d = table.difference(label, "mixup")
    size = local.mean("effective_sample_size")
    return [
        f"{where}: " + sign_sentence(f"{label} against AdaMixUp", gap, table.difference(label, "AdaMixUp")),
        f"{where}, locality: {label} (effective sample size {size:.3f}) against mixup {against(d)}: {locality(d)}.",
    ]


def _curve(result: ArmResult) -> Series:
    outcomes = [record.outcome for record in result.records.values()]
    points = [int(point[0]) for point in outcomes[0].curve]
    means = [mean_of([o.train_errors[k] for o in outcomes]) for k in range(len(points))]
    several = len(outcomes) > 1
    return Series(
        result.arm.label,
        [float(p) for p in points],
        [m.mean for m in means],
        [m.low for m in means] if several else [],
        [m.high for m in means] if several else [],
    )


def _updates_to(series: Series, level: float) -> float | None:
    return next((x for x, y in zip(series.x, series.y, strict=True) if y <= level), None)
