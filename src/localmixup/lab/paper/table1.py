"""Table 1: test error of vanilla training, mixup and Local Mixup on four image data sets."""

from __future__ import annotations

from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import compare_local, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS
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
from localmixup.lab.paper.section import Reported, Section, Table

PANELS = ("cifar10", "cifar100", "fashion_mnist", "svhn", "mnist")
_ROWS = {"vanilla": "baseline", "mixup": "mixup"}


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

    def full_runs(self, panel: str) -> int:
        """A hundred on CIFAR-10, ten elsewhere."""
        return 100 if panel == "cifar10" else 10

    def panels(self, protocol: str) -> tuple[str, ...]:
        """The paper's data sets that the protocol has."""
        return tuple(name for name in PANELS if name in PROTOCOLS[protocol].full)

    def section(self, reading: Reading) -> Section:
        """One table a data set and protocol, and what each says of locality."""
        tables, sentences = [], []
        for (_, _, panel), group in groups(reading.of(self.name)).items():
            local = chosen(group)
            notes = notes_of(group)
            table = table_of(
                group,
                lambda r, local=local: value_of(r, local),  # type: ignore[misc]
                full_runs=self.full_runs(panel),
                notes=notes,
            )
            tables.append(table)
            sentences += sentences_of(group, table)
        return Section(self.name, self.title, self.claim, tables, [], [], sentences, self.missing(reading))


def notes_of(group: list[ArmResult]) -> list[str]:
    """What one must know of the controls of a group.

    Args:
        group: arms of one protocol, scale and panel.
    """
    if group[0].arm.training.optimizer.startswith("adam") and any(r.arm.control_of for r in group):
        return [
            "Adam cancels a constant factor of the loss: the control with the scaled loss can only confirm that here."
        ]
    return []


def value_of(result: ArmResult, local: ArmResult | None) -> Reported | None:
    """What table 1 prints for an arm: the paper's own three rows, on its own four data sets.

    Args:
        result: the arm.
        local: the one that stands for Local Mixup.
    """
    row = "local_mixup" if result is local else _ROWS.get(result.arm.label)
    values = reported()["table1_error_percent"]
    if row is None or result.arm.panel not in values[row]:
        return None
    return Reported(*values[row][result.arm.panel])


def chosen(group: list[ArmResult]) -> ArmResult | None:
    """The local method that the validation split chose; where there is none, the only one.

    Args:
        group: arms of one protocol, scale and panel.
    """
    main = next((r.arm.training.reduction for r in group if r.arm.label == "vanilla"), "mean")
    local = [r for r in group if r.arm.label.startswith("local mixup") and r.arm.training.reduction == main]
    if not local:
        return None
    return min(local, key=lambda r: r.mean("validation_error") if len(local) > 1 else 0.0)


def sentences_of(group: list[ArmResult], table: Table) -> list[str]:
    """What a comparison says of mixup and of locality.

    Args:
        group: arms of one protocol, scale and panel.
        table: of them.
    """
    first, best = group[0].arm, chosen(group)
    where = f"{first.panel}, {first.protocol} ({first.scale})"
    if best is None or table.line("vanilla") is None or table.line("mixup") is None:
        return [f"{where}: not all of the arms are finished."]
    label, words = best.arm.label, []
    values = reported()["table1_error_percent"]
    for one, other, rows in (
        ("mixup", "vanilla", ("mixup", "baseline")),
        (label, "mixup", ("local_mixup", "mixup")),
        (label, "vanilla", ("local_mixup", "baseline")),
    ):
        d = table.difference(one, other)
        if d is None:
            words.append(f"{where}: {one} and {other} are the same runs.")
        elif first.panel in values[rows[0]]:
            stated = values[rows[0]][first.panel][0] - values[rows[1]][first.panel][0]
            words.append(f"{where}: " + sign_sentence(f"{one} against {other}", stated, d))
        else:
            words.append(f"{where}: {one} against {other}: {against(d)}.")
    words.append(f"{where}, locality: {_locality(group, table, best)}")
    return words


def _locality(group: list[ArmResult], table: Table, best: ArmResult) -> str:
    """What the table can say of locality: only what its controls allow."""
    if best.arm.method.method in ("vanilla", "published-cifar"):
        return "nothing, for the published code does not train eq. (3) here."
    told = f"the weights have an effective sample size of {best.mean('effective_sample_size'):.3f}; "
    controls = [r.arm.label for r in group if r.arm.control_of == best.arm.label]
    if not controls:
        return f"{told}this protocol runs no control, so a difference to mixup may be that of the size of the loss."
    d = table.difference(best.arm.label, controls[0])
    return f"{told}against {controls[0]} {against(d)}: {locality(d)}."
