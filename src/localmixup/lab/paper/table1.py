"""Table 1: test error of vanilla training, mixup and Local Mixup on four image data sets."""

from __future__ import annotations

from collections.abc import Generator

from localmixup.lab.analysis.arms import ArmResult, best_on_validation
from localmixup.lab.analysis.table import Table
from localmixup.lab.analysis.wording import locality
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.images import compare_local, is_near, panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS
from localmixup.lab.paper.reading import Group, Reading, paper_table, reported, sign_sentence
from localmixup.lab.paper.section import Reported, Section
from localmixup.lab.runs.events import Event

PANELS = ("cifar10", "cifar100", "fashion_mnist", "svhn", "mnist")
_NEARLY_EVEN = 0.8  # of `ess_ratio`: above it all pairs count almost equally


class Table1(Item):
    """Errors on images."""

    name = "table1"
    title = "Table 1: test error on images"
    claim = "Local Mixup has a lower error than vanilla training and mixup on all four data sets"
    size = "ResNet-18 on CIFAR-10 (100 runs) and CIFAR-100, DenseNet on Fashion-MNIST, LeNet-5 on SVHN (10 runs each)"

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run every data set that the protocol has and that can be found."""
        for panel in (yield from panels_of(bench, self.name, PANELS)):
            yield from compare_local(panel)

    def full_runs(self, panel: str) -> int:
        """Return 100 for CIFAR-10 and 10 for the others."""
        return 100 if panel == "cifar10" else 10

    def panels(self, protocol: str) -> tuple[str, ...]:
        """Return the paper's data sets that the protocol has."""
        return tuple(name for name in PANELS if name in PROTOCOLS[protocol].full)

    def section(self, reading: Reading) -> Section:
        """Return one table for each data set and protocol, and what it says about locality."""
        tables, sentences = [], []
        for group in reading.groups(self.name):
            stated = _stated(group)
            table = paper_table(group.results, stated, full_runs=self.full_runs(group.panel), notes=_notes(group))
            tables.append(table)
            sentences += _sentences(group, table.table, stated)
        return self.reported(reading, sentences, tables=tables)


def chosen(group: Group) -> ArmResult | None:
    """Return the local method that the validation split chose, or the only one; None if there is none."""
    main = next((r.arm.training.reduction for r in group.results if r.arm.label == "vanilla"), "mean")
    local = [
        r
        for r in group.results
        if r.arm.label.startswith("local mixup") and r.arm.control_of is None and r.arm.training.reduction == main
    ]
    return best_on_validation(local) if local else None


def _stated(group: Group) -> dict[str, Reported]:
    """What the paper prints: three rows, on its own four data sets."""
    local = chosen(group)
    rows = {"vanilla": "baseline", "mixup": "mixup", **({local.arm.label: "local_mixup"} if local else {})}
    values = reported()["table1_error_percent"]
    return {label: Reported(*values[row][group.panel]) for label, row in rows.items() if group.panel in values[row]}


def _notes(group: Group) -> list[str]:
    first = group.results[0].arm
    if first.training.optimizer.startswith("adam") and any(r.arm.control_of for r in group.results):
        return [
            "Adam cancels a constant factor of the loss: the control with the scaled loss can only confirm that here."
        ]
    return []


def _sentences(group: Group, table: Table, stated: dict[str, Reported]) -> list[str]:
    """What a comparison says about mixup and about locality."""
    best = chosen(group)
    if best is None or table.row("vanilla") is None or table.row("mixup") is None:
        return [f"{group.where}: not all of the arms are finished."]
    label, words = best.arm.label, []
    for one, other in (("mixup", "vanilla"), (label, "mixup"), (label, "vanilla")):
        if table.difference(one, other) is None:
            words.append(f"{group.where}: {one} and {other} are the same runs.")
        elif stated:
            gap = stated[one].mean - stated[other].mean
            words.append(f"{group.where}: {sign_sentence(table, one, other, gap)}")
        else:
            words.append(f"{group.where}: {one} against {other}: {table.against(one, other)}.")
    return [*words, f"{group.where}, locality: {_locality(group, table, best)}"]


def _locality(group: Group, table: Table, best: ArmResult) -> str:
    """What the table can say about locality, which is only what its controls allow."""
    if best.arm.method.method in ("vanilla", "published-cifar"):
        return "nothing, for the published code does not train eq. (3) here."
    even = _evenness(group, best)
    if not table.controls_of(best.arm.label):
        return f"{even}. This protocol runs no control, so a difference to mixup may be that of the size of the loss."
    labels = dict.fromkeys([best.arm.label, *(r.arm.label for r in group.results if is_near(r.arm))])
    words = [_against_controls(table, label) for label in labels]
    return f"{even}. {' '.join(words)}"


def _against_controls(table: Table, label: str) -> str:
    """One local arm against each of its controls that runs in its own right."""
    controls = [c for c in table.controls_of(label) if c.spec.loss_scale == 1]
    found = []
    for control in controls:
        name, d = control.label.removeprefix(f"{label}: "), table.difference(label, control.label)
        found.append(f"against {name} {table.against(label, control.label)}: {locality(d)}")
    return f"{label} {'; '.join(found)}."


def _evenness(group: Group, best: ArmResult) -> str:
    """How local the arms are at all."""
    mine = [r for r in group.results if r.arm.training.reduction == best.arm.training.reduction]
    ratios = [r.mean("ess_ratio") for r in mine if r.arm.method.method == "local-exponential"]
    if not ratios:
        return "no exponential graph was run"
    low, high = min(ratios), max(ratios)
    if len(ratios) == 1:
        which = f"the decay has an ess_ratio of {low:.4f}"
    else:
        which = f"the {len(ratios)} decays have an ess_ratio of {low:.2f} to {high:.3f}"
    if low >= _NEARLY_EVEN:
        which += ": under them all pairs count almost equally, and an effect of locality could hardly show"
    near = [r for r in mine if is_near(r.arm)]
    if near:
        return f"{which}. The {len(near)} graphs of near pairs leave out most pairs, with as many samples that count"
    return f"{which}; the sweep has no graph of near pairs" if len(ratios) > 1 else which
