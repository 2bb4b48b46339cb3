"""The store of finished runs, arms and findings: an SQLite file by default, or any database of SQLAlchemy."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from pydantic import ValidationError

from localmixup._validate import ArgumentError
from localmixup.lab.errors import first_line
from localmixup.lab.runs.experiment import Arm, FindingSpec
from localmixup.lab.runs.outcome import Outcome, outcome_from_json
from localmixup.lab.runs.spec import Frozen, RunSpec

SCHEMA = 2  # raised when the tables or the keys change; `_migrate` then brings older stores up

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
_arms = sa.Table(
    "localmixup_arms",
    _tables,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("runs", sa.Integer, nullable=False),
)
_findings = sa.Table(
    "localmixup_findings",
    _tables,
    sa.Column("key", sa.String(24), primary_key=True),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("versions", sa.Text, nullable=False),
    sa.Column("finished", sa.String(32), nullable=False),
)


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
        text = str(url)
        self.called = called or f"--store {text}"
        self.url = text
        if "://" not in text:
            check_file(self.called, Path(text))
            self.url = f"sqlite:///{Path(text).expanduser()}"
        try:
            # a writer waits for the other one instead of giving up
            options = {"connect_args": {"timeout": 60}} if self.url.startswith("sqlite") else {}
            self._engine = sa.create_engine(self.url, **options)
            there = set(sa.inspect(self._engine).get_table_names())
        except ModuleNotFoundError as error:
            raise ArgumentError(f"{self.called}: its driver is not installed: {error.name}") from None
        except sa.exc.SQLAlchemyError as error:
            raise ArgumentError(f"{self.called}: cannot be opened: {_cause(error)}") from None
        if there and _meta.name not in there:
            raise ArgumentError(
                f"{self.called}: this is another program's database (it has {', '.join(sorted(there)[:3])})"
            )
        if not create and not there:
            raise ArgumentError(f"{self.called}: there are no runs in it: it is empty, or the name is wrong")
        try:
            self._prepare()
        except sa.exc.SQLAlchemyError as error:
            raise ArgumentError(f"{self.called}: cannot be written: {_cause(error)}") from None

    def _prepare(self) -> None:
        for last_try in (*[False] * len(_tables.tables), True):
            try:
                _tables.create_all(self._engine)
                with self._engine.begin() as connection:
                    found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "schema")).scalar()
                    if found is None:
                        connection.execute(_meta.insert().values(name="schema", value=str(SCHEMA)))
                    elif found == "1":
                        _migrate(connection)
                    elif found != str(SCHEMA):
                        raise ArgumentError(
                            f"{self.called}: written with tables of version {found}, "
                            f"this localmixup reads versions 1 to {SCHEMA}"
                        )
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
        self._insert(_runs, key=spec.key, spec=_json(spec), outcome=json.dumps(outcome._asdict()), **_signature())

    def add_finding(self, spec: FindingSpec, value: dict[str, Any]) -> None:
        """Store something computed. A finding that is stored already is not changed.

        Args:
            spec: what was computed.
            value: its value, as JSON holds it.

        Raises:
            ArgumentError: the store cannot be written.
        """
        self._insert(_findings, key=spec.key, spec=_json(spec), value=json.dumps(value), **_signature())

    def add_arm(self, arm: Arm, runs: int) -> None:
        """Note that the runs with seeds 0 to `runs - 1` of an arm are wanted.

        Args:
            arm: the line or point.
            runs: their number, which never shrinks.

        Raises:
            ArgumentError: the store cannot be written.
        """
        self._insert(_arms, key=arm.key, arm=_json(arm), runs=runs)
        more = _arms.update().where(_arms.c.key == arm.key, _arms.c.runs < runs).values(runs=runs)
        with self._engine.begin() as connection:
            connection.execute(more)

    def _insert(self, table: sa.Table, **row: Any) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(table.insert().values(**row))
        except sa.exc.IntegrityError:
            pass  # it is there already: another process finished the same
        except sa.exc.SQLAlchemyError as error:
            raise ArgumentError(f"{self.called}: cannot be written: {_cause(error)}") from None

    def arms(self) -> list[tuple[Arm, int]]:
        """Return all arms that were ever wanted, each with its number of runs."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_arms).order_by(_arms.c.key)).all()
        return [(_parsed(Arm, row.arm, self.called), row.runs) for row in rows]

    def findings(self) -> list[Finding]:
        """Return all findings."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_findings).order_by(_findings.c.key)).all()
        return [
            Finding(
                _parsed(FindingSpec, row.spec, self.called),
                json.loads(row.value),
                json.loads(row.versions),
                row.finished,
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
        for table in (_runs, _findings, _arms):
            try:
                with other._engine.connect() as source:
                    rows = [dict(row) for row in source.execute(sa.select(table)).mappings()]
            except sa.exc.SQLAlchemyError as error:
                raise ArgumentError(f"{other.called}: cannot be read: {_cause(error)}") from None
            with self._engine.begin() as connection:
                there = set(connection.execute(sa.select(table.c.key)).scalars())
                if new := [row for row in rows if row["key"] not in there]:
                    connection.execute(table.insert(), new)
            added[table.name] = len(new)
            for row in rows if table is _arms else []:
                self.add_arm(_parsed(Arm, row["arm"], other.called), row["runs"])
        return Added(added[_runs.name], added[_findings.name])

    def get(self, specs: Iterable[RunSpec]) -> dict[str, Record]:
        """Return the records of the runs that are finished, by key.

        Args:
            specs: the runs to look up.
        """
        asked = {spec.key: spec for spec in specs}
        keys = list(asked)
        found: dict[str, Record] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(keys), 500):
                query = sa.select(_runs).where(_runs.c.key.in_(keys[start : start + 500]))
                for row in connection.execute(query):
                    found[row.key] = _record(asked[row.key], row, self.called)
        return found

    def count(self) -> int:
        """Return the number of finished runs."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(_runs)).scalar_one())

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def check_file(called: str, path: Path) -> None:
    """Check that a path can be a file.

    Args:
        called: how messages name it.
        path: of a file that exists or will be created.

    Raises:
        ArgumentError: it is a folder, or its folder does not exist.
    """
    path = path.expanduser()
    if path.is_dir():
        raise ArgumentError(f"{called}: this is a folder, a file is needed")
    if not path.parent.is_dir():
        raise ArgumentError(f"{called}: there is no folder {path.parent}")


def _migrate(connection: sa.Connection) -> None:
    """Convert tables of version 1, whose keys counted default values and which wrote infinity as null."""
    for row in connection.execute(sa.select(_runs)).all():
        content = json.loads(row.spec)
        if content["method"]["parameter"] is None and content["method"]["method"] in (
            "local-threshold",
            "local-exponential",
        ):
            content["method"]["parameter"] = "Infinity"
        spec = RunSpec.model_validate(content)
        connection.execute(_runs.update().where(_runs.c.key == row.key).values(key=spec.key, spec=_json(spec)))
    connection.execute(_meta.update().where(_meta.c.name == "schema").values(value=str(SCHEMA)))


def _signature() -> dict[str, str]:
    """Return the versions and the time of a new row."""
    return {"versions": json.dumps(versions()), "finished": datetime.now(UTC).isoformat(timespec="seconds")}


def _json(value: Frozen) -> str:
    return value.model_dump_json()


def _record(spec: RunSpec, row: Any, called: str) -> Record:
    try:
        return Record(spec, outcome_from_json(json.loads(row.outcome)), json.loads(row.versions), row.finished)
    except TypeError as error:
        raise ArgumentError(f"{called}: written by a newer localmixup: {first_line(error)}") from None


_Value = TypeVar("_Value", bound=Frozen)


def _parsed(kind: type[_Value], text: str, called: str) -> _Value:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ArgumentError(f"{called}: written by a newer localmixup: {where}: {error.errors()[0]['msg']}") from None


def _cause(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
