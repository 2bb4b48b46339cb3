import numpy as np
import pytest

from localmixup.lab.inspection import inspect


def finish(events):
    """Run an inspection to its end and return its events and its result."""
    seen = []
    while True:
        try:
            seen.append(next(events))
        except StopIteration as end:
            return seen, end.value


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rings_and_blobs(n=100):
    """A ring around a disc, two separate blobs, and their labels."""
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, 2 * np.pi, n), np.arange(n) % 2
    length = np.where(y == 0, 3 + rng.uniform(0, 0.3, n), np.sqrt(rng.uniform(0, 1.5, n)))
    rings = np.column_stack([length * np.cos(angle), length * np.sin(angle)])
    return rings, rng.uniform(-1, 1, size=(n, 2)) + 9 * y[:, None], y


@pytest.fixture(scope="session")
def inspected_rings(tmp_path_factory):
    """Events and result of the inspection of a ring around a disc."""
    path = tmp_path_factory.mktemp("rings") / "rings.npz"
    rings, _, y = rings_and_blobs()
    np.savez(path, x=rings, y=y)
    return finish(inspect(str(path), n_samples=500))


@pytest.fixture(scope="session")
def inspected_blobs(tmp_path_factory):
    """Events and result of the inspection of two blobs."""
    path = tmp_path_factory.mktemp("blobs") / "blobs.npz"
    _, blobs, y = rings_and_blobs()
    np.savez(path, x=blobs, y=y)
    return finish(inspect(str(path), n_samples=500))
