"""From the table to a sentence: does mixup help, does locality, and how sure is that."""

from __future__ import annotations

import math
from collections.abc import Sequence

from localmixup.lab.analysis.comparison import Row
from localmixup.lab.methods import LOCAL, METHODS


def amount(value: float, unit: str) -> str:
    """A test error with its unit.

    >>> amount(2.5, "%")
    '2.50 %'
    """
    return f"{value:.2f} %" if unit == "%" else f"{value:.4g}"


def p_value(p: float) -> str:
    """A p-value as one prints it.

    >>> p_value(0.0004), p_value(0.0312), p_value(1.0)
    ('p < 0.001', 'p = 0.031', 'p = 1')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _against(row: Row, label: str, unit: str) -> tuple[str, int]:
    """A difference in words, and its sign where it is significant: -1 better, 1 worse, 0 not shown."""
    d, p = row.differences[label], row.p_holm[label]
    shown = not math.isnan(p) and p < 0.05
    sign = 0 if not shown else int(math.copysign(1, d.mean))
    spread = "" if math.isnan(d.low) else f", 95 % interval {d.low:+.2f} to {d.high:+.2f}, {p_value(p)} after Holm"
    amount = f"{d.mean:+.2f} points" if unit == "%" else f"{d.mean:+.4g}"
    return f"{amount}{spread}", sign


def _others(rows: Sequence[Row], vanilla: Row | None, unit: str) -> str:
    """What methods without a graph of their own show against vanilla training."""
    if vanilla is None or len(rows) < 2:
        return "nothing was compared with vanilla training"
    signs = {row.label: _against(row, vanilla.label, unit)[1] for row in rows if vanilla.label in row.differences}
    told = []
    for word, wanted in (("better", -1), ("worse", 1)):
        if names := [label for label, sign in signs.items() if sign == wanted]:
            told.append(f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {word} than vanilla training")
    return ", ".join(told) or "no method is shown to differ from vanilla training"


def verdict_of(rows: Sequence[Row], name: str, unit: str) -> tuple[str, list[str]]:
    """One sentence for the reader, and one for each comparison behind it.

    It speaks of locality only for the difference to a local method's own controls.

    Args:
        rows: of the table, with their differences.
        name: of the data.
        unit: of the test error.
    """
    by_label = {row.label: row for row in rows}
    mixup, vanilla = by_label.get(METHODS["mixup"].title), by_label.get(METHODS["vanilla"].title)
    details = []
    mixup_sentence = ""
    if mixup and vanilla:
        words, sign = _against(mixup, vanilla.label, unit)
        effect = {-1: "mixup helps", 0: "no effect of mixup is shown", 1: "mixup harms"}[sign]
        mixup_sentence = f"against vanilla training {effect}"
        details.append(f"mixup against vanilla: {words}")
    judged = [row for row in rows if row.spec.method in LOCAL and row.control_of is None]
    for row in rows:
        if row.method in LOCAL:
            details += [
                f"{row.label} against {label.removeprefix(row.label + ': ')}: {_against(row, label, unit)[0]}"
                for label in row.differences
            ]
    if rows and len(rows[0].errors) < 2:
        return f"On {name}: one seed allows no interval and no test; use at least 2, better 5 or more.", details
    if not judged:
        return f"On {name}, {mixup_sentence or _others(rows, vanilla, unit)}.", details
    best = min(judged, key=lambda row: sum(row.validation_errors))
    own = [row for row in rows if row.control_of == best.label]
    signs = [_against(best, control.label, unit)[1] for control in own]
    hardest = max(own, key=lambda control: best.differences[control.label].mean)
    if all(sign < 0 for sign in signs):
        effect = "locality helps mixup"
    elif any(sign > 0 for sign in signs):
        effect = "locality harms mixup"
    else:
        effect = "no effect of locality is shown"
    errors = f"{amount(best.error.mean, unit)} against {amount(hardest.error.mean, unit)}"
    measure = "error" if unit == "%" else "RMSE"
    control = hardest.label.removeprefix(best.label + ": ")
    sentences = f"On {name}, {effect}: {best.label} ({best.chosen}) has a test {measure} of {errors} for {control}"
    if vanilla:
        _, sign = _against(best, vanilla.label, unit)
        compared = {-1: "better than", 0: "not distinguishable from", 1: "worse than"}[sign]
        sentences += f"; it is {compared} vanilla training ({amount(vanilla.error.mean, unit)})"
    if mixup_sentence:
        sentences += f"; {mixup_sentence}"
    choice = next(row for row in rows if row.method == best.method)
    if choice.spec != best.spec:
        word = {"vanilla": "vanilla training", "mixup": f"mixup ({choice.chosen})"}[choice.spec.method]
        sentences += f"; the validation split preferred {word} to every local graph"
    return f"{sentences}.", details
