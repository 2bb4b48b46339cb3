"""Table 2: test error under Gaussian noise, and under further corruptions, of the models of table 1."""

from __future__ import annotations

from localmixup.lab.analysis.statistics import mean_of
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import compare_local, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import NOISE
from localmixup.lab.paper.reading import ArmResult, Reading, against, groups, reported, table_of
from localmixup.lab.paper.section import Chart, Reported, Section, Series
from localmixup.lab.paper.table1 import Table1, chosen
from localmixup.lab.runs.store import Record

_ROWS = {"vanilla": "vanilla", "mixup": "mixup"}


class Table2(Item):
    """Errors under noise."""

    name = "table2"
    title = "Table 2: test error under noise"
    claim = "under little noise mixup and Local Mixup are alike, under more noise Local Mixup is better than both"
    size = "the 100 runs of ResNet-18 on CIFAR-10 of table 1"

    def run(self, bench: Bench) -> None:
        """The runs of table 1, which are measured under noise when they are trained."""
        for panel in panels_of(bench, "table1", ("cifar10",)):
            compare_local(panel)

    def section(self, reading: Reading) -> Section:
        """One table a noise, data set and protocol, and the curves."""
        results = reading.of("table1")
        item = Table1()
        tables, charts, sentences = [], [], []
        for (protocol, scale, panel), group in groups(results).items():
            local = chosen(group)
            shown = [r for r in group if r.arm.label in _ROWS or r is local]
            names = list(next(iter(shown[0].records.values())).outcome.measured)
            for name in names:
                if not all(name in record.outcome.measured for r in shown for record in r.records.values()):
                    continue
                tables.append(
                    table_of(
                        shown,
                        lambda r, name=name, local=local: _value(r, name, local),  # type: ignore[misc]
                        full_runs=item.full_runs(panel),
                        title=f"{panel}, {shown[0].arm.training.model}, {name}",
                        of=lambda record, name=name: record.outcome.measured[name],  # type: ignore[misc]
                    )
                )
                if local is not None:
                    d = tables[-1].difference(local.arm.label, "mixup")
                    sentences.append(
                        f"{panel}, {protocol} ({scale}), {name}: {local.arm.label} against mixup {against(d)}."
                    )
            charts.append(_chart(f"table2-{panel}-{protocol}-{scale}", shown))
        return Section(
            self.name, self.title, self.claim, tables, charts, [], sentences, self.missing(reading, item="table1")
        )


def _value(result: ArmResult, name: str, local: ArmResult | None) -> Reported | None:
    stated = reported()["table2_gaussian_noise_error_percent_cifar10"]
    if result.arm.panel != "cifar10" or name not in NOISE:
        return None
    row = "local_mixup" if result is local else _ROWS[result.arm.label]
    return Reported(stated[row][NOISE.index(name)], float("nan"))


def _measured(result: ArmResult, name: str) -> dict[int, float]:
    def of(record: Record) -> float:
        return record.outcome.measured[name]

    return {seed: of(record) for seed, record in result.records.items() if name in record.outcome.measured}


def _chart(name: str, shown: list[ArmResult]) -> Chart:
    series = []
    for r in shown:
        x, y, low, high = [0.0], [mean_of(r.errors)], [], []
        for noise in [n for n in next(iter(r.records.values())).outcome.measured if n.startswith("gaussian")]:
            x.append(float(noise.split()[1]))
            y.append(mean_of(list(_measured(r, noise).values())))
        low, high = [m.low for m in y], [m.high for m in y]
        series.append(
            Series(
                r.arm.label,
                x,
                [m.mean for m in y],
                low if len(r.records) > 1 else [],
                high if len(r.records) > 1 else [],
            )
        )
    first = shown[0].arm
    title = f"{first.panel}, {first.training.model}: error under noise ({first.protocol}, {first.scale})"
    return Chart(name, title, "standard deviation of the noise, on images in [0, 1]", "test error, %", series)
