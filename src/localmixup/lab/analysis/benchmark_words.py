"""What the benchmark found, in sentences and tables: once for the terminal, the page and the text file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from localmixup.lab.analysis.benchmark_contrasts import Table, better_and_worse, contrasts, mean_text
from localmixup.lab.analysis.benchmark_labels import (
    CLASSICAL,
    CONTROLS,
    KINDS,
    NEAR,
    RECOMMENDED,
    REFERENCE,
    UNTOUCHED,
)
from localmixup.lab.analysis.benchmarked import Effect, SetResult
from localmixup.lab.analysis.over_sets import (
    FEWEST_SETS,
    Ranks,
    combined,
    effects_of,
    ranks_of,
    regrets,
    signed_rank_p,
)
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.analysis.wording import LEVEL, decimals_of, p_text, signed


def primary_sentence(results: Sequence[SetResult]) -> str:
    """Return the answer to the primary question in one or two sentences."""
    found = combined(effects_of(results, UNTOUCHED, "reference"))
    average = (
        f"On {found.sets} data sets {UNTOUCHED} differs from {REFERENCE} by {signed(found.mean)} margins on average "
        f"(95 % interval {signed(found.low)} to {signed(found.high)}; a margin is the difference that counts as equal; "
        f"negative is better; {signed(found.plain)} if every set counts alike)"
    )
    if math.isnan(found.p):
        return f"{average}. These are too few sets for a test."
    shown = found.p < LEVEL
    direction = "better" if found.median < 0 else "worse"
    verdict = f"It is {direction} ({p_text(found.p)})" if shown else f"No difference is shown ({p_text(found.p)})"
    return (
        f"{average}. {verdict}, Wilcoxon's signed-rank test over sets. On the next set it would be better by more than "
        f"a margin with a probability of {_percent(found.following[0])}, about equal with "
        f"{_percent(found.following[1])} and worse with {_percent(found.following[2])}."
    )


def by_set(results: Sequence[SetResult]) -> Table:
    """Return one row for each set: what the main arms show, and the primary contrast."""
    rows = []
    for result in sorted(results, key=lambda r: (list(KINDS).index(r.kind), r.name)):
        decimals = decimals_of(result.unit, max(arm.error for arm in result.arms))
        main = (VANILLA, MIXUP, UNTOUCHED, RECOMMENDED, LOCAL, NEAR)
        errors = [f"{result.arm(label).error:.{decimals}f}" for label in main]
        effect = result.effect(UNTOUCHED, result.reference)
        best = min((arm for arm in result.arms if arm.label not in CONTROLS), key=lambda arm: arm.error)
        rows.append([
            f"{result.name}{'' if result.untouched else ' *'}", KINDS[result.kind], f"{result.train_rows:,}", *errors,
            "" if effect is None else _difference(effect, decimals), result.reference,
            f"{best.label} ({best.error:.{decimals}f})",
        ])  # fmt: skip
    return Table(
        "Every set",
        "Test error in percent, or the root mean squared error of a regression. The difference is the primary "
        "contrast, with its 95 % interval. Sets with a star had a part in the choice of the numbers of LocalMixup(). "
        "The lowest error of all arms is partly luck.",
        [
            "set",
            "kind",
            "rows",
            VANILLA,
            MIXUP,
            UNTOUCHED,
            RECOMMENDED,
            LOCAL,
            NEAR,
            f"{UNTOUCHED} against",
            "what",
            "lowest",
        ],
        rows,
    )


def _difference(effect: Effect, decimals: int) -> str:
    low, high = effect.interval()
    return f"{signed(effect.mean, decimals)} ({signed(low, decimals)} to {signed(high, decimals)})"


def arms_in_rank(results: Sequence[SetResult]) -> Ranks | None:
    """Return the mean ranks of all arms but the controls, or None with too few sets."""
    labels = labels_of(results)
    if len(results) < FEWEST_SETS:
        return None
    return ranks_of(np.array([[result.arm(label).error for label in labels] for result in results]), labels)


def labels_of(results: Sequence[SetResult]) -> list[str]:
    """Return the labels of all arms but the controls."""
    return [arm.label for arm in results[0].arms if arm.label not in CONTROLS]


def arms(results: Sequence[SetResult]) -> Table:
    """Return one row for each arm: mean rank, difference to vanilla training, calibration."""
    ranks = arms_in_rank(results)
    classes = [r for r in results if r.task == "classification"]
    rows = []
    for label in ranks.labels if ranks else labels_of(results):
        rank = f"{ranks.means[ranks.labels.index(label)]:.2f}" if ranks else ""
        columns = []
        for measure, part in (("error", results), ("nll", classes)):
            effects = effects_of(part, label, VANILLA, measure)
            columns += [mean_text(combined(effects)), better_and_worse(effects)] if effects else ["", ""]
        calibration = [100 * r.arm(label).scores.get("calibration", math.nan) for r in classes]
        rows.append([
            label, rank, *columns, f"{np.mean(calibration):.2f}" if calibration else "",
            _calibration_against_vanilla(classes, label),
        ])  # fmt: skip
    critical = "" if ranks is None else (
        f" Mean ranks that differ by less than {ranks.critical:.2f} are not shown to differ (Nemenyi, 5 %)."
    )  # fmt: skip
    return Table(
        "Every arm",
        "Differences to vanilla training in margins, with the 95 % interval of the mean over sets; negative is better. "
        "Better / worse: on how many sets that is shown, not corrected; in brackets by the wider intervals of Nadeau "
        "and Bengio. Calibration error in percentage points, a mean over the sets with classes, and its difference to "
        f"vanilla training: mean, median, and p of Wilcoxon's test.{critical}",
        [
            "arm",
            "mean rank",
            "error",
            "better / worse",
            "negative log-likelihood",
            "better / worse",
            "calibration error",
            "against vanilla",
        ],
        rows,
    )


def _calibration_against_vanilla(classes: Sequence[SetResult], label: str) -> str:
    """Return mean, median and p-value of the differences in calibration error to vanilla training."""
    if label == VANILLA or not classes:
        return ""
    found = [100 * (r.arm(label).scores["calibration"] - r.arm(VANILLA).scores["calibration"]) for r in classes]
    p = signed_rank_p(found)
    tested = "" if math.isnan(p) else f", {p_text(p)}"
    return f"{signed(float(np.mean(found)))}, {signed(float(np.median(found)))}{tested}"


def regret(results: Sequence[SetResult]) -> Table:
    """Return how far `LocalMixup()` is from the arm that turned out best, set by set."""
    found = regrets(results, UNTOUCHED, labels_of(results))
    rows = [[one.name, f"{one.error:.4g}", f"{one.lowest:.4g}", one.best, f"{one.margins:.2f}"] for one in found]
    margins = [one.margins for one in found]
    return Table(
        "Regret of LocalMixup()",
        f"Against the arm that turned out best, which favours that arm: median {np.median(margins):.2f} margins, "
        f"nine in ten at most {np.quantile(margins, 0.9):.2f}.",
        ["set", UNTOUCHED, "lowest", "by", "regret in margins"],
        rows,
    )  # fmt: skip


def verdicts(results: Sequence[SetResult]) -> Table:
    """Return how often the verdict of `inspect` agrees with whether classical mixup harms."""
    rows = []
    for word in ("safe", "unclear", "harmful"):
        effects = [e for r in results if r.verdict == word and (e := r.effect(CLASSICAL, VANILLA)) is not None]
        shown = [e.interval() for e in effects]
        largest = max((e.mean / e.margin for e in effects), default=math.nan)
        rows.append([
            word, str(len(effects)), str(sum(low > 0 for low, _ in shown)), str(sum(high < 0 for _, high in shown)),
            "" if math.isnan(largest) else signed(largest),
        ])  # fmt: skip
    return Table(
        "The verdict of inspect",
        "Against what classical mixup of all samples does to vanilla training.",
        ["verdict", "sets", "harm shown", "gain shown", "largest harm, in margins"],
        rows,
    )


def tables(results: Sequence[SetResult]) -> list[Table]:
    """Return all tables, the most important first."""
    return [contrasts(results), by_set(results), arms(results), regret(results), verdicts(results)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
