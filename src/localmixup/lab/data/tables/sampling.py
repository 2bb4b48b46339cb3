"""Take random rows of a table that is larger than memory should hold, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

MOST_ROWS = 1_000_000
"""Rows of a table that are kept in memory at most."""

MOST_VALUES = 25_000_000
"""Values of a table that are kept in memory at most: 200 MB as numbers."""

CHUNK_ROWS = 100_000
_SPARE = 2  # as many times the rows that are wanted are kept on the way


def rows_to_keep(columns: int) -> int:
    """Return how many rows of a table are kept at most.

    Args:
        columns: number of its columns.

    >>> rows_to_keep(20), rows_to_keep(100), rows_to_keep(10_000)
    (1000000, 250000, 2500)
    """
    return max(1000, min(MOST_ROWS, MOST_VALUES // max(1, columns)))


def sample(chunks: Iterable[Any], most: int, seed: int = 0) -> tuple[Any, int]:
    """Return uniformly random rows of a stream of data frames, in their order.

    Each row draws a number, and the rows with the smallest numbers are kept.

    Args:
        chunks: data frames with the same columns.
        most: number of rows to keep.
        seed: of the draws.

    Returns:
        The rows as one data frame with new row numbers, and how many rows the stream had.
    """
    import pandas as pd

    rng, total, limit = np.random.default_rng(seed), 0, 1.0
    kept: list[Any] = []
    drawn: list[np.ndarray] = []
    for chunk in chunks:
        total += len(chunk)
        numbers = rng.random(len(chunk))
        chosen = numbers < limit
        kept.append(chunk if chosen.all() else chunk[chosen])
        drawn.append(numbers[chosen])
        if sum(map(len, drawn)) > _SPARE * most:
            kept, drawn, limit = _smallest(kept, drawn, most)
    if sum(map(len, drawn)) > most:
        kept, drawn, limit = _smallest(kept, drawn, most)
    return pd.concat(kept, ignore_index=True), total


def _smallest(kept: list[Any], drawn: list[np.ndarray], most: int) -> tuple[list[Any], list[np.ndarray], float]:
    import pandas as pd

    numbers = np.concatenate(drawn)
    limit = float(np.partition(numbers, most)[most])
    chosen = numbers < limit
    return [pd.concat(kept, ignore_index=True)[chosen]], [numbers[chosen]], limit


def parquet_chunks(files: Iterable[Path]) -> Iterator[Any]:
    """Yield the rows of Parquet files as data frames, some at a time.

    Args:
        files: in order.
    """
    import pyarrow.parquet as pq

    for file in files:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(batch_size=CHUNK_ROWS):
                yield batch.to_pandas()
