"""Read tables from databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from localmixup._validate import ArgumentError
from localmixup.lab.data.reading import Reading
from localmixup.lab.data.tables.sampling import CHUNK_ROWS, rows_to_keep, sample
from localmixup.lab.data.tables.texts import Table
from localmixup.lab.errors import first_line


def is_database_url(source: str) -> bool:
    """Return whether a source is the URL of a database, such as `sqlite:///shop.db`.

    >>> is_database_url("postgresql+psycopg://me@host/shop"), is_database_url("data/a.csv")
    (True, False)
    """
    scheme, found, _ = source.partition("://")
    return bool(found) and scheme.replace("+", "").isalnum() and scheme not in ("http", "https", "ftp", "s3", "file")


def read_database(source: str | Path, reading: Reading) -> Table:
    """Read the result of a query, or the only table of a database.

    Args:
        source: an SQLite file, or a URL of SQLAlchemy.
        reading: `query` is needed where there are several tables.

    Raises:
        ArgumentError: the database cannot be opened, or the query fails. No password is printed.
    """
    import pandas as pd
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError as WrongURL
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if isinstance(source, Path):
            where = str(source)
            url = sqlalchemy.URL.create(
                "sqlite", database=f"file:{_quoted(source)}", query={"mode": "ro", "uri": "true"}
            )
        else:
            url = sqlalchemy.make_url(source)
            where = url.render_as_string(hide_password=True)
        engine = sqlalchemy.create_engine(url)
    except (WrongURL, ImportError, ValueError) as error:
        shown = str(source).partition("://")[0]
        raise ArgumentError(f"DATA: the {shown} database cannot be opened: {first_line(error)}") from None
    try:
        with engine.connect() as connection:
            query = _query(where, connection, reading)
            chunks = pd.read_sql_query(query, connection, chunksize=CHUNK_ROWS)
            first = next(chunks)
            frame, total = sample(_from(first, chunks), rows_to_keep(first.shape[1]))
    except (SQLAlchemyError, pd.errors.DatabaseError) as error:
        found = error.__cause__ if isinstance(error, pd.errors.DatabaseError) else error
        cause = getattr(found, "orig", None) or found or error
        raise ArgumentError(f"{where}: the query fails: {first_line(cause)}") from None
    except StopIteration:
        raise ArgumentError(f"{where}: the query returns no rows") from None
    finally:
        engine.dispose()
    return Table(frame, (), total if total > len(frame) else None)


def _quoted(path: Path) -> str:
    return quote(str(path.resolve()))


def _from(first: Any, rest: Any) -> Any:
    yield first
    yield from rest


def _query(where: str, connection: Any, reading: Reading) -> Any:
    import sqlalchemy

    if reading.query is not None:
        return sqlalchemy.text(reading.query)
    inspector = sqlalchemy.inspect(connection)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if len(names) != 1:
        some = ", ".join(names[:8]) or "none"
        raise ArgumentError(
            f'{where}: say which table with --query "select * from TABLE"; there {"is" if not names else "are"} {some}'
        )
    return sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(names[0]))
