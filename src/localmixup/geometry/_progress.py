"""Progress of long computations, as a generator: it yields how far it is and returns its result.

Each long function has a twin that ends in `_steps`. The function itself runs its twin to the end; a caller who wants to
show progress iterates over the twin, or writes `result = yield from ..._steps(...)`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Progress(NamedTuple):
    """How much of a computation is finished.

    Attributes:
        done: units of work finished.
        total: units of work in all.
    """

    done: float
    total: float


def run_to_end(steps: Generator[Progress, None, T]) -> T:
    """Run a computation to its end and return its result.

    Args:
        steps: the computation.

    >>> def count():
    ...     yield Progress(1, 1)
    ...     return "result"
    >>> run_to_end(count())
    'result'
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
