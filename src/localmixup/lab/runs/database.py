"""The database of a store: where it is, its tables, and a digest of every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from localmixup._validate import ArgumentError
from localmixup.lab.files import as_path
from localmixup.lab.runs.spec import RunSpec

SCHEMA = 2  # raised when the tables or the keys change; `migrate` then brings older stores up

TABLES = sa.MetaData()
META = sa.Table(
    "localmixup_meta", TABLES, sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Text)
)
RUNS = sa.Table(
    "localmixup_runs",
    TABLES,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Column("finished", sa.String(32), nullable=False),
)
ARMS = sa.Table(
    "localmixup_arms",
    TABLES,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
)
FINDINGS = sa.Table(
    "localmixup_findings",
    TABLES,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Column("finished", sa.String(32), nullable=False),
)
DIGESTS = sa.Table(
    "localmixup_digests",
    TABLES,
    sa.Column("key", sa.String(24), primary_key=True),  # of a row of any of the three tables
    sa.Column("digest", sa.String(64), nullable=False),
)
"""A digest of every row, so that a changed number is never taken for a result. Older stores have none."""

_ALL = "digests"  # the name in META that says that every row has one
_SECRET = ("password", "passwd", "pwd", "secret", "token", "key")


def engine_of(text: str, called: str) -> sa.Engine:
    """Return the engine of a store.

    Args:
        text: the path of an SQLite file, or a SQLAlchemy URL.
        called: how messages name it.

    Raises:
        ArgumentError: it is not a URL, its driver is not installed, or the file cannot be there.
    """
    try:
        if "://" in text:
            url = sa.make_url(text)
        else:  # not pasted into a URL, in which % and ? have a meaning
            path = as_path(text, called.partition(" ")[0])
            check_file(called, path)
            url = sa.URL.create("sqlite", database=str(path))
        # a writer waits for the other one instead of giving up
        options = {"connect_args": {"timeout": 60}} if url.get_backend_name() == "sqlite" else {}
        return sa.create_engine(url, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        raise ArgumentError(f"{called}: its driver is not installed: {error.name}") from None
    except ArgumentError:
        raise
    except (sa.exc.SQLAlchemyError, ValueError, TypeError):
        raise ArgumentError(f"{called}: cannot be opened: not a URL such as postgresql://user@host/name") from None


def shown(text: str) -> str:
    """Return the path or URL of a store as it may be printed: without a password.

    Args:
        text: as the user typed it.

    >>> shown("postgresql://lab:secret@host/runs"), shown("runs.sqlite")
    ('postgresql://lab:***@host/runs', 'runs.sqlite')
    """
    if "://" not in text:
        return text
    try:
        url = sa.make_url(text)
        hidden = {name: "***" for name in url.query if any(word in name.lower() for word in _SECRET)}
        return url.update_query_dict(hidden).render_as_string(hide_password=True)
    except (sa.exc.SQLAlchemyError, ValueError, TypeError):
        return f"{text.partition('://')[0]}://..."


def check_file(called: str, path: Path) -> None:
    """Check that a path can be a file.

    Args:
        called: how messages name it.
        path: of a file that exists or will be created.

    Raises:
        ArgumentError: it is a folder, or its folder does not exist.
    """
    path = as_path(path, called)
    if path.is_dir():
        raise ArgumentError(f"{called}: this is a folder, a file is needed")
    if not path.parent.is_dir():
        raise ArgumentError(f"{called}: there is no folder {path.parent}")


def prepare(connection: sa.Connection, called: str, *, new: bool) -> bool:
    """Note the version of the tables in a new store, or bring an older one up.

    Args:
        connection: to a database that has the tables.
        called: how messages name it.
        new: the tables were made just now.

    Returns:
        Whether every row has a digest.

    Raises:
        ArgumentError: the tables are of a version that cannot be read.
    """
    found = {row.name: row.value for row in connection.execute(sa.select(META))}
    if "schema" not in found:
        connection.execute(META.insert().values(name="schema", value=str(SCHEMA)))
        if new:
            connection.execute(META.insert().values(name=_ALL, value="all"))
        return new
    if found["schema"] == "1":
        _migrate(connection)
    elif found["schema"] != str(SCHEMA):
        raise ArgumentError(
            f"{called}: written with tables of version {found['schema']}, this localmixup reads versions 1 to {SCHEMA}"
        )
    return found.get(_ALL) == "all"


def _migrate(connection: sa.Connection) -> None:
    """Convert tables of version 1, whose keys counted default values and which wrote infinity as null."""
    for row in connection.execute(sa.select(RUNS)).all():
        content = json.loads(row.spec)
        if content["method"]["parameter"] is None and content["method"]["method"] in (
            "local-threshold",
            "local-exponential",
        ):
            content["method"]["parameter"] = "Infinity"
        spec = RunSpec.model_validate(content)
        new = {"key": spec.key, "spec": spec.model_dump_json()}
        connection.execute(RUNS.update().where(RUNS.c.key == row.key).values(**new))
    connection.execute(META.update().where(META.c.name == "schema").values(value=str(SCHEMA)))


def digest_of(row: Mapping[str, Any]) -> str:
    """Return the digest of all values of a row.

    Args:
        row: values by the name of their column.
    """
    values = sorted((name, value) for name, value in row.items() if name != "digest")
    return hashlib.sha256(repr(values).encode(errors="surrogatepass")).hexdigest()


def with_digests(table: sa.Table) -> sa.Select[Any]:
    """Return the query for all rows of a table, each with its digest or None.

    Args:
        table: one of the three.
    """
    joined = table.outerjoin(DIGESTS, table.c.key == DIGESTS.c.key)
    return sa.select(table, DIGESTS.c.digest).select_from(joined)


def verified(rows: Iterator[Any], called: str, *, every: bool) -> Iterator[dict[str, Any]]:
    """Yield rows, without their digest, after checking it.

    Args:
        rows: of `with_digests`.
        called: how messages name the store.
        every: every row must have a digest; in older stores, those without one are taken as they are.

    Raises:
        ArgumentError: a row was changed since it was written.
    """
    for found in rows:
        row = dict(found._mapping)
        digest = row.pop("digest")
        if digest != digest_of(row) and (every or digest is not None):
            raise ArgumentError(f"{called}: is damaged: the row {row['key']} is not as it was written{_REMEDY}")
        yield row


_REMEDY = "; restore a copy, or delete it to start again"


@contextmanager
def reading(called: str) -> Iterator[None]:
    """Turn the errors of a database that cannot be read into one line.

    Args:
        called: how messages name it.
    """
    try:
        yield
    except ArgumentError:
        raise
    except sa.exc.DBAPIError as error:
        raise ArgumentError(f"{called}: cannot be read: {cause(error)}{_REMEDY}") from None
    except (sa.exc.SQLAlchemyError, ValueError, KeyError, TypeError, AttributeError, UnicodeError):
        raise ArgumentError(f"{called}: is damaged: it holds values that are not of a store{_REMEDY}") from None


def check_pages(engine: sa.Engine, called: str) -> None:
    """Check the structure of an SQLite file, in which a damaged page could hide rows.

    Args:
        engine: of the store.
        called: how messages name it.

    Raises:
        ArgumentError: the file is damaged.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(called), engine.connect() as connection:
        found = connection.execute(sa.text("PRAGMA integrity_check(1)")).scalar()
        if found != "ok":
            raise ArgumentError(f"{called}: is damaged: {' '.join(str(found).split())[:120]}{_REMEDY}")


def cause(error: BaseException) -> str:
    """Return what the driver of a database said, in one line.

    Args:
        error: of SQLAlchemy.
    """
    said: str = str(getattr(error, "orig", None) or error).strip()
    return (said.splitlines() or [type(error).__name__])[0]
