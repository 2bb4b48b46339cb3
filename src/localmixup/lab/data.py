"""Where data come from: a name, a file or folder of the user's own, or the Hugging Face Hub."""

from __future__ import annotations

import os
from pathlib import Path

from localmixup._checks import check_choice
from localmixup.lab import files
from localmixup.lab.dataset import DataSet, checked
from localmixup.lab.errors import UserError
from localmixup.lab.generators import digits, spirals

IMAGE_SETS = {
    "cifar10": "uoft-cs/cifar10",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "mnist": "ylecun/mnist",
}
"""Named image sets and their names on the Hub."""

NAMED = {
    "digits": "scikit-learn's 1,797 handwritten digits of 8 x 8 pixels",
    "spirals": "two spirals as the authors' code draws them: uniform noise of 0.5, the second the first mirrored",
    "spirals-gaussian": "two spirals as the paper's text says: Gaussian noise of standard deviation 1.5",
    "cifar10": "CIFAR-10",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
}
"""Data sets known by name."""


def load(source: str, *, target: str | None = None, task: str | None = None, data_root: Path | None = None) -> DataSet:
    """Find and read a data set.

    Args:
        source: a name of `NAMED`; a `.csv`, `.parquet` or `.npz` file; a folder of class folders with images, or of
            Parquet files in the Hub's layout; or a name on the Hugging Face Hub.
        target: column to predict, for tables.
        task: `"classification"` or `"regression"`, where the target column shall not decide.
        data_root: folder that holds named image sets, each in a folder of its name.

    Raises:
        UserError: it is not there, or not as it should be.
    """
    if source == "digits":
        return checked(DataSet("digits", "image", *digits(), class_names=tuple("0123456789")))
    if source in ("spirals", "spirals-gaussian"):
        reading = "published" if source == "spirals" else "paper"
        return checked(DataSet(source, "table", *spirals(reading=reading), class_names=("first", "second")))
    if source in IMAGE_SETS:
        return checked(_named_images(source, data_root))
    path = Path(source).expanduser()
    if path.exists():
        return checked(files.read(path, target=target, task=task))
    if path.suffix.lower() in files.SUFFIXES or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise UserError(f"DATA: no such file or folder: {source}")
    if "/" in source:
        return checked(files.read_hub(source, name=source))
    try:
        check_choice("DATA", source, NAMED)
    except ValueError as error:
        raise UserError(f"{error}; or the path of a .csv, .parquet or .npz file or of a folder of images") from None
    raise AssertionError(source)


def _named_images(name: str, data_root: Path | None) -> DataSet:
    tried = []
    places = [("--data-root", data_root), ("$LOCALMIXUP_DATA", os.environ.get("LOCALMIXUP_DATA")), ("./data", "data")]
    for label, place in places:
        if place is None or place == "":
            tried.append(f"{label} (not set)")
            continue
        folder = Path(place).expanduser() / name
        if any(folder.glob("*.parquet")):
            return files.read_hub_folder(folder, name=name)
        tried.append(f"{label} ({folder})")
    try:
        return files.read_hub(IMAGE_SETS[name], name=name)
    except UserError as error:
        where = ", ".join([*tried, f"the Hub ({IMAGE_SETS[name]})"])
        raise UserError(f"{name} was not found; looked in {where}. {error}") from None
