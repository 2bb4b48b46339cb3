"""The types of options: numbers and choices that are checked while the command line is read.

A parser raises `typer.BadParameter` with a message without the option's name; `errors` puts the name before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.lab.cli.completion import one_of
from localmixup.lab.cli.names import ALWAYS, AUGMENTATIONS, BACKENDS, METHODS, MODELS, OPTIMIZERS
from localmixup.lab.data.names import NAMED, database_in
from localmixup.lab.data.reading import HEADERS, LAYOUTS, MISSING, columns_of, size_of
from localmixup.lab.files import as_path
from localmixup.lab.limits import MOST
from localmixup.lab.text import plain

T = TypeVar("T")
_LONGEST = 200  # bytes of the name of a folder; file systems allow 255

DATA_HELP = (
    "digits, spirals, spirals-gaussian, cifar10, cifar100, fashion_mnist, mnist, svhn, airfoil or no2; a table (.csv "
    "and other text, .parquet, .xlsx, .json, .arff, .sqlite and more); arrays (.npz, .npy or idx files); a folder with "
    "one folder of images per class, also within train and test; a folder of Parquet files; the URL of a database; or "
    "owner/name on the Hub."
)


def examples(*commands: str) -> str:
    """Return the last paragraph of a help text: commands as one types them, one per line.

    Args:
        commands: such as `"localmixup inspect digits"`.
    """
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


def whole(name: str, low: int = 1) -> Callable[[object], int]:
    """Return a parser of whole numbers of at least `low` and at most what the argument of that name accepts."""

    def check(value: object) -> int:
        number = _number(value)
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        check_integer("", number, low=low)
        return int(check_number("", number, low=low, high=MOST[name]))

    return _parser(check)


def real(name: str, low: float) -> Callable[[object], float]:
    """Return a parser of numbers of at least `low` and at most what the argument of that name accepts."""
    return _parser(lambda value: check_number("", _number(value), low=low, high=MOST[name]))


def positive(name: str) -> Callable[[object], float]:
    """Return a parser of numbers above zero and at most what the argument of that name accepts."""
    high = MOST[name]

    def check(value: object) -> float:
        number = _number(value)
        if not isinstance(number, float) or not 0 < number <= high:
            raise ArgumentError(f"must be > 0 and at most {high:g}, got {number!r}")
        return number

    return _parser(check)


def choice(names: Sequence[str], *, meant: Mapping[str, str] | None = None, **shown: Any) -> Any:
    """Return an option that takes one of `names`, which a shell completes; its message suggests the nearest name.

    Args:
        names: the values.
        meant: what to suggest instead for values of other programs.
        shown: further arguments of `typer.Option`.
    """

    def check(value: object) -> str:
        if value in (meant or {}):
            hint = f"did you mean {(meant or {})[str(value)]!r}?"
            raise ArgumentError(f"must be one of {', '.join(map(repr, names))}, got {value!r}; {hint}")
        return check_choice("", value, names)

    return typer.Option(parser=_parser(check), autocompletion=one_of(names), **{"metavar": "|".join(names), **shown})


def name_or_factory(names: Sequence[str], help: str) -> Any:
    """Return an option that takes one of `names`, or `package.module:factory`, which is looked up later."""
    check = _parser(lambda value: value if isinstance(value, str) and ":" in value else check_choice("", value, names))
    return typer.Option(parser=check, autocompletion=one_of(names), metavar="NAME", help=help)


def _parser(check: Callable[[object], T]) -> Callable[[object], T]:
    def parse(value: object) -> T:
        try:
            return check(value)
        except ArgumentError as error:
            raise typer.BadParameter(str(error).strip()) from None

    return parse


def _number(value: object) -> object:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value


def image_size(value: object) -> tuple[int, int]:
    """Return a size such as `"32x48"`, or `"32"` for squares, as height and width.

    Args:
        value: as the user typed it.

    Raises:
        typer.BadParameter: it is not a size.
    """
    return _parser(lambda given: size_of("", given))(value)


def column_names(value: object) -> tuple[str, ...]:
    """Return the columns in a list with commas.

    Args:
        value: as the user typed it.

    Raises:
        typer.BadParameter: there is no name.
    """
    return _parser(lambda given: columns_of("", given))(value)


def methods_of(text: str) -> tuple[str, ...]:
    """Return the further methods named in a list with commas, each once.

    Args:
        text: such as `"c-mixup,cutmix"`. What is compared in any case may be named and is left out.

    Raises:
        ArgumentError: a name is unknown, or there is none.

    >>> methods_of("mixup, local,local-threshold")
    ('local-threshold',)
    """
    if not text.replace(",", "").strip():
        raise ArgumentError(f"--methods must name at least one of {', '.join(METHODS)}, got {text!r}")
    return further_methods("--methods", text)


def further_methods(argument: str, names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the methods to compare beside those that are compared in any case, each once.

    Args:
        argument: where the names were given, for the message.
        names: of methods, or one text with commas between them.

    Raises:
        ArgumentError: a name is unknown, or these are no names.

    >>> further_methods("methods", ["cutmix", "vanilla", "cutmix"])
    ('cutmix',)
    >>> further_methods("methods", "cutmix, c-mixup")
    ('cutmix', 'c-mixup')
    """
    if isinstance(names, str):
        names = filter(None, map(str.strip, names.split(",")))
    if not isinstance(names, Iterable):
        raise ArgumentError(f"{argument} must be names such as ['cutmix', 'c-mixup'], got {names!r}")
    chosen = [check_choice(argument, name, [*METHODS, *ALWAYS]) for name in names]
    return tuple(dict.fromkeys(name for name in chosen if name not in ALWAYS))


def duration(value: object) -> float:
    """Return a time such as `"90s"`, `"10m"` or `"2h"` in seconds; a bare number is minutes.

    Args:
        value: as the user typed it.

    Raises:
        typer.BadParameter: it is not a time.

    >>> duration("10m"), duration("1.5h"), duration("2")
    (600.0, 5400.0, 120.0)
    """
    text = str(value).strip().lower()
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    number = _number(text[:-1] if factor else text)
    seconds = number * (factor or 60.0) if isinstance(number, float) else math.nan
    if not 0 < seconds <= MOST["budget"]:
        raise typer.BadParameter(f"must be a time such as 90s, 10m or 2h, got {str(value)!r:.80}")
    return seconds


_PRECISIONS = {"fp32": "no", "float32": "no", "bfloat16": "bf16", "float16": "fp16", "half": "fp16"}

Data = Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, autocompletion=one_of(NAMED))]
Target = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of a table to predict.")]
Task = Annotated[
    str | None,
    choice(("classification", "regression"), help="By default the target decides."),
]
Resize = Annotated[
    Any,
    typer.Option(parser=image_size, metavar="HxW", help="Resize images to this height and width, or to squares of N."),
]
Layout = Annotated[
    str | None,
    choice(
        LAYOUTS,
        metavar="NAME",
        help=f"What the axes of an array of 3 or 4 dimensions are: {', '.join(LAYOUTS)} [by its shape].",
    ),
]
Drop = Annotated[
    Any,
    typer.Option(parser=column_names, metavar="A,B", help="Leave these columns of a table out."),
]
Missing = Annotated[
    str | None,
    choice(
        MISSING,
        help="Missing values of a table are filled within the training rows, or refused [impute].",
    ),
]
Sep = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="What separates the values of a text file: a character, tab or blanks [found]."),
]
Header = Annotated[
    str | None,
    choice(HEADERS, help="Whether its first line holds the names of the columns [found]."),
]
Query = Annotated[
    str | None, typer.Option(metavar="SQL", help="The rows of a database: an SQLite file or any SQLAlchemy URL.")
]
DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of named data sets; by default $LOCALMIXUP_DATA or ./data.")
]
TrainSize = Annotated[
    int | None,
    typer.Option(
        parser=whole("train_size", 20), metavar="INTEGER", help="Use only this many random training samples [all]."
    ),
]
MixupAlpha = Annotated[
    float,
    typer.Option(
        parser=positive("mixup_alpha"), metavar="NUMBER", help="lam is drawn from Beta(mixup_alpha, mixup_alpha)."
    ),
]
Jobs = Annotated[
    int | None, typer.Option(parser=whole("jobs"), metavar="INTEGER", help="Number of parallel runs [number of cores].")
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the results [localmixup-results/DATA--TARGET].")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
StoreUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Where the runs are stored: a file or any SQLAlchemy URL.")
]
Device = Annotated[str, choice(("cpu", "cuda"), meant={"gpu": "cuda"})]
Precision = Annotated[str, choice(("no", "bf16", "fp16"), meant=_PRECISIONS, help="no is float32.")]
Model = Annotated[
    str | None,
    name_or_factory(
        MODELS,
        f"One of {', '.join(MODELS)}; or your own, package.module:factory, called with the shape of an input and "
        "the number of outputs [by the data].",
    ),
]
Optimizer = Annotated[
    str | None,
    name_or_factory(
        OPTIMIZERS,
        f"One of {', '.join(OPTIMIZERS)}; or your own, package.module:factory, called with the parameters [adamw].",
    ),
]
Resamples = Annotated[
    int,
    typer.Option(parser=whole("resamples", 2), metavar="INTEGER", help="Number of fresh random splits to judge on."),
]
Backend = Annotated[str, choice(BACKENDS, help="loky runs on this machine.")]
Scheduler = Annotated[str | None, typer.Option(metavar="ADDRESS", help="A running Dask scheduler, for --backend dask.")]
Augment = Annotated[
    str | None,
    choice(AUGMENTATIONS, metavar="NAME", help=f"One of {', '.join(AUGMENTATIONS)}."),
]


def check_scheduler(scheduler: str | None, backend: str) -> None:
    """Check that an address of a scheduler has a use.

    Args:
        scheduler: value of `--scheduler`.
        backend: value of `--backend`.

    Raises:
        ArgumentError: the backend has no scheduler.
    """
    if scheduler is not None and backend != "dask":
        raise ArgumentError(f"--scheduler needs --backend dask, got --backend {backend}")


def results_folder(data: str, target: str | None) -> Path:
    """Return the default folder for results: one for each data set and target.

    Args:
        data: as the user typed it; a path is taken relative to the current folder.
        target: the column to predict, or None.

    >>> results_folder("digits", None).as_posix(), results_folder("uoft-cs/cifar10", "label").as_posix()
    ('localmixup-results/digits', 'localmixup-results/uoft-cs--cifar10--label')
    """
    path = as_path(data, "DATA")
    if "://" in data:  # neither user nor password
        data = database_in(data)
    elif path.exists():
        path, here = path.resolve(), Path.cwd().resolve()
        path = path.relative_to(here) if path != here and path.is_relative_to(here) else path.relative_to(path.anchor)
        data = path.as_posix()
    name = plain("/".join([data, *([target] if target else [])])).replace("/", "--")
    if len(name.encode()) > _LONGEST:
        name = f"{name[: _LONGEST // 8]}--{sha256(name.encode()).hexdigest()[:16]}"
    return Path("localmixup-results") / name
