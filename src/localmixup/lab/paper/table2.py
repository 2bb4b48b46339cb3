"""Table 2: test error under Gaussian noise, and under further corruptions, of the models of table 1."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from localmixup.lab.analysis.arms import ArmResult
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import compare_local, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import NOISE
from localmixup.lab.paper.reading import Group, Reading, paper_table, reported, series_of
from localmixup.lab.paper.section import Reported, Section
from localmixup.lab.paper.table1 import Table1, chosen
from localmixup.lab.report.figure import Figure, chart
from localmixup.lab.runs.events import Event

_ENDS = ("vanilla", "mixup")


class Table2(Item):
    """Errors under noise."""

    name = "table2"
    title = "Table 2: test error under noise"
    claim = "under little noise mixup and Local Mixup are alike, under more noise Local Mixup is better than both"
    size = "the 100 runs of ResNet-18 on CIFAR-10 of table 1"
    arms_of = "table1"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run table 1, whose models are measured under noise after training."""
        for panel in (yield from panels_of(bench, "table1", ("cifar10",))):
            yield from compare_local(panel)

    def section(self, reading: Reading) -> Section:
        """Return one table for each noise, data set and protocol, and the curves."""
        tables, figures, sentences = [], [], []
        for group in reading.groups("table1"):
            local = chosen(group)
            shown = [r for r in group.results if r.arm.label in _ENDS or r is local]
            for name in _measured(shown):
                table = paper_table(
                    shown,
                    _stated(group, name, local),
                    full_runs=Table1().full_runs(group.panel),
                    title=f"{group.panel}, {shown[0].arm.training.model}, {name}",
                    measure=lambda record, name=name: record.outcome.measured[name],  # type: ignore[misc]
                )
                tables.append(table)
                if local is not None:
                    words = table.table.against(local.arm.label, "mixup")
                    sentences.append(f"{group.where}, {name}: {local.arm.label} against mixup {words}.")
            figures.append(_figure(group, shown))
        return self.reported(reading, sentences, tables=tables, figures=figures)


def _measured(shown: Sequence[ArmResult]) -> list[str]:
    """The corruptions that every run was measured under, in the order of the first one."""
    outcomes = [record.outcome for r in shown for record in r.records.values()]
    return [name for name in outcomes[0].measured if all(name in outcome.measured for outcome in outcomes)]


def _stated(group: Group, name: str, local: ArmResult | None) -> dict[str, Reported]:
    if group.panel != "cifar10" or name not in NOISE:
        return {}
    stated = reported()["table2_gaussian_noise_error_percent_cifar10"]
    rows = {"vanilla": "vanilla", "mixup": "mixup", **({local.arm.label: "local_mixup"} if local else {})}
    return {label: Reported(stated[row][NOISE.index(name)]) for label, row in rows.items()}


def _figure(group: Group, shown: Sequence[ArmResult]) -> Figure:
    series = []
    for r in shown:
        noises = [name for name in next(iter(r.records.values())).outcome.measured if name.startswith("gaussian")]
        measured = [
            [record.outcome.measured[noise] for record in r.records.values() if noise in record.outcome.measured]
            for noise in noises
        ]
        at = [0.0, *(float(noise.split()[1]) for noise in noises)]
        series.append(series_of(r.arm.label, at, [r.errors, *measured]))
    title = f"{group.panel}, {shown[0].arm.training.model}: error under noise ({group.protocol}, {group.scale})"
    name = f"table2-{group.panel}-{group.protocol}-{group.scale}"
    return chart(name, title, "standard deviation of the noise, on images in [0, 1]", "test error, %", series)
