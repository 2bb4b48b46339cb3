"""Every lemma and theorem of the paper as a check on random data with a fixed seed."""

from localmixup.lab.paper.theorems.figures import draw as draw
from localmixup.lab.paper.theorems.finding import Finding as Finding
from localmixup.lab.paper.theorems.finding import summary as summary
from localmixup.lab.paper.theorems.linear_and_lipschitz import theorem_4_5, theorem_4_6
from localmixup.lab.paper.theorems.on_the_line import lemma_3_1, theorem_3_2_continuous, theorem_3_2_linear
from localmixup.lab.paper.theorems.on_the_ring import (
    corollary_4_3_1,
    definition_4_1,
    equations_4_and_5,
    lemma_4_1,
    lemma_4_3,
    reading_of_theorem_4_2,
    theorem_4_2,
    theorem_4_4,
)

__all__ = ["CHECKS", "Finding", "check_all", "draw", "summary"]

CHECKS = (
    lemma_3_1, theorem_3_2_linear, theorem_3_2_continuous, definition_4_1, equations_4_and_5, lemma_4_1, theorem_4_2,
    reading_of_theorem_4_2, lemma_4_3, corollary_4_3_1, theorem_4_4, theorem_4_5, theorem_4_6,
)  # fmt: skip
"""The checks in the order of the paper."""


def check_all() -> list[Finding]:
    """Check every statement in the order of the paper; this takes a few seconds."""
    return [check() for check in CHECKS]
