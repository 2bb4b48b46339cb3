"""Table 1: test error of vanilla training, mixup and Local Mixup on four image data sets."""

from __future__ import annotations

from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import compare_local, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import (
    ArmResult,
    Reading,
    against,
    difference,
    groups,
    reported,
    sign_sentence,
    table_of,
)
from localmixup.lab.paper.section import Reported, Section

PANELS = ("cifar10", "cifar100", "fashion_mnist", "svhn", "mnist")
_ROWS = {"vanilla": "baseline", "mixup": "mixup", "local mixup": "local_mixup"}


class Table1(Item):
    """Errors on images."""

    name = "table1"
    title = "Table 1: test error on images"
    claim = "Local Mixup has a lower error than vanilla training and mixup on all four data sets"
    size = "ResNet-18 on CIFAR-10 (100 runs) and CIFAR-100, DenseNet on Fashion-MNIST, LeNet-5 on SVHN (10 runs each)"

    def run(self, bench: Bench) -> None:
        """Every data set that the protocol has and that can be found."""
        for panel in panels_of(bench, self.name, PANELS):
            compare_local(panel)

    def section(self, reading: Reading) -> Section:
        """One table a data set and protocol, and what each says of locality."""
        results = reading.of(self.name)
        tables, sentences = [], []
        for group in groups(results).values():
            tables.append(table_of(group, value_of))
            sentences += sentences_of(group)
        return Section(self.name, self.title, self.claim, tables, [], [], sentences, self.missing(results))


def value_of(result: ArmResult) -> Reported | None:
    """What table 1 prints for an arm: only the paper's own three rows, on its own four data sets."""
    row = _ROWS.get(result.arm.label.split(", mean weight")[0])
    values = reported()["table1_error_percent"]
    if row is None or result.arm.panel not in values[row]:
        return None
    return Reported(*values[row][result.arm.panel])


def chosen(group: list[ArmResult]) -> ArmResult | None:
    """The local method that the validation split chose; where there is none, the only one.

    Args:
        group: arms of one protocol, scale and panel.
    """
    local = [
        r for r in group if r.arm.label.startswith("local mixup") and r.arm.training.reduction == main_reduction(group)
    ]
    if not local:
        return None
    return min(local, key=lambda r: r.mean("validation_error") if len(local) > 1 else 0.0)


def main_reduction(group: list[ArmResult]) -> str:
    """The reduction of vanilla training and mixup, which is that of the grid.

    Args:
        group: arms of one protocol, scale and panel.
    """
    return next((r.arm.training.reduction for r in group if r.arm.label == "vanilla"), "mean")


def sentences_of(group: list[ArmResult]) -> list[str]:
    """What a comparison says of mixup and of locality.

    Args:
        group: arms of one protocol, scale and panel.
    """
    first = group[0].arm
    by_label = {r.arm.label: r for r in group}
    vanilla, mixup, best = by_label.get("vanilla"), by_label.get("mixup"), chosen(group)
    where = f"{first.panel}, {first.protocol} ({first.scale})"
    if vanilla is None or mixup is None or best is None:
        return [f"{where}: not all of the arms are finished."]
    words = []
    values = reported()["table1_error_percent"]
    for name, one, other, rows in (
        ("mixup against vanilla training", mixup, vanilla, ("mixup", "baseline")),
        (f"{best.arm.label} against mixup", best, mixup, ("local_mixup", "mixup")),
        (f"{best.arm.label} against vanilla training", best, vanilla, ("local_mixup", "baseline")),
    ):
        if one.arm.run(0).key == other.arm.run(0).key:
            words.append(f"{where}: {name}: the same runs.")
            continue
        d = difference(one, other)
        if first.panel in values[rows[0]]:
            stated = values[rows[0]][first.panel][0] - values[rows[1]][first.panel][0]
            words.append(f"{where}: " + sign_sentence(name, stated, d))
        else:
            words.append(f"{where}: {name}: {against(d)}.")
    d = difference(best, mixup)
    helps = d.high < 0
    ess = best.mean("effective_sample_size")
    words.append(
        f"{where}: locality: the weights of {best.arm.label} have an effective sample size of {ess:.3f}; against mixup "
        f"with as many counted samples, which is the control here, {against(d)}: "
        + ("locality helps." if helps else "locality harms." if d.low > 0 else "no effect of locality is shown.")
    )
    return words
