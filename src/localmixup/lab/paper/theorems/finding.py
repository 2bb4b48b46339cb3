"""The result of checking one statement of the paper."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

HOLDS, CORRECTED, FALSE, NOT_SHOWN = "holds", "holds with a correction", "false", "not shown"


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


def line_samples(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted normal inputs and normal outputs.

    Args:
        seed: seed of the draws.
        n: number of samples.
    """
    rng = np.random.default_rng(seed)
    return np.sort(rng.normal(size=n)), rng.normal(size=n)
