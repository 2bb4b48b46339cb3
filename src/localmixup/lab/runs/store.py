"""The store of finished runs, arms and findings: an SQLite file by default, or any database of SQLAlchemy."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError

from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line
from localmixup.lab.runs.database import (
    ARMS,
    DIGESTS,
    FINDINGS,
    META,
    RUNS,
    TABLES,
    cause,
    check_pages,
    digest_of,
    engine_of,
    prepare,
    reading,
    shown,
    verified,
    with_digests,
)
from localmixup.lab.runs.experiment import Arm, FindingSpec
from localmixup.lab.runs.outcome import Outcome, outcome_from_json
from localmixup.lab.runs.spec import Frozen, RunSpec


class Record(NamedTuple):
    """A finished run: its specification, its outcome, the versions of the software, and the time it was stored."""

    spec: RunSpec
    outcome: Outcome
    versions: dict[str, str]
    finished: str


class Finding(NamedTuple):
    """Something computed: its specification, its value, the versions of the software, and the time it was stored."""

    spec: FindingSpec
    value: dict[str, Any]
    versions: dict[str, str]
    finished: str


@cache
def versions() -> dict[str, str]:
    """Return the versions of the software that a result depends on."""
    packages = ("localmixup", "torch", "numpy", "scikit-learn")
    found = {name: metadata.version(name) for name in packages}
    return {**found, "python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}


class Added(NamedTuple):
    """Number of runs and findings that were taken over from another store."""

    runs: int
    findings: int


class Store:
    """Finished runs by the key of their specification.

    Args:
        url: a SQLAlchemy URL, or the path of an SQLite file.
        create: create the tables if there are none; False to read an existing store only.
        called: how messages name it; default `--store` and the URL.

    Raises:
        ArgumentError: it cannot be opened, it belongs to another program, its tables are of another version, or it is
            empty and `create` is False.
    """

    def __init__(self, url: str | Path, *, create: bool = True, called: str | None = None) -> None:
        self.shown = shown(str(url))
        self.called = called or f"--store {self.shown}"
        self._engine = engine_of(str(url), self.called)
        try:
            there = set(sa.inspect(self._engine).get_table_names())
        except sa.exc.SQLAlchemyError as error:
            raise ArgumentError(f"{self.called}: cannot be opened: {cause(error)}") from None
        except ValueError as error:  # of a driver
            raise ArgumentError(f"{self.called}: cannot be opened: {first_line(error)}") from None
        if there and META.name not in there:
            raise ArgumentError(
                f"{self.called}: this is another program's database (it has {', '.join(sorted(there)[:3])})"
            )
        if not create and not there:
            raise ArgumentError(f"{self.called}: there are no runs in it: it is empty, or the name is wrong")
        check_pages(self._engine, self.called)
        try:
            self._prepare(new=not there)
        except sa.exc.SQLAlchemyError as error:
            raise ArgumentError(f"{self.called}: cannot be written: {cause(error)}") from None

    def _prepare(self, *, new: bool) -> None:
        for last_try in (*[False] * len(TABLES.tables), True):
            try:
                TABLES.create_all(self._engine)
                with self._engine.begin() as connection:
                    self._every = prepare(connection, self.called, new=new)
                return
            except (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.OperationalError):
                # another process makes the tables at the same moment: each try may meet one of them
                if last_try:
                    raise

    def add(self, spec: RunSpec, outcome: Outcome) -> None:
        """Store a finished run. A run that is stored already is not changed.

        Args:
            spec: the run.
            outcome: what it left behind.

        Raises:
            ArgumentError: the store cannot be written.
        """
        self._insert(RUNS, key=spec.key, spec=_json(spec), outcome=json.dumps(outcome._asdict()), **_signature())

    def add_finding(self, spec: FindingSpec, value: dict[str, Any]) -> None:
        """Store something computed. A finding that is stored already is not changed.

        Args:
            spec: what was computed.
            value: its value, as JSON holds it.

        Raises:
            ArgumentError: the store cannot be written.
        """
        self._insert(FINDINGS, key=spec.key, spec=_json(spec), value=json.dumps(value), **_signature())

    def add_arm(self, arm: Arm, runs: int) -> None:
        """Note that the runs with seeds 0 to `runs - 1` of an arm are wanted.

        Args:
            arm: the line or point.
            runs: their number, which never shrinks.

        Raises:
            ArgumentError: the store cannot be written.
        """
        self._insert(ARMS, key=arm.key, arm=_json(arm), runs=runs)
        more = ARMS.update().where(ARMS.c.key == arm.key, ARMS.c.runs < runs).values(runs=runs)
        with self._writing() as connection:
            if connection.execute(more).rowcount:
                (row,) = connection.execute(sa.select(ARMS).where(ARMS.c.key == arm.key)).mappings()
                connection.execute(DIGESTS.delete().where(DIGESTS.c.key == arm.key))
                connection.execute(DIGESTS.insert().values(key=arm.key, digest=digest_of(dict(row))))

    def _insert(self, table: sa.Table, **row: Any) -> None:
        try:
            with self._writing() as connection:
                connection.execute(table.insert().values(**row))
                connection.execute(DIGESTS.insert().values(key=row["key"], digest=digest_of(row)))
        except sa.exc.IntegrityError:
            pass  # it is there already: another process finished the same

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Open a transaction in which everything is written, or nothing."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.IntegrityError:
            raise
        except (sa.exc.SQLAlchemyError, UnicodeError) as error:
            raise ArgumentError(f"{self.called}: cannot be written: {cause(error)}") from None

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        """Return the rows of a query on `with_digests`, each checked."""
        with reading(self.called), self._engine.connect() as connection:
            return list(verified(iter(connection.execute(query)), self.called, every=self._every))

    def arms(self) -> list[tuple[Arm, int]]:
        """Return all arms that were ever wanted, each with its number of runs.

        Raises:
            ArgumentError: the store is damaged.
        """
        rows = self._rows(with_digests(ARMS).order_by(ARMS.c.key))
        return [(_parsed(Arm, row["arm"], self.called), row["runs"]) for row in rows]

    def findings(self) -> list[Finding]:
        """Return all findings.

        Raises:
            ArgumentError: the store is damaged.
        """
        rows = self._rows(with_digests(FINDINGS).order_by(FINDINGS.c.key))
        with reading(self.called):
            return [
                Finding(
                    _parsed(FindingSpec, row["spec"], self.called),
                    json.loads(row["value"]),
                    json.loads(row["versions"]),
                    row["finished"],
                )
                for row in rows
            ]

    def merge(self, other: Store) -> Added:
        """Take over everything that another store has and this one does not.

        Args:
            other: the store to read.

        Returns:
            How many runs and findings were new.

        Raises:
            ArgumentError: the other store cannot be read to its end.
        """
        added = {}
        for table in (RUNS, FINDINGS, ARMS):
            rows = other._rows(with_digests(table))
            with self._writing() as connection:
                there = set(connection.execute(sa.select(table.c.key)).scalars())
                if new := [row for row in rows if row["key"] not in there]:
                    connection.execute(table.insert(), new)
                    connection.execute(DIGESTS.insert(), [{"key": row["key"], "digest": digest_of(row)} for row in new])
            added[table.name] = len(new)
            for row in rows if table is ARMS else []:
                self.add_arm(_parsed(Arm, row["arm"], other.called), row["runs"])
        return Added(added[RUNS.name], added[FINDINGS.name])

    def get(self, specs: Iterable[RunSpec]) -> dict[str, Record]:
        """Return the records of the runs that are finished, by key.

        Args:
            specs: the runs to look up.

        Raises:
            ArgumentError: the store is damaged.
        """
        asked = {spec.key: spec for spec in specs}
        keys = list(asked)
        found: dict[str, Record] = {}
        for start in range(0, len(keys), 500):
            query = with_digests(RUNS).where(RUNS.c.key.in_(keys[start : start + 500]))
            for row in self._rows(query):
                found[row["key"]] = _record(asked[row["key"]], row, self.called)
        return found

    def count(self) -> int:
        """Return the number of finished runs."""
        with reading(self.called), self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(RUNS)).scalar_one())

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _signature() -> dict[str, str]:
    """Return the versions and the time of a new row."""
    return {"versions": json.dumps(versions()), "finished": datetime.now(UTC).isoformat(timespec="seconds")}


def _json(value: Frozen) -> str:
    return value.model_dump_json()


def _record(spec: RunSpec, row: dict[str, Any], called: str) -> Record:
    with reading(called):
        content, made_with = json.loads(row["outcome"]), json.loads(row["versions"])
    try:
        return Record(spec, outcome_from_json(content), made_with, row["finished"])
    except TypeError as error:
        raise ArgumentError(f"{called}: written by a newer localmixup: {first_line(error)}") from None


_Value = TypeVar("_Value", bound=Frozen)


def _parsed(kind: type[_Value], text: str, called: str) -> _Value:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ArgumentError(f"{called}: written by a newer localmixup: {where}: {error.errors()[0]['msg']}") from None
