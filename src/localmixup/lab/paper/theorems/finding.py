"""The result of checking one statement of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

HOLDS, CORRECTED, FALSE, NOT_SHOWN = "holds", "holds with a correction", "false", "not shown"

_MEANINGS = {
    HOLDS: "as printed, for what was computed, which is no proof",
    CORRECTED: "the numbers contradict it as printed, and agree with what the last column says",
    FALSE: "the numbers contradict it",
    NOT_SHOWN: "the paper's statements do not lead to it",
}


class Finding(NamedTuple):
    """The result of checking one statement. The verdict follows from the computation.

    Attributes:
        statement: its number in the paper.
        claim: what it says.
        verdict: `"holds"`, `"holds with a correction"`, `"false"` or `"not shown"`.
        evidence: the numbers behind the verdict.
        instead: what is true; may be empty if the claim holds.
    """

    statement: str
    claim: str
    verdict: str
    evidence: str
    instead: str


def verdict(as_printed: bool, corrected: bool) -> str:
    """Return the verdict on a statement.

    Args:
        as_printed: whether the statement holds as it is printed.
        corrected: whether its correction holds.
    """
    return HOLDS if as_printed else (CORRECTED if corrected else FALSE)


def summary(found: Sequence[Finding]) -> str:
    """Return how many statements got each verdict, and what the verdicts mean.

    Args:
        found: the findings.

    >>> print(summary([Finding("Lemma 1", "", HOLDS, "", ""), Finding("Lemma 2", "", FALSE, "", "")]))
    Of 2 statements 1 holds, 1 is false.
    <BLANKLINE>
    "holds": as printed, for what was computed, which is no proof.
    "false": the numbers contradict it.
    """
    ways = {HOLDS: ("holds", "hold"), CORRECTED: ("holds with a correction", "hold with a correction")}
    ways |= {FALSE: ("is false", "are false"), NOT_SHOWN: ("is not shown", "are not shown")}
    counts = {word: sum(finding.verdict == word for finding in found) for word in ways}
    told = ", ".join(f"{count} {ways[word][count != 1]}" for word, count in counts.items() if count)
    meanings = [f'"{word}": {_MEANINGS[word]}.' for word, count in counts.items() if count]
    return "\n".join([f"Of {len(found)} statements {told}.", "", *meanings])


def line_samples(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted normal inputs and normal outputs.

    Args:
        seed: seed of the draws.
        n: number of samples.
    """
    rng = np.random.default_rng(seed)
    return np.sort(rng.normal(size=n)), rng.normal(size=n)
