"""Small copies of the paper's data, and one store in which every item has run on them in every protocol."""

import io
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.protocols import PROTOCOLS
from localmixup.lab.runs.store import Store

SHAPES = {
    "cifar10": (3, 32, 32), "cifar100": (3, 32, 32), "fashion_mnist": (1, 28, 28), "mnist": (1, 28, 28),
    "svhn": (3, 32, 32),
}  # fmt: skip
CASES = [(item, protocol) for item in ITEMS.values() for protocol in item.protocols if item.name != "figure5"]


class Smoke(NamedTuple):
    """All items after a smoke run: the store, and the events of every item and protocol."""

    store: Store
    bench: dict
    events: dict


def _png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """Data sets of the paper as small Parquet files in the Hub's layout, with something in them to learn.

    CIFAR-100 and SVHN are not there.
    """
    import datasets
    import pandas as pd

    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("cifar10", "fashion_mnist", "mnist"):
        channels, side, _ = SHAPES[name]
        column = "img" if name.startswith("cifar") else "image"
        (root / name).mkdir()
        for split, count in (("train", 80), ("test", 40)):
            y = np.arange(count) % 10
            x = rng.integers(0, 120, (count, side, side, channels)) + 12 * y[:, None, None, None]
            pixels = x.astype(np.uint8)[..., 0] if channels == 1 else x.astype(np.uint8)
            features = datasets.Features(
                {column: datasets.Image(), "label": datasets.ClassLabel(names=[f"c{k}" for k in range(10)])}
            )
            rows = {column: [{"bytes": _png(image), "path": None} for image in pixels], "label": y.tolist()}
            table = datasets.Dataset.from_dict(rows, features=features)
            table.to_parquet(str(root / name / f"{split}-00000-of-00001.parquet"))
    for name, columns in (("airfoil", 5), ("no2", 7)):
        x = rng.normal(size=(120, columns))
        table = pd.DataFrame(x, columns=[f"x{k}" for k in range(columns)])
        table["target"] = 100 + 5 * x.sum(axis=1)
        (root / name).mkdir()
        table.to_parquet(root / name / "data-00000-of-00001.parquet")
    return root


@pytest.fixture(scope="session")
def cifar_only(data_root, tmp_path_factory):
    """A folder with CIFAR-10 alone."""
    root = tmp_path_factory.mktemp("cifar10-only")
    (root / "cifar10").symlink_to(data_root / "cifar10")
    return root


@pytest.fixture(scope="session")
def smoke(data_root, cifar_only, tmp_path_factory):
    """Every item, once, with one run of every arm; figure 7, which has the most arms, on CIFAR-10 only."""
    cache = pytest.MonkeyPatch()
    cache.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    cache.delenv("LOCALMIXUP_DATA", raising=False)
    store = Store("sqlite://")
    benches = {
        (protocol, root): Bench(store, protocol, "smoke", runs=1, jobs=1, data_root=root)
        for protocol in PROTOCOLS
        for root in (data_root, cifar_only)
    }
    bench = {
        (item.name, protocol): benches[protocol, cifar_only if item.name == "figure7" else data_root]
        for item, protocol in CASES
    }
    events = {(item.name, p): list(item.run(bench[item.name, p])) for item, p in CASES}
    yield Smoke(store, bench, events)
    store.close()
    cache.undo()
