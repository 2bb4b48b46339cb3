"""Figure 7: test error against the decay of the exponential graph, on every data set."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from localmixup.graphs.fit import sample_distances
from localmixup.lab.analysis.arms import ArmResult, both
from localmixup.lab.analysis.statistics import holm, mean_of, paired
from localmixup.lab.analysis.table import BASELINES, Table
from localmixup.lab.analysis.wording import LEVEL, effect
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import Panel, near_arms, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS
from localmixup.lab.paper.reading import Group, Reading, paper_table, series_of
from localmixup.lab.paper.section import Section
from localmixup.lab.paper.table3 import NEIGHBORS
from localmixup.lab.report.figure import Figure, Series, chart
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

DECAYS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TIMES_MEDIAN = (0.1, 0.3, 1.0, 3.0, 10.0)
PANELS = ("cifar10", "cifar100", "fashion_mnist", "svhn", "mnist")


class Figure7(Item):
    """Error against decay."""

    name = "figure7"
    title = "Figure 7: error against the decay"
    claim = "the best decay is about 1e-3 on every data set"
    size = "the networks and runs of table 1, every decay on every data set"
    protocols = ("paper", "controlled")

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run powers of ten, multiples of one over the median distance, and both ends."""
        for panel in (yield from panels_of(bench, self.name, PANELS)):
            yield from panel.train(_arms(panel))

    def panels(self, protocol: str) -> tuple[str, ...]:
        """Return the paper's data sets."""
        return tuple(name for name in PANELS if name in PROTOCOLS[protocol].full)

    def section(self, reading: Reading) -> Section:
        """Return one curve for each data set and protocol."""
        tables, figures, sentences = [], [], []
        for group in reading.groups(self.name):
            paper = paper_table(group.results, full_runs=self.full_runs(group.panel))
            tables.append(paper)
            points = sorted((r for r in group.results if r.arm.x is not None), key=lambda r: r.arm.x or 0.0)
            if points and {"vanilla", "mixup"} <= set(group.by_label):
                figures.append(_figure(group, points))
                sentences += _sentences(group, paper.table, points)
        return self.reported(reading, sentences, tables=tables, figures=figures)


def _arms(panel: Panel) -> list[Arm]:
    """Every decay of a panel, and its two ends."""
    training = panel.training()
    median = sample_distances(panel.loaded.prepared.x).median
    decays = {f"decay {decay:g}": decay for decay in DECAYS}
    decays |= {f"decay {times:g} / median distance": float(f"{times / median:.3g}") for times in TIMES_MEDIAN}
    return [
        *panel.baselines(training),
        *(
            panel.arm(label, MethodSpec(method="local-exponential", parameter=decay), training, x=decay)
            for label, decay in decays.items()
        ),
        *_neighbors(panel, training),
    ]


def _neighbors(panel: Panel, training: TrainingSpec) -> list[Arm]:
    """Graphs of neighbours in the batch, which are local where the exponential graphs are not; none without a grid."""
    if not panel.protocol.grid:
        return []
    of_table3 = [
        panel.arm(f"batch, K = {k}", MethodSpec(method="local-knn", parameter=float(k)), training) for k in NEIGHBORS
    ]
    return [*of_table3, *near_arms(panel, training)]


def _sentences(group: Group, table: Table, points: Sequence[ArmResult]) -> list[str]:
    best = group.best_of(points)
    label = best.arm.label
    both = all(effect(table.difference(label, end)) < 0 for end in ("mixup", "vanilla"))
    shown = shown_better(points, group.by_label["mixup"])
    median = next((r.arm.x for r in points if r.arm.label == "decay 1 / median distance"), None)
    at_paper = next((r.mean("ess_ratio") for r in points if r.arm.x == 1e-3), None)
    found = [
        f"{group.where}: the best decay by {group.chosen_by} is {best.arm.x:.3g}, where weights have a mean of "
        f"{best.mean('mean_weight'):.3g} and an ess_ratio of {best.mean('ess_ratio'):.3g}; against mixup "
        f"{table.against(label, 'mixup')}, against vanilla training {table.against(label, 'vanilla')}: "
        f"{'better than both ends' if both else 'no minimum between both ends is shown'}; {shown} of {len(points)} "
        "decays are shown to be better than mixup.",
        f"{group.where}, locality: one over the median distance is {median or float('nan'):.3g}; at the paper's 1e-3 "
        f"the ess_ratio is {at_paper or float('nan'):.4f}, so that its weights hardly differ.",
    ]
    neighbors = [r.arm.label for r in group.results if r.arm.x is None and r.arm.label not in BASELINES]
    if neighbors:
        words = "; ".join(map(table.against_both, neighbors))
        found.append(f"{group.where}, graphs of neighbours in the batch: {words}.")
    return found


def shown_better(points: Sequence[ArmResult], mixup: ArmResult) -> int:
    """Return how many decays are shown to be better than mixup, by Holm over the decays.

    With three seeds the paired differences of one decay can agree by chance. Their standard deviation is therefore
    taken to be at least the median of those of all decays.
    """
    pairs = [both(r, mixup) for r in points]
    if min(len(mine) for mine, _ in pairs) < 2:
        return 0
    floor = float(np.median([np.std(np.subtract(mine, others), ddof=1) for mine, others in pairs]))
    found = [paired(*pair, floor=floor) for pair in pairs]
    return sum(p < LEVEL and d.mean < 0 for d, p in zip(found, holm([d.p for d in found]), strict=True))


def _figure(group: Group, points: Sequence[ArmResult]) -> Figure:
    x = [float(r.arm.x or 0.0) for r in points]
    series = [series_of("local mixup", x, [r.errors for r in points])]
    for label in ("vanilla", "mixup"):
        mean = mean_of(group.by_label[label].errors).mean
        series.append(Series(label, [x[0], x[-1]], [mean, mean], kind="dashed"))
    series.append(Series("ess_ratio x 10", x, [10 * r.mean("ess_ratio") for r in points], kind="points"))
    name = f"figure7-{group.panel}-{group.protocol}-{group.scale}"
    model = points[0].arm.training.model
    title = f"{group.panel}, {model}: error against decay ({group.protocol}, {group.scale})"
    return chart(name, title, "decay, in one over the unit of standardised pixels", "test error, %", series, log_x=True)
