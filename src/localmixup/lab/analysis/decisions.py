"""From the table to a sentence: whether mixup helps, whether locality does, and how sure that is."""

from __future__ import annotations

from localmixup.lab.analysis.arms import BEST_GRAPH
from localmixup.lab.analysis.table import Row, Table
from localmixup.lab.analysis.wording import effect
from localmixup.lab.methods import LOCAL


def verdict_of(table: Table, name: str) -> tuple[str, list[str]]:
    """Return one sentence for the reader, and one for each comparison behind it.

    It speaks of locality only on the ground of the difference between a local method and its own controls.

    Args:
        table: of the comparison.
        name: of the data.
    """
    vanilla, mixup = table.row("vanilla"), table.row("mixup")
    judged = [row for row in table.rows if row.spec.method in LOCAL and row.control_of is None]
    details = _details(table)
    if table.rows and len(table.rows[0].errors) < 2:
        return f"On {name}: one seed allows no interval and no test; use at least 2, better 5 or more.", details
    of_mixup = ""
    if mixup and vanilla:
        words = {-1: "mixup helps", 0: "no effect of mixup is shown", 1: "mixup harms"}
        of_mixup = f"against vanilla training {words[effect(table.difference('mixup', 'vanilla'))]}"
    if not judged:
        return f"On {name}, {of_mixup or _others(table, vanilla)}.", details
    best = min(judged, key=lambda row: sum(row.validation_errors))
    parts = [_of_locality(table, best, name)]
    if vanilla:
        words = {-1: "better than", 0: "not distinguishable from", 1: "worse than"}
        compared = words[effect(table.difference(best.label, "vanilla"))]
        parts.append(f"it is {compared} vanilla training ({_amount(table, vanilla)})")
    if of_mixup:
        parts.append(of_mixup)
    choice = table.row(best.label.removesuffix(BEST_GRAPH)) or best
    if choice.spec != best.spec:
        word = "vanilla training" if choice.spec.method == "vanilla" else f"mixup ({choice.chosen})"
        parts.append(f"the validation split preferred {word} to every local graph")
    return f"{'; '.join(parts)}.", details


def _of_locality(table: Table, best: Row, name: str) -> str:
    """The effect of locality: shown only if it holds against every control."""
    controls = table.controls_of(best.label)
    signs = [effect(table.difference(best.label, control.label)) for control in controls]
    hardest = max(controls, key=lambda control: best.differences[control.label].mean)
    if all(sign < 0 for sign in signs):
        words = "locality helps mixup"
    elif any(sign > 0 for sign in signs):
        words = "locality harms mixup"
    else:
        words = "no effect of locality is shown"
    measure = "error" if table.unit == "%" else "RMSE"
    return (
        f"On {name}, {words}: {best.label} ({best.chosen}) has a test {measure} of {_amount(table, best)} against "
        f"{_amount(table, hardest)} for {hardest.label.removeprefix(best.label + ': ')}"
    )


def _details(table: Table) -> list[str]:
    """Every comparison of mixup and of the local methods, in words."""
    told = []
    for row in table.rows:
        if row.label == "mixup" or row.spec.method in LOCAL:
            told += [
                f"{row.label} against {other.removeprefix(f'{row.label}: ')}: {table.against(row.label, other)}"
                for other in row.differences
            ]
    return told


def _others(table: Table, vanilla: Row | None) -> str:
    """What methods without a graph of their own show against vanilla training."""
    if vanilla is None or len(table.rows) < 2:
        return "nothing was compared with vanilla training"
    told = []
    for word, wanted in (("better", -1), ("worse", 1)):
        if names := [row.label for row in table.rows if effect(row.differences.get("vanilla")) == wanted]:
            told.append(f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {word} than vanilla training")
    return ", ".join(told) or "no method is shown to differ from vanilla training"


def _amount(table: Table, row: Row) -> str:
    return f"{row.error.mean:.{table.decimals}f}{' %' if table.unit == '%' else ''}"
