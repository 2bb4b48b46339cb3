"""Random rows of tables that are larger than memory should hold."""

import numpy as np
import pandas as pd
import pytest

from localmixup.lab.data.description import describe
from localmixup.lab.data.sources import load
from localmixup.lab.data.tables import formats, sampling, texts


def test_every_row_is_as_likely():
    counts = np.zeros(50)
    for seed in range(2000):
        chunks = (pd.DataFrame({"row": range(k, k + 10)}) for k in range(0, 50, 10))
        rows, total = sampling.sample(chunks, 8, seed)
        assert (len(rows), total) == (8, 50)
        assert rows["row"].is_monotonic_increasing
        counts[rows["row"]] += 1
    expected = 2000 * 8 / 50
    assert np.square(counts - expected).sum() / expected < 85  # chi squared with 49 degrees of freedom: p > .001


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_large_table_is_drawn_from_and_that_is_said(tmp_path, monkeypatch, suffix):
    rows = 3000
    frame = pd.DataFrame({"a": np.arange(rows) % 997 / 7, "b": np.arange(rows) % 13, "kind": ["x", "y"] * (rows // 2)})
    path = tmp_path / f"large.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, row_group_size=500)
    for module in (texts, formats):
        monkeypatch.setattr(module, "rows_to_keep", lambda columns: 400)
    monkeypatch.setattr(texts, "CHUNK_ROWS", 100)
    monkeypatch.setattr(sampling, "CHUNK_ROWS", 100)
    data = load(str(path), target="kind")
    assert (len(data.x), data.total) == (400, rows)
    assert describe(data)[0] == "rows: 400, drawn at random from 3,000"
    assert load(str(path), target="kind").fingerprint == data.fingerprint
    known = set(zip(frame["a"], frame["b"], strict=True))
    assert all((a, b) in known for a, b in data.x.tolist())
