"""Small data that the tests of the lab share, and a cache folder of their own."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _cache_in_tmp(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("LOCALMIXUP_DATA", raising=False)


@pytest.fixture(scope="session")
def blobs():
    """Two classes of points, far enough apart to be learned in a few updates."""
    from localmixup.lab.data.dataset import DataSet

    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = rng.normal(size=(120, 2)).astype(np.float32) + 2.5 * y[:, None].astype(np.float32)
    return DataSet("blobs", "table", x, y.astype(np.int64), class_names=("low", "high"))


@pytest.fixture(scope="session")
def prepared(blobs):
    from localmixup.lab.data.prepared import prepare

    return prepare(blobs)
