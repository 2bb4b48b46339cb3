"""`localmixup.lab.inspect`: the command as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localmixup._validate import check_flag
from localmixup.lab.data.reading import reading_of
from localmixup.lab.functions.results import InspectionResult
from localmixup.lab.functions.work import check_numbers, finish, read
from localmixup.lab.scratch import temporary_folder


def inspect(
    data: Any,
    *,
    target: Any = None,
    task: str | None = None,
    name: str = "your data",
    resize: int | str | tuple[int, int] | None = None,
    layout: str | None = None,
    drop: str | Sequence[str] | None = None,
    missing: str = "impute",
    features: Any = None,
    encoder: str | Path | None = None,
    pca: int | None = None,
    batch_size: int = 64,
    mixup_alpha: float = 1.0,
    n_nearest: int = 1,
    n_samples: int = 20_000,
    train_size: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
) -> InspectionResult:
    """Measure whether mixup is safe on your data, and which recipe to use. Nothing is trained.

    Args:
        data: a data frame with `target`, a pair `(x, y)` of arrays or tensors, one array with `target`, a torch
            `Dataset` of pairs, scikit-learn's `Bunch`, or what the command takes: a name such as `"digits"`, or a path.
        target: of a data frame the column to predict, or its values; of one array the targets.
        task: `"classification"` or `"regression"`; by default the target decides.
        name: of the data, as it is printed.
        resize: the size of images to be read: one number, `"32x48"` or `(height, width)`; by default they keep theirs.
        layout: what the axes of an array of three or four dimensions are: `"channels-first"`, `"channels-last"`,
            `"gray"` or `"sequence"`; by default its shape decides.
        drop: columns of a table or data frame that are left out: names, or one text with commas between them.
        missing: what is done about missing values of a table: `"impute"` fills them within the training rows,
            `"error"` refuses them.
        features: what distances are measured on instead of the standardised inputs: an array of shape `(rows, d)`, or
            the path of a `.npy` file.
        encoder: path of a TorchScript or exported program (`.pt2`) file that maps standardised inputs to features. It
            is a program, which is run: use only encoders that you trust.
        pca: number of principal components to measure distances on.
        batch_size: samples of a batch of your training loop.
        mixup_alpha: the strength of mixup, see `localmixup.LocalMixup`.
        n_nearest: number of nearest real samples that decide the class of a mixed one.
        n_samples: number of mixed samples, approximately.
        train_size: use only this many random rows.
        seed: of all draws.
        jobs: number of threads; by default one for each core.
        progress: show what happens; False prints nothing.

    Returns:
        The verdict, the recipe, the numbers and the page; a notebook shows the page.

    Raises:
        ArgumentError: an argument is wrong.
    """
    from localmixup.lab.inspection import inspect as inspect_steps
    from localmixup.lab.inspection import summary
    from localmixup.lab.report.inspection_page import write_inspection

    check_flag("progress", progress)
    wholes = {
        "batch_size": (batch_size, 2), "n_nearest": (n_nearest, 1), "n_samples": (n_samples, 100), "seed": (seed, 0),
        "train_size": (train_size, 20), "jobs": (jobs, 1), "pca": (pca, 1),
    }  # fmt: skip
    check_numbers(wholes, {"mixup_alpha": mixup_alpha})
    reading = reading_of(resize=resize, layout=layout, drop=drop, missing=None if missing == "impute" else missing)
    found = read(data, target=target, task=task, name=name, reading=reading)
    with temporary_folder() as folder:
        work = inspect_steps(
            found,
            features_file=_features_file(features, folder),
            encoder=None if encoder is None else Path(encoder),
            pca=pca,
            batch_size=batch_size,
            mixup_alpha=mixup_alpha,
            n_nearest=n_nearest,
            n_samples=n_samples,
            train_size=train_size,
            seed=seed,
            n_jobs=jobs,
        )
        inspection = finish(work, progress=progress)
        page = folder / InspectionResult.page_file
        write_inspection(page, inspection)
        return InspectionResult(page.read_text(encoding="utf-8"), summary(inspection), inspection)


def _features_file(features: Any, folder: Path) -> Path | None:
    """Return the file of features, written first if they are an array."""
    if features is None or isinstance(features, (str, Path)):
        return None if features is None else Path(features)
    path = folder / "features.npy"
    np.save(path, np.asarray(features.detach().cpu() if hasattr(features, "detach") else features))
    return path
