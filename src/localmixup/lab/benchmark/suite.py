"""Which data sets the benchmark holds, at which sizes."""

from __future__ import annotations

from typing import NamedTuple

from localmixup._validate import ArgumentError
from localmixup.lab.data.suite import SUITE

SIZES = (100, 300, 2000)
"""Rows that a run trains on at most."""

POOL = 2500
"""Rows of a set that are used at most; a fifth of them chooses, and a fifth judges."""

_ROOM = 1.2  # a smaller size is asked of a set only if so many times the rows are there


class Member(NamedTuple):
    """A data set of the benchmark.

    Attributes:
        name: a key of `localmixup.lab.data.suite.SUITE`.
        kind: `"table"`, `"image"`, `"features"` of images, `"control"` for made-up data on which mixup is known to
            harm, or `"regression"`.
        small: whether it belongs to the small suite.
    """

    name: str
    kind: str
    small: bool = False

    @property
    def untouched(self) -> bool:
        """Whether the set had no part in the choice of the numbers of `LocalMixup()`."""
        return SUITE[self.name].half != "choosing"


_KINDS = {
    "table": (
        "breast-cancer", "german", "letter", "page-blocks0", "phoneme", "pima", "satimage", "segment", "spambase",
        "splice", "vehicle", "vowel", "wine",
    ),
    "image": ("cifar10", "digits", "fashion_mnist", "mnist"),
    "features": ("cifar10-features", "fashion_mnist-features", "mnist-features"),
    "control": ("checkerboard", "quantiles-10", "spirals", "spirals-gaussian"),
    "regression": ("airfoil", "diabetes", "friedman-1", "no2"),
}  # fmt: skip
_SMALL = {"wine", "vehicle", "digits", "spirals", "diabetes"}

MEMBERS: dict[str, Member] = {
    name: Member(name, kind, name in _SMALL) for kind, names in _KINDS.items() for name in names
}
"""Every data set of the benchmark by its name."""


def members(suite: str) -> list[Member]:
    """Return the data sets of a suite.

    Args:
        suite: `"all"`, `"small"`, or names with commas.

    Raises:
        ArgumentError: an unknown name.

    >>> [member.name for member in members("wine,vowel")]
    ['wine', 'vowel']
    """
    if suite in ("all", "small"):
        return [member for member in MEMBERS.values() if member.small or suite == "all"]
    names = [name.strip() for name in suite.split(",") if name.strip()]
    unknown = [name for name in names if name not in MEMBERS]
    if unknown or not names:
        got = ", ".join(unknown) or repr(suite)
        raise ArgumentError(f"--suite must be all, small, or names with commas of {', '.join(MEMBERS)}, got {got}")
    return [MEMBERS[name] for name in dict.fromkeys(names)]


def is_large_enough(rows: int, size: int) -> bool:
    """Return whether a set has enough rows for runs of a size. The largest size takes whatever is there.

    Args:
        rows: of the set.
        size: one of `SIZES`.

    >>> is_large_enough(178, 100), is_large_enough(178, 300), is_large_enough(178, 2000)
    (True, False, True)
    """
    return size == SIZES[-1] or 0.8 * 0.9 * min(rows, POOL) >= _ROOM * size
