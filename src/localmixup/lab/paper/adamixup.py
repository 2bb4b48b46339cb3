"""Section 5.2, AdaMixUp: final errors and parameters on CIFAR-10 and MNIST; figure 6: convergence on MNIST."""

from __future__ import annotations

from collections.abc import Generator

from localmixup.lab.analysis.arms import ArmResult
from localmixup.lab.analysis.table import BASELINES
from localmixup.lab.analysis.wording import locality
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import grid_of, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import Group, Reading, paper_table, reported, series_of, sign_sentence
from localmixup.lab.paper.section import PaperTable, Reported, Section
from localmixup.lab.paper.table1 import chosen
from localmixup.lab.report.figure import Series, chart
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.spec import MethodSpec

_PLAIN = {"AdaMixUp": "adamixup", "mixup": "mixup", "vanilla": "vanilla"}
_LEVELS = (10.0, 5.0, 2.0)


def _run_panel(bench: Bench, item: str, name: str) -> Generator[Event, None, None]:
    """Run all methods on one data set; Local Mixup with each of its decays if the protocol has a grid."""
    for panel in (yield from panels_of(bench, item, (name,))):
        training = panel.training()
        arms = [panel.arm(label, MethodSpec(method=method), training) for label, method in _PLAIN.items()]
        if panel.protocol.grid:
            arms += grid_of(panel, training)
        else:
            local = MethodSpec(method="local-exponential", parameter=panel.recipe.decay)
            arms.append(panel.arm("local mixup", local, training))
        yield from panel.train(arms)


class AdaMixUp(Item):
    """The comparison with AdaMixUp on CIFAR-10."""

    name = "adamixup"
    title = "AdaMixUp and Local Mixup on CIFAR-10"
    claim = "Local Mixup has a lower error (3.89 against 4.11) at the same 1400 epochs, with far fewer parameters"
    size = "PreAct-ResNet-18, 1400 epochs, 5 runs"
    protocols = ("paper", "controlled")

    def full_runs(self, panel: str) -> int:
        """Return 5."""
        return 5

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run the paper's epochs or, controlled, as many updates as in table 1."""
        yield from _run_panel(bench, self.name, "adamixup-cifar10")

    def section(self, reading: Reading) -> Section:
        """Return the errors, and the numbers of trained parameters."""
        tables, sentences = [], []
        for group in reading.groups(self.name):
            tables.append(_table(group, "cifar10", self.full_runs(group.panel)))
            sentences += _compare(group, tables[-1])
            counts = {label: next(iter(r.records.values())).outcome.parameters for label, r in group.by_label.items()}
            words = ", ".join(f"{label} {count:,}" for label, count in counts.items())
            sentences.append(f"{group.where}, trained parameters: {words}.")
        numbers = reported()["adamixup_comparison_error_percent"]["trainable_parameters_cifar10"]
        sentences.append(
            f"The paper's numbers of parameters on CIFAR-10, {numbers['local_mixup']:,} for Local Mixup and "
            f"{numbers['adamixup']:,} for AdaMixUp, are those of two other things: the first is AdaMixUp's network for "
            "MNIST, the second PreAct-ResNet-18 alone, the classifier of both methods."
        )
        return self.reported(reading, sentences, tables=tables)


class Figure6(Item):
    """Convergence on MNIST."""

    name = "figure6"
    title = "Figure 6: convergence on MNIST"
    claim = "Local Mixup converges faster than AdaMixUp; after training 0.54 against 0.49 % error"
    size = "the MNIST network of AdaMixUp's repository, 400 epochs, 10 runs"
    protocols = ("paper", "controlled")

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Measure the error on the training data during training, and the test error after it."""
        yield from _run_panel(bench, self.name, "adamixup-mnist")

    def section(self, reading: Reading) -> Section:
        """Return the curves, and the errors after training."""
        tables, figures, sentences = [], [], []
        for group in reading.groups(self.name):
            tables.append(_table(group, "mnist", self.full_runs(group.panel)))
            sentences += _compare(group, tables[-1])
            series = [_curve(r) for r in group.results]
            name = f"figure6-{group.protocol}-{group.scale}"
            model = group.results[0].arm.training.model
            title = f"{group.panel}, {model}: error on the training data ({group.protocol}, {group.scale})"
            figures.append(chart(name, title, "updates", "training error, %", series))
            for level in _LEVELS:
                reached = {s.label: _updates_to(s, level) for s in series}
                words = ", ".join(f"{name} {'never' if u is None else f'{u:,.0f}'}" for name, u in reached.items())
                sentences.append(f"{group.where}: updates until the training error is {level:g} %: {words}.")
        return self.reported(reading, sentences, tables=tables, figures=figures)


def _stated(group: Group, data: str) -> dict[str, Reported]:
    stated, local = reported()["adamixup_comparison_error_percent"][data], chosen(group)
    found = {"AdaMixUp": Reported(*stated["adamixup"])}
    return found if local is None else {**found, local.arm.label: Reported(*stated["local_mixup"])}


def _table(group: Group, data: str, full_runs: int) -> PaperTable:
    return paper_table(group.results, _stated(group, data), full_runs=full_runs, baselines=(*BASELINES, "AdaMixUp"))


def _compare(group: Group, paper: PaperTable) -> list[str]:
    local, table = chosen(group), paper.table
    if local is None or table.row("AdaMixUp") is None or table.row("mixup") is None:
        return [f"{group.where}: not all of the arms are finished."]
    label, stated = local.arm.label, paper.reported
    gap = stated[label].mean - stated["AdaMixUp"].mean
    return [
        f"{group.where}: {sign_sentence(table, label, 'AdaMixUp', gap)}",
        f"{group.where}, locality: {label} (ess_ratio {local.mean('ess_ratio'):.3f}) against mixup "
        f"{table.against(label, 'mixup')}: {locality(table.difference(label, 'mixup'))}.",
    ]


def _curve(result: ArmResult) -> Series:
    outcomes = [record.outcome for record in result.records.values()]
    points = [float(point[0]) for point in outcomes[0].curve]
    return series_of(result.arm.label, points, [[o.train_errors[k] for o in outcomes] for k in range(len(points))])


def _updates_to(series: Series, level: float) -> float | None:
    return next((x for x, y in zip(series.x, series.y, strict=True) if y <= level), None)
