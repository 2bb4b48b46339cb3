"""Read tables of every format but separated text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localmixup._optional import require
from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.tables.layout import find_layout, has_header
from localmixup.lab.data.tables.opening import read_text
from localmixup.lab.data.tables.sampling import parquet_chunks, rows_to_keep, sample
from localmixup.lab.data.tables.texts import Table
from localmixup.lab.errors import first_line

Reader = Callable[[Path, Reading], Table]


def read_parquet(path: Path, reading: Reading) -> Table:
    """Read a Parquet file, or a folder of them as one table; of a large one random rows.

    Folders named `column=value` add a column.

    Args:
        path: the file or folder.
        reading: see `read_table`.
    """
    require("pyarrow", extra="hub")
    import pandas as pd
    import pyarrow.parquet as pq

    if path.is_dir() and any("=" in folder.name for folder in path.iterdir() if folder.is_dir()):
        return _read_hive(path)
    files = parquet_files(path) if path.is_dir() else [path]
    try:
        schemas = [pq.ParquetFile(file).schema_arrow for file in files]
        rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
        if wrong := [f for f, schema in zip(files, schemas, strict=True) if set(schema.names) != set(schemas[0].names)]:
            raise ArgumentError(f"{path}: {wrong[0].name} has other columns than {files[0].name}")
        most = rows_to_keep(len(schemas[0].names))
        if rows > 1.3 * most:
            frame, total = sample(parquet_chunks(files), most)
        else:
            frame, total = pd.concat([pd.read_parquet(file) for file in files]), None
    except ArgumentError:
        raise
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as Parquet: {first_line(error)}") from None
    notes = [f"{len(files)} Parquet files are read as one table"] if len(files) > 1 else []
    return Table(_with_named_index(frame), tuple(notes), total)


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder and the folders in it, without hidden ones, in order of their names."""
    found = sorted(folder.rglob("*.parquet")) + sorted(folder.rglob("*.pq"))
    return [file for file in found if not any(p.startswith((".", "_")) for p in file.relative_to(folder).parts)]


def _read_hive(path: Path) -> Table:
    import pyarrow.dataset as ds

    try:
        found = ds.dataset(path, format="parquet", partitioning="hive", exclude_invalid_files=False)
        rows, most = found.count_rows(), rows_to_keep(len(found.schema.names))
        batches = (batch.to_pandas() for batch in found.to_batches(batch_size=100_000) if batch.num_rows)
        frame, total = sample(batches, most if rows > 1.3 * most else rows + 1)
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as a folder of Parquet files: {first_line(error)}") from None
    return Table(frame, ("a folder of Parquet files, with the names of the folders as columns",),
                 total if total > len(frame) else None)  # fmt: skip


def _with_named_index(frame: Any) -> Any:
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


def read_arrow(path: Path, reading: Reading) -> Table:
    """Read a Feather (Arrow IPC) or ORC file."""
    require("pyarrow", extra="hub")
    import pandas as pd

    read = pd.read_orc if path.suffix.lower() == ".orc" else pd.read_feather
    return Table(_with_named_index(_called(path, path.suffix[1:], lambda: read(path))))


def read_stata_or_sas(path: Path, reading: Reading) -> Table:
    """Read a file of Stata (`.dta`) or SAS (`.sas7bdat`, `.xpt`)."""
    import pandas as pd

    if path.suffix.lower() == ".dta":
        return Table(_called(path, "a Stata file", lambda: pd.read_stata(path, convert_categoricals=True)))
    return Table(_called(path, "a SAS file", lambda: pd.read_sas(path, encoding="utf-8")))


def read_excel(path: Path, reading: Reading) -> Table:
    """Read the first sheet of an Excel file that holds a table."""
    import pandas as pd

    require("openpyxl", extra="lab")
    sheets = _called(path, "an Excel file", lambda: pd.read_excel(path, sheet_name=None, header=None, dtype=object))
    filled = {name: sheet for name, sheet in sheets.items() if len(sheet)}
    if not filled:
        raise ArgumentError(f"{path}: the file holds no table")
    name, sheet = next(iter(filled.items()))
    notes = []
    if len(filled) > 1:
        others = ", ".join(map(repr, [other for other in filled if other != name][:5]))
        notes.append(f"the sheet {name!r} is read; there {'are' if len(filled) > 2 else 'is'} also {others}")
    sheet = sheet.dropna(axis=1, how="all")
    top = sheet.head(2000)
    rows = [(k, _cells(values)) for k, values in enumerate(top.itertuples(index=False))]
    layout = find_layout(str(path), rows, has_header(reading))
    frame = sheet.iloc[layout.skip :].dropna(how="all").reset_index(drop=True)
    frame = frame.iloc[:, : len(layout.names)].infer_objects()
    frame.columns = list(layout.names)
    return Table(frame, (*notes, *layout.notes))


def _cells(values: Any) -> list[str]:
    cells = ["" if value is None or value != value else str(value).strip() for value in values]
    filled = [k for k, cell in enumerate(cells) if cell]
    if not filled:
        return []
    return cells if filled[-1] > 0 or len(cells) == 1 else cells[:1]


def read_json(path: Path, reading: Reading) -> Table:
    """Read JSON: one record in each line, or a list of records, or a mapping of columns; nested records are opened."""
    import pandas as pd

    text = read_text(path)
    with text.open() as stream:
        content = stream.read()
    try:
        found = json.loads(content)
    except ValueError as error:
        lines = [line for line in content.splitlines() if line.strip()]
        try:
            found = [json.loads(line) for line in lines]
        except ValueError:
            bad = next((k for k, line in enumerate(lines) if not _is_json(line)), 0)
            what = f"line {bad + 1} is no record" if bad else first_line(error)
            raise ArgumentError(f"{path}: cannot be read as JSON: {what}") from None
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        if len(lists) == 1:
            found = lists[0]
    if isinstance(found, list) and all(isinstance(record, dict) for record in found):
        return Table(pd.json_normalize(found))
    if isinstance(found, list) and all(isinstance(record, list) for record in found):
        rows = [(k, ["" if v is None else str(v) for v in record]) for k, record in enumerate(found[:2000])]
        layout = find_layout(str(path), rows, has_header(reading))
        frame = pd.DataFrame(found[layout.skip :], columns=list(layout.names)).infer_objects()
        return Table(frame, layout.notes)
    if isinstance(found, dict) and {"columns", "data"} <= set(found):
        return Table(pd.DataFrame(found["data"], columns=[str(c) for c in found["columns"]]))
    if isinstance(found, dict) and all(isinstance(value, (list, dict)) for value in found.values()):
        return Table(_called(path, "JSON", lambda: pd.DataFrame(found)).reset_index(drop=True))
    raise ArgumentError(f"{path}: JSON must hold a list of records, a record in each line, or a mapping of columns")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_arff(path: Path, reading: Reading) -> Table:
    """Read an ARFF file, as WEKA and OpenML write them."""
    import pandas as pd

    arff = require("arff", extra="lab")
    text = read_text(path)
    with text.open() as stream:
        content = stream.read()

    def read() -> Any:
        sparse = any(line.lstrip().startswith("{") for line in content.splitlines())
        return arff.load(io.StringIO(content), return_type=arff.LOD if sparse else arff.DENSE)

    try:
        found = read()
    except Exception:  # dates, and some headers of WEKA's own
        return Table(_arff_of_scipy(path, content), text.notes)
    names = [str(name) for name, _ in found["attributes"]]
    if found["data"] and isinstance(found["data"][0], dict):
        frame = pd.DataFrame(
            [[row.get(k, _zero(kind)) for k, (_, kind) in enumerate(found["attributes"])] for row in found["data"]],
            columns=range(len(names)),
        )
    else:
        frame = pd.DataFrame(found["data"], columns=range(len(names)))
    frame = frame.infer_objects()
    frame.columns = names
    return Table(frame, text.notes)


def _arff_of_scipy(path: Path, content: str) -> Any:
    import pandas as pd
    from scipy.io import arff

    rows, _ = _called(path, "ARFF", lambda: arff.loadarff(io.StringIO(content)))
    return pd.DataFrame({name: rows[name] for name in rows.dtype.names})


def _zero(kind: Any) -> Any:
    return kind[0] if isinstance(kind, Sequence) and not isinstance(kind, str) else 0.0


def _called(path: Path, what: str, read: Callable[[], Any]) -> Any:
    """Return what a reader returns; what it raises becomes one line."""
    try:
        return read()
    except Exception as error:
        raise ArgumentError(f"{path}: cannot be read as {what}: {first_line(error)}") from None
