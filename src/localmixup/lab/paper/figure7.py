"""Figure 7: test error against the decay of the exponential graph, on every data set."""

from __future__ import annotations

from localmixup.calibration import sample_distances
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import Panel, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import ArmResult, Reading, against, difference, groups, table_of
from localmixup.lab.paper.section import Chart, Section, Series
from localmixup.lab.specs import Arm, MethodSpec
from localmixup.lab.statistics import mean_of

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

    def section(self, reading: Reading) -> Section:
        """One curve a data set and protocol."""
        results = reading.of(self.name)
        tables, charts, sentences = [], [], []
        for (protocol, scale, panel), group in groups(results).items():
            tables.append(table_of(group))
            points = sorted((r for r in group if r.arm.x is not None), key=lambda r: r.arm.x or 0.0)
            ends = {r.arm.label: r for r in group if r.arm.x is None}
            if not points or not {"vanilla", "mixup"} <= set(ends):
                continue
            charts.append(_chart(f"figure7-{panel}-{protocol}-{scale}", points, ends))
            best = min(points, key=_validation if protocol == "controlled" else _test)
            by = "on the validation split" if protocol == "controlled" else "on the test set, as in the paper"
            d, to_vanilla = difference(best, ends["mixup"]), difference(best, ends["vanilla"])
            sentences.append(
                f"{panel}, {protocol} ({scale}): the best decay {by} is {best.arm.x:.3g}, where weights have a mean of "
                f"{best.mean('mean_weight'):.3g} and an effective sample size of "
                f"{best.mean('effective_sample_size'):.3g}; against mixup {against(d)}, against "
                f"vanilla training {against(to_vanilla)}: "
                + (
                    "better than both ends."
                    if d.high < 0 and to_vanilla.high < 0
                    else "no minimum between the two ends is shown."
                )
            )
        return Section(self.name, self.title, self.claim, tables, charts, [], sentences, self.missing(results))


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
