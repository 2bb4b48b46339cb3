"""Where data come from: a name, a file or folder of the user's own, or the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from localmixup._validate import ArgumentError, check_choice
from localmixup.lab.data import files
from localmixup.lab.data.dataset import DataSet, checked
from localmixup.lab.data.generators import digits, spirals
from localmixup.lab.data.tables import read_table
from localmixup.lab.errors import DataMissingError

IMAGE_SETS = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "mnist": "ylecun/mnist",
    "svhn": "ufldl-stanford/svhn",
}
"""Named image sets and their names on the Hub."""

CONFIGURATIONS = {"cifar100": "cifar100", "svhn": "cropped_digits"}
"""Configuration on the Hub, which may also be a sub-folder here; of these sets only `train-*` and `test-*` are read."""

TABLES = ("airfoil", "no2")
"""Named regression tables: folders of Parquet files with a column `target`, not on the Hub."""

NAMED = {
    "digits": "scikit-learn's 1,797 handwritten digits of 8 x 8 pixels",
    "spirals": "two spirals as the authors' code draws them: uniform noise of 0.5, the second the first mirrored",
    "spirals-gaussian": "two spirals as the paper's text says: Gaussian noise of standard deviation 1.5",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100, its 100 fine classes",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
    "svhn": "Street View House Numbers, cropped digits of 32 x 32 pixels, without the extra images",
    "airfoil": "Airfoil Self-Noise: the sound pressure of a wing section, 1,503 rows",
    "no2": "NO2: the logarithm of its concentration at a road in Oslo, 500 rows",
}
"""Data sets known by name."""


def load(source: str, *, target: str | None = None, task: str | None = None, data_root: Path | None = None) -> DataSet:
    """Find and read a data set.

    Args:
        source: a name of `NAMED`; a `.csv`, `.parquet` or `.npz` file; a folder of class folders with images, or of
            Parquet files in the Hub's layout; or a name on the Hugging Face Hub.
        target: column to predict, for tables.
        task: `"classification"` or `"regression"`, where the target column shall not decide.
        data_root: folder that holds named image sets and tables, each in a folder of its name.

    Raises:
        ArgumentError: it is not there, or not as it should be.
    """
    if source == "digits":
        return checked(DataSet("digits", "image", *digits(), class_names=tuple("0123456789")))
    if source in ("spirals", "spirals-gaussian"):
        reading = "published" if source == "spirals" else "paper"
        return checked(DataSet(source, "table", *spirals(reading=reading), class_names=("first", "second")))
    if source in IMAGE_SETS:
        return checked(_named_images(source, data_root))
    if source in TABLES:
        return checked(_named_table(source, data_root, target=target, task=task))
    path = Path(source).expanduser()
    if path.exists():
        return checked(files.read(path, target=target, task=task))
    if path.suffix.lower() in files.SUFFIXES or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ArgumentError(f"DATA: no such file or folder: {source}")
    if "/" in source:
        return checked(files.read_hub(source, name=source))
    try:
        check_choice("DATA", source, NAMED)
    except ValueError as error:
        raise ArgumentError(f"{error}; or the path of a .csv, .parquet or .npz file or of a folder of images") from None
    raise AssertionError(source)


def _named_images(name: str, data_root: Path | None) -> DataSet:
    configuration = CONFIGURATIONS.get(name)
    if configuration is None:
        splits, on_hub = None, IMAGE_SETS[name]
        folder, tried = _look_for("*.parquet", [name], data_root)
    else:
        splits, on_hub = ("train-", "test-"), f"{IMAGE_SETS[name]}, {configuration}"
        folder, tried = _look_for("train-*.parquet", [name, f"{name}/{configuration}"], data_root)
    if folder is not None:
        return files.read_hub_folder(folder, name=name, splits=splits)
    try:
        return files.read_hub(IMAGE_SETS[name], name=name, configuration=configuration)
    except ArgumentError as error:
        where = ", ".join([*tried, f"the Hub ({on_hub})"])
        raise DataMissingError(f"{name} was not found; looked in {where}. {error}") from None


def _named_table(name: str, data_root: Path | None, *, target: str | None, task: str | None) -> DataSet:
    folder, tried = _look_for("*.parquet", [name], data_root)
    if folder is None:
        raise DataMissingError(
            f"{name} was not found; looked for *.parquet in {', '.join(tried)}. It is not on the Hub: "
            "put its Parquet files, with a column 'target', into one of these folders"
        )
    found = sorted(folder.glob("*.parquet"))
    table = read_table(found[0] if len(found) == 1 else folder, target=target or "target", task=task or "regression")
    return replace(table, name=name)


def _look_for(pattern: str, folders: Sequence[str], data_root: Path | None) -> tuple[Path | None, list[str]]:
    """The first folder that holds files of this pattern, or None, and the places tried before it, in words."""
    tried = []
    places = [("--data-root", data_root), ("$LOCALMIXUP_DATA", os.environ.get("LOCALMIXUP_DATA")), ("./data", "data")]
    for label, place in places:
        if place is None or place == "":
            tried.append(f"{label} (not set)")
            continue
        candidates = [Path(place).expanduser() / folder for folder in folders]
        for candidate in candidates:
            if any(candidate.glob(pattern)):
                return candidate, tried
        tried.append(f"{label} ({', '.join(map(str, candidates))})")
    return None, tried
