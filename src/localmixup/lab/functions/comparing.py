"""`localmixup.lab.compare`: the command as a function."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localmixup import LocalMixup
from localmixup._validate import ArgumentError, check_choice, check_flag, check_number
from localmixup.lab.data.reading import reading_of
from localmixup.lab.functions.results import ComparisonResult
from localmixup.lab.functions.work import check_numbers, finish, read
from localmixup.lab.handover import RECIPE_FILE, write_recipe
from localmixup.lab.limits import MOST
from localmixup.lab.scratch import temporary_folder

if TYPE_CHECKING:
    from localmixup.lab.models.own import Factory

DEVICES = ("cpu", "cuda")
PRECISIONS = ("no", "bf16", "fp16")


def compare(
    model: str | Factory | None,
    data: Any,
    *,
    target: Any = None,
    test: Any = None,
    task: str | None = None,
    name: str = "your data",
    resize: int | str | tuple[int, int] | None = None,
    layout: str | None = None,
    drop: str | Sequence[str] | None = None,
    missing: str = "impute",
    optimizer: str | Factory | None = None,
    epochs: float | None = None,
    resamples: int = 10,
    budget: float | str | None = None,
    recipe: LocalMixup | Mapping[str, Any] | str | Path | None = None,
    methods: str | Sequence[str] = (),
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    augmentation: str | None = None,
    train_size: int | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    precision: str = "no",
    backend: str = "loky",
    scheduler: str | None = None,
    store: str | None = None,
    progress: bool = True,
) -> ComparisonResult:
    """Compare local mixup, mixup and training without mixup on your data, and decide which to use.

    Inputs are standardised, many networks are trained, and candidates are chosen on some rows and judged on others.

    Args:
        model: what to train: a function `(shape, outputs) -> torch.nn.Module` that makes a new network for inputs of a
            shape, `"package.module:function"`, a name such as `"mlp"` or `"resnet"`, or None to pick one by the data.
        data: a data frame with `target`, a pair `(x, y)` of arrays or tensors, one array with `target`, a torch
            `Dataset` of pairs, scikit-learn's `Bunch`, or what the command takes: a name such as `"digits"`, or a path.
        target: of a data frame the column to predict, or its values; of one array the targets.
        test: a test set `(x, y)`; by default each resample holds out other rows.
        task: `"classification"` or `"regression"`; by default the target decides.
        name: of the data, as it is printed.
        resize: the size of images to be read: one number, `"32x48"` or `(height, width)`; by default they keep theirs.
        layout: what the axes of an array of three or four dimensions are: `"channels-first"`, `"channels-last"`,
            `"gray"` or `"sequence"`; by default its shape decides.
        drop: columns of a table or data frame that are left out: names, or one text with commas between them.
        missing: what is done about missing values of a table: `"impute"` fills them within the training rows,
            `"error"` refuses them.
        optimizer: a function `parameters -> torch.optim.Optimizer`, or a name (`"adamw"`, `"adam"`, `"sgd"`,
            `"nesterov"`); by default AdamW. The learning rate falls along a cosine to zero.
        epochs: passes over the training data; by default a number of updates that suits the model.
        resamples: number of fresh random splits to judge on, >= 2.
        budget: a time to which the resamples are fitted, in seconds or as `"10m"`; by default none.
        recipe: one more candidate for local mixup, such as that of `localmixup.lab.inspect`, or the path of its file.
        methods: further methods to compare with, names or one text with commas between them; see
            `localmixup compare --help`.
        batch_size: samples of a batch.
        learning_rate: of AdamW or another optimiser by name.
        weight_decay: of AdamW or another optimiser by name.
        augmentation: of images: `"none"`, `"crop"`, `"crop-flip"`, `"crop-flip-batch"`.
        train_size: use only this many random rows.
        jobs: number of processes; by default one for each core. A model that is defined in a notebook is trained in
            one.
        device: `"cpu"` or `"cuda"`.
        precision: `"no"` (float32), `"bf16"` or `"fp16"`.
        backend: `"loky"`, processes of this machine, or `"dask"`.
        scheduler: address of a running Dask scheduler.
        store: where finished runs are kept: a file or any SQLAlchemy URL. The same call then continues from there. By
            default they are kept until the call ends.
        progress: show what happens; False prints nothing.

    Returns:
        The decision, the recipe, the numbers and the page; a notebook shows the page.

    Raises:
        ArgumentError: an argument is wrong. All of them are checked before the first run.
    """
    from localmixup.lab.cli.options import further_methods
    from localmixup.lab.comparison.client import compare_data
    from localmixup.lab.comparison.job import Job
    from localmixup.lab.runs.engine import BACKENDS

    check_flag("progress", progress)
    seconds = _seconds(budget)
    wholes = {
        "resamples": (resamples, 2),
        "batch_size": (batch_size, 2),
        "train_size": (train_size, 20),
        "jobs": (jobs, 1),
    }
    check_numbers(wholes, {"epochs": epochs, "learning_rate": learning_rate, "budget": seconds})
    check_number("weight_decay", weight_decay, low=0, high=MOST["weight_decay"])
    choices = {"device": (device, DEVICES), "precision": (precision, PRECISIONS), "backend": (backend, BACKENDS)}
    for argument, (value, allowed) in choices.items():
        check_choice(argument, value, allowed)
    reading = reading_of(resize=resize, layout=layout, drop=drop, missing=None if missing == "impute" else missing)
    found = read(data, target=target, test=test, task=task, name=name, reading=reading)
    further = further_methods("methods", methods)
    with temporary_folder() as folder:
        out = folder
        job = Job(
            source=found.name,
            methods=further,
            resamples=resamples,
            budget=seconds,
            recipe=_recipe_file(recipe, out),
            optimizer=optimizer,
            epochs=epochs,
            model=model,
            out=out,
            jobs=jobs,
            store=store or "sqlite://",
            task=task,
            train_size=train_size,
            batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            augmentation=augmentation,
            device=device,
            precision=precision,
            backend=backend,
            scheduler=scheduler,
        )
        comparison, page = finish(compare_data(job, found), progress=progress)
        numbers = json.loads(comparison.model_dump_json())
        return ComparisonResult(page.read_text(encoding="utf-8"), numbers, comparison)


def _seconds(budget: float | str | None) -> float | None:
    if not isinstance(budget, str):
        return budget
    import typer

    from localmixup.lab.cli.options import duration

    try:
        return duration(budget)
    except typer.BadParameter as error:
        raise ArgumentError(f"budget {error}") from None


def _recipe_file(recipe: Any, folder: Path) -> Path | None:
    """Return the file of a recipe, written first if it is an object."""
    if recipe is None:
        return None
    if isinstance(recipe, (LocalMixup, Mapping)):
        write_recipe(folder / RECIPE_FILE, recipe)
        return folder / RECIPE_FILE
    return Path(recipe)
