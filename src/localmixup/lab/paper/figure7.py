"""Figure 7: test error against the decay of the exponential graph, on every data set."""

from __future__ import annotations

from localmixup.graphs.fit import sample_distances
from localmixup.lab.analysis.statistics import mean_of
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import Panel, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS
from localmixup.lab.paper.reading import ArmResult, Reading, against, effect, groups, table_of
from localmixup.lab.paper.section import Chart, Section, Series
from localmixup.lab.runs.spec import Arm, MethodSpec

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

    def run(self, bench: Bench) -> None:
        """Powers of ten, and multiples of one over the median distance; both ends as vanilla training and mixup."""
        for panel in panels_of(bench, self.name, PANELS):
            panel.train(arms_of(panel))

    def panels(self, protocol: str) -> tuple[str, ...]:
        """The paper's data sets."""
        return tuple(name for name in PANELS if name in PROTOCOLS[protocol].full)

    def section(self, reading: Reading) -> Section:
        """One curve a data set and protocol."""
        tables, charts, sentences = [], [], []
        for (protocol, scale, panel), group in groups(reading.of(self.name)).items():
            table = table_of(group, full_runs=self.full_runs(panel))
            tables.append(table)
            points = sorted((r for r in group if r.arm.x is not None), key=lambda r: r.arm.x or 0.0)
            ends = {r.arm.label: r for r in group if r.arm.x is None}
            if not points or not {"vanilla", "mixup"} <= set(ends):
                continue
            charts.append(_chart(f"figure7-{panel}-{protocol}-{scale}", points, ends))
            validated = points[0].arm.training.validation_share > 0
            best = min(points, key=_validation if validated else _test)
            by = "the validation split" if validated else "the test set, as in the paper and not corrected for that,"
            to_mixup, to_vanilla = (table.difference(best.arm.label, end) for end in ("mixup", "vanilla"))
            both = effect(to_mixup) < 0 and effect(to_vanilla) < 0
            shown = sum(effect(table.difference(r.arm.label, "mixup")) < 0 for r in points)
            told = "better than both ends" if both else "no minimum between both ends is shown"
            sentences.append(
                f"{panel}, {protocol} ({scale}): the best decay by {by} is {best.arm.x:.3g}, where weights have a "
                f"mean of {best.mean('mean_weight'):.3g} and an effective sample size of "
                f"{best.mean('effective_sample_size'):.3g}; against mixup {against(to_mixup)}, against vanilla "
                f"training {against(to_vanilla)}: {told}; {shown} of "
                f"{len(points)} decays are shown to be better than mixup."
            )
            sentences.append(
                f"{panel}, {protocol} ({scale}), locality: one over the median distance is "
                f"{_one_over_median(points):.3g}; at the paper's 1e-3 the effective sample size is "
                f"{_size_at(points, 1e-3):.4f}, so that its weights hardly differ."
            )
        return Section(self.name, self.title, self.claim, tables, charts, [], sentences, self.missing(reading))


def _one_over_median(points: list[ArmResult]) -> float:
    return next((r.arm.x or 0.0 for r in points if r.arm.label == "decay 1 / median distance"), float("nan"))


def _size_at(points: list[ArmResult], decay: float) -> float:
    return next((r.mean("effective_sample_size") for r in points if r.arm.x == decay), float("nan"))


def _validation(result: ArmResult) -> float:
    return result.mean("validation_error")


def _test(result: ArmResult) -> float:
    return result.mean("test_error")


def arms_of(panel: Panel) -> list[Arm]:
    """Every decay of a panel, and its two ends.

    Args:
        panel: the data set.
    """
    training = panel.training()
    median = sample_distances(panel.loaded.prepared.x).median
    arms = panel.baselines(training)
    for decay in DECAYS:
        arms.append(
            panel.arm(f"decay {decay:g}", MethodSpec(method="local-exponential", parameter=decay), training, x=decay)
        )
    for times in TIMES_MEDIAN:
        decay = float(f"{times / median:.3g}")
        method = MethodSpec(method="local-exponential", parameter=decay)
        arms.append(panel.arm(f"decay {times:g} / median distance", method, training, x=decay))
    return arms


def _chart(name: str, points: list[ArmResult], ends: dict[str, ArmResult]) -> Chart:
    means = [mean_of(r.errors) for r in points]
    several = len(points[0].records) > 1
    x = [float(r.arm.x or 0.0) for r in points]
    series = [
        Series(
            "local mixup", x, [m.mean for m in means],
            [m.low for m in means] if several else [], [m.high for m in means] if several else [],
        )
    ]  # fmt: skip
    for label, r in ends.items():
        if label in ("vanilla", "mixup"):
            series.append(Series(label, [x[0], x[-1]], [mean_of(r.errors).mean] * 2, kind="dashed"))
    series.append(
        Series("effective sample size x 10", x, [10 * r.mean("effective_sample_size") for r in points], kind="points")
    )
    first = points[0].arm
    title = f"{first.panel}, {first.training.model}: error against decay ({first.protocol}, {first.scale})"
    return Chart(name, title, "decay, in one over the unit of standardised pixels", "test error, %", series, log_x=True)
