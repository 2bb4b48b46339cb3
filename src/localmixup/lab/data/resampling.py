"""Which rows choose, which train and which judge in `localmixup compare`: repeated holdout with fixed rows to choose.

A fifth of the pool, V, is set aside once. It decides between candidates and never judges. Every resample then draws
its own training rows and, where the data have no test set of their own, its own test rows outside V.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from localmixup.lab.data.prepared import Prepared, split_rows

SHARE = 0.2
"""Share of the pool that chooses, and share that judges where the data have no test set."""

KEPT = 0.9
"""Share of the rows at hand that a resample trains on where no test rows are drawn."""

_STAGES = {"choose": 1, "judge": 2}


class Rows(NamedTuple):
    """Rows of the pool, sorted, each of shape `(k,)`.

    Attributes:
        train: rows to train on.
        validation: rows that choose; empty where a run judges.
        test: rows that judge; empty where a run chooses, and where the data have a test set of their own.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def resampled_rows(prepared: Prepared, stage: str, seed: int, *, split_seed: int = 0, most: int | None = None) -> Rows:
    """Return the rows of one run.

    Args:
        prepared: the data. Without a test set of their own its test set is empty.
        stage: `"choose"`: train on a random 90 % of the rows outside V, and measure on V. `"judge"`: train on a random
            90 % of the pool and measure on the test set; or, without a test set, measure on a random fifth of the
            pool drawn outside V, and train on all other rows.
        seed: of the run. The two stages never share a split, whatever their seeds.
        split_seed: sets V.
        most: how many training rows are kept at most, at random.
    """
    pool = np.arange(len(prepared.x))
    none = pool[:0]
    rest, chooses = split_rows(prepared, pool, SHARE, split_seed)
    drawn = int(np.random.SeedSequence((split_seed, _STAGES[stage], seed)).generate_state(1)[0])
    if stage == "choose":
        rows = Rows(split_rows(prepared, rest, 1 - KEPT, drawn)[0], chooses, none)
    elif len(prepared.x_test):
        rows = Rows(split_rows(prepared, pool, 1 - KEPT, drawn)[0], none, none)
    else:
        judges = split_rows(prepared, rest, judging_rows(len(pool)), drawn)[1]
        rows = Rows(np.setdiff1d(pool, judges), none, judges)
    if most is None or len(rows.train) <= most:
        return rows
    return rows._replace(train=split_rows(prepared, rows.train, most, drawn)[1])


def judging_rows(pool: int) -> int:
    """Return the number of rows that judge in one resample, of data without a test set.

    Args:
        pool: number of rows of the pool.

    >>> judging_rows(178)
    36
    """
    return round(SHARE * pool)


def rows_that_can_judge(prepared: Prepared) -> int:
    """Return from how many rows those that judge are drawn: the pool without V, or the whole test set."""
    if len(prepared.x_test):
        return len(prepared.x_test)
    pool = np.arange(len(prepared.x))
    return len(split_rows(prepared, pool, SHARE, 0)[0])


def overlap(prepared: Prepared) -> float:
    """Return the share of its test rows that a resample shares with another one, on average; 1 with a test set.

    Nadeau and Bengio take this share, `n_test / (n_test + n_train)` where test rows are drawn from all rows, for the
    correlation of two resamples. Here they are drawn from the rows outside V only, so that more of them meet again.
    """
    return 1.0 if len(prepared.x_test) else judging_rows(len(prepared.x)) / rows_that_can_judge(prepared)
