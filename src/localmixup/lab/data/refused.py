"""Files that are not read: why, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from localmixup._validate import ArgumentError

_INSTEAD = "save arrays x and y with numpy.savez and give the .npz file, or call localmixup.lab.inspect((x, y))"
_PICKLE = f"a pickle, which can run any program when it is opened, so it never is; load it yourself, then {_INSTEAD}"
_ARCHIVE = "an archive: unpack it first, and give the folder"
_PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt")
_REASONS = {
    **dict.fromkeys(_PICKLES, _PICKLE),
    ".bin": f"of no format that is read; load it yourself, then {_INSTEAD}",
    ".safetensors": f"a file of tensors; load it yourself, then {_INSTEAD}",
    ".mat": f"a MATLAB file; read it with scipy.io.loadmat, then {_INSTEAD}",
    **dict.fromkeys((".h5", ".hdf5", ".hdf", ".nc"), f"an HDF5 file; read it with h5py, then {_INSTEAD}"),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".lmdb", ".mdb", ".beton", ".zarr"), f"not read here; {_INSTEAD}"),
    **dict.fromkeys(
        (".xls", ".xlsb", ".ods", ".numbers"), "a sheet of a kind that is not read; save it as .xlsx or .csv"
    ),
    **dict.fromkeys((".rds", ".rda", ".rdata"), "a file of R; there: write.csv(x, 'x.csv', row.names = FALSE)"),
    ".duckdb": "a DuckDB file; there: COPY the_table TO 'the_table.parquet'",
    **dict.fromkeys((".sav", ".avro", ".xml", ".html", ".pdf"), "of a kind that is not read; save the table as .csv"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar"), _ARCHIVE),
}
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".ppm", ".pgm")
_CIFAR = "; the names cifar10 and cifar100 load CIFAR's images from the Hub"


def refuse(path: Path, allowed: str) -> ArgumentError:
    """Return the error for a file or folder that is not read.

    Args:
        path: which exists.
        allowed: what can be read, in words.
    """
    if path.is_dir():
        inside = next((file for file in sorted(path.iterdir()) if file.is_file() and _reason(file)), None)
        if inside is None:
            return ArgumentError(f"{path}: {allowed}")
        return ArgumentError(f"{path}: {allowed}; {inside.name} is {_reason(inside)}")
    if reason := _reason(path):
        return ArgumentError(f"{path}: {reason}")
    if path.suffix.lower() in _IMAGES:
        return ArgumentError(f"{path}: one image is no data set: give a folder with one folder of images per class")
    return ArgumentError(f"{path}: {allowed}, got {path.suffix.lower() or 'no suffix'!r}")


def _reason(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _REASONS:
        return _REASONS[suffixes[-1]]
    if len(suffixes) > 1 and suffixes[-2] == ".tar":
        return _ARCHIVE
    if not suffixes and _begins_as_pickle(path):
        return _PICKLE + _CIFAR
    return None


def _begins_as_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[0] == 0x80 and head[1] <= 5
