"""Names of data sets, and the check that a source may be one.

This module imports nothing heavy, so that the command line can check a name before it loads anything else.
"""

from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from localmixup._validate import ArgumentError
from localmixup.lab.files import as_path

IMAGE_SETS = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
    "mnist": "ylecun/mnist",
    "svhn": "ufldl-stanford/svhn",
}
"""Named image sets and their names on the Hub."""

CONFIGURATIONS = {"cifar100": "cifar100", "svhn": "cropped_digits"}
"""Configuration of an image set on the Hub.

On disk it may also be a sub-folder. Of these sets only the files `train-*` and `test-*` are read.
"""

TABLES = ("airfoil", "no2")
"""Named regression tables: folders of Parquet files with a column `target`. They are not on the Hub."""

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
"""Every data set that has a name here."""

TEXT_TABLES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat", ".psv", ".test", ".train")
"""Tables as text, with one row of values in each line."""

OTHER_TABLES = (
    ".parquet", ".pq", ".feather", ".arrow", ".orc", ".xlsx", ".xlsm", ".json", ".jsonl", ".ndjson", ".arff", ".dta",
    ".sas7bdat", ".xpt", ".sqlite", ".sqlite3", ".db",
)  # fmt: skip
"""Tables of other formats."""

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""Compressed files that are opened; a .zip file must hold one table."""

SUFFIXES = (*TEXT_TABLES, *OTHER_TABLES, ".npz", ".npy")
"""Files that can be read."""

_LOOKED_AT = 5000  # files of a folder among which a similar name is looked for


def table_suffix(name: str) -> str:
    """Return the suffix that says what kind of table a file is, without that of a compression, in lower case.

    Args:
        name: of the file.

    >>> table_suffix("A.CSV.gz"), table_suffix("b.parquet"), table_suffix("c.zip")
    ('.csv', '.parquet', '')
    """
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in COMPRESSIONS else path.suffix


def is_table(name: str) -> bool:
    """Return whether a file is a table by its name; a zip archive may be one.

    >>> is_table("a.csv.gz"), is_table("a.zip"), is_table("a.npz")
    (True, True, False)
    """
    suffix = table_suffix(name)
    return suffix in (*TEXT_TABLES, *OTHER_TABLES) or (suffix == "" and name.lower().endswith(COMPRESSIONS))


def database_in(url: str) -> str:
    """Return the name of the database in a URL: no user, no password.

    >>> database_in("postgresql://me:secret@host/shop?sslmode=require"), database_in("sqlite:///a/b.db")
    ('shop', 'b.db')
    """
    parts = urlsplit(url)
    return PurePath(parts.path).name or parts.scheme


def check_source(source: str) -> None:
    """Check that `source` may be a data set, without reading anything.

    Args:
        source: as for `localmixup.lab.data.sources.load`.

    Raises:
        ArgumentError: it is neither a known name, nor an existing path, nor of the form of a name on the Hub.

    >>> check_source("digits")
    """
    if source in NAMED or (source and as_path(source, "DATA").exists()):
        return
    if "://" in source and "/" not in source.partition("://")[0]:
        return
    looks_like_file = Path(source).suffix.lower() in SUFFIXES or is_table(source) or source.endswith("-ubyte")
    if (
        looks_like_file
        or source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or ("." in source and "/" not in source)
    ):
        raise ArgumentError(f"DATA: no such file or folder: {source}{_similar_file(source)}")
    if "/" in source.strip("/"):
        return
    near = get_close_matches(source, NAMED, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(
        f"DATA must be one of {', '.join(NAMED)}, the path of a .csv, .parquet, .xlsx, .json or .npz file (and many "
        "others), the path of a folder of images, tables or arrays, the URL of a database, or owner/name on the Hub, "
        f"got {source!r}{hint}"
    )


def _similar_file(source: str) -> str:
    """Return a hint to a file of the same folder whose name is nearly the same, or nothing."""
    path = as_path(source, "DATA")
    try:
        names = [found.name for found in islice(path.parent.iterdir(), _LOOKED_AT)]
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
