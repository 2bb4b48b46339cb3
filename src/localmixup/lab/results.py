"""The store of finished runs: one record each, written before the next is begun; SQLite by default."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from localmixup.lab.errors import UserError
from localmixup.lab.specs import RunSpec
from localmixup.lab.training import Outcome

SCHEMA = 1  # raised when the tables change

_tables = sa.MetaData()
_meta = sa.Table(
    "localmixup_meta", _tables, sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Text)
)
_runs = sa.Table(
    "localmixup_runs",
    _tables,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Column("finished", sa.String(32), nullable=False),
)


class Record(NamedTuple):
    """A finished run: its specification, what came out, with which versions, and when."""

    spec: RunSpec
    outcome: Outcome
    versions: dict[str, str]
    finished: str


@cache
def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    packages = ("localmixup", "torch", "numpy", "scikit-learn", "accelerate")
    found = {name: metadata.version(name) for name in packages}
    return {**found, "python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}


class Store:
    """Finished runs by the key of their specification.

    Args:
        url: a SQLAlchemy URL, or the path of an SQLite file.

    Raises:
        UserError: it cannot be opened, is another program's, or was written by another version of the tables.
    """

    def __init__(self, url: str | Path) -> None:
        text = str(url)
        self.url = text if "://" in text else f"sqlite:///{Path(text).expanduser()}"
        try:
            self._engine = sa.create_engine(self.url)
            there = set(sa.inspect(self._engine).get_table_names())
        except ModuleNotFoundError as error:
            raise UserError(f"--store {text}: its driver is not installed: {error.name}") from None
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"--store {text}: cannot be opened: {_cause(error)}") from None
        if there and _meta.name not in there:
            raise UserError(
                f"--store {text}: this is another program's database (it has {', '.join(sorted(there)[:3])})"
            )
        try:
            self._prepare()
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"--store {text}: cannot be written: {_cause(error)}") from None

    def _prepare(self) -> None:
        _tables.create_all(self._engine)
        with self._engine.begin() as connection:
            found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "schema")).scalar()
            if found is None:
                connection.execute(_meta.insert().values(name="schema", value=str(SCHEMA)))
            elif found != str(SCHEMA):
                raise UserError(f"--store {self.url}: written with tables of version {found}, this is {SCHEMA}")

    def add(self, spec: RunSpec, outcome: Outcome) -> None:
        """Store a finished run; one that is there already is left as it is.

        Args:
            spec: what was run.
            outcome: what came out.

        Raises:
            UserError: the store cannot be written any more.
        """
        row = {
            "key": spec.key,
            "spec": spec.model_dump_json(),
            "outcome": json.dumps(outcome._asdict()),
            "versions": json.dumps(versions()),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(_runs.insert().values(**row))
        except sa.exc.IntegrityError:
            pass  # another process finished the same run
        except sa.exc.SQLAlchemyError as error:
            raise UserError(f"--store {self.url}: cannot be written: {_cause(error)}") from None

    def get(self, specs: Iterable[RunSpec]) -> dict[str, Record]:
        """The records of those runs that are finished, by key.

        Args:
            specs: what is asked for.
        """
        asked = {spec.key: spec for spec in specs}
        keys = list(asked)
        found: dict[str, Record] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(keys), 500):
                query = sa.select(_runs).where(_runs.c.key.in_(keys[start : start + 500]))
                for row in connection.execute(query):
                    # the specification that was asked for: infinity does not survive JSON
                    found[row.key] = _record(asked[row.key], row)
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()


def _record(spec: RunSpec, row: Any) -> Record:
    outcome = json.loads(row.outcome)
    outcome["curve"] = [tuple(point) for point in outcome["curve"]]
    return Record(spec, Outcome(**outcome), json.loads(row.versions), row.finished)


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
