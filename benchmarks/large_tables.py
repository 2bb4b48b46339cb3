"""Make the large tables of docs/what-it-reads.md, and measure time and memory of a command on one of them.

`python benchmarks/large_tables.py make FOLDER` writes them, and
`python benchmarks/large_tables.py run inspect FOLDER/long.csv --target kind` measures.
"""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

PART = 100_000
TABLES = {"long.csv": (1_000_000, 20), "wide.csv": (200_000, 100), "huge.parquet": (10_000_000, 20)}
"""Rows and inputs of each table."""


def part(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Return rows of a table: a class that depends on the first inputs, one text column, and gaps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).astype(np.float32)
    frame = pd.DataFrame(x.round(4), columns=[f"x{k}" for k in range(columns)])
    frame.loc[rng.random(rows) < 0.02, "x3"] = np.nan
    frame[f"x{columns - 1}"] = rng.choice(["red", "green", "blue"], rows)
    frame["kind"] = np.where(np.sin(2 * x[:, 0]) + x[:, 1] + rng.normal(size=rows) / 2 > 0, "yes", "no")
    return frame


def make(folder: Path) -> None:
    """Write the tables that are not there yet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    for name, (rows, columns) in TABLES.items():
        path = folder / name
        if path.exists():
            continue
        parts = (part(PART, columns, seed) for seed in range(rows // PART))
        if path.suffix == ".csv":
            for k, frame in enumerate(parts):
                frame.to_csv(path, mode="a" if k else "w", header=not k, index=False)
        else:
            first = next(parts)
            with pq.ParquetWriter(path, pa.Schema.from_pandas(first, preserve_index=False)) as writer:
                for frame in itertools.chain([first], parts):
                    writer.write_table(pa.Table.from_pandas(frame, preserve_index=False))


def run(arguments: list[str]) -> None:
    """Run a command of `localmixup` and print its time and the most memory that one of its processes used."""
    started = time.perf_counter()
    status = subprocess.run([sys.executable, "-m", "localmixup", *arguments], check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{' '.join(arguments)}: status {status}, {time.perf_counter() - started:.0f} s, "
        f"{used.ru_utime + used.ru_stime:.0f} s of CPU, {used.ru_maxrss / 2**20:.2f} GB in the largest process"
    )


if __name__ == "__main__":
    make(Path(sys.argv[2])) if sys.argv[1] == "make" else run(sys.argv[2:])
