import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("LOCALMIXUP_DATA", raising=False)


@pytest.fixture(scope="session")
def blobs():
    """Two classes of points, far enough apart to learn in a few updates."""
    from localmixup.lab.data.dataset import DataSet

    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    x = rng.normal(size=(120, 2)).astype(np.float32) + 2.5 * y[:, None].astype(np.float32)
    return DataSet("blobs", "table", x, y.astype(np.int64), class_names=("low", "high"))


@pytest.fixture(scope="session")
def prepared(blobs):
    from localmixup.lab.data.prepared import prepare

    return prepare(blobs)


@pytest.fixture
def one_thread():
    torch.set_num_threads(1)
