"""The workbench of the items: finds data, trains arms, computes findings, and keeps all of it in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared, prepare
from localmixup.lab.data.sources import load
from localmixup.lab.runs.engine import run_all
from localmixup.lab.runs.spec import Arm, DataSpec, FindingSpec, RunSpec
from localmixup.lab.runs.store import Record, Store


class Loaded(NamedTuple):
    """A data set as read, as trained on, and as a specification."""

    data: DataSet
    prepared: Prepared
    spec: DataSpec


@dataclass
class Bench:
    """What an item works with.

    Attributes:
        store: where records and findings are, and go.
        protocol: a key of `localmixup.lab.paper.protocols.PROTOCOLS`.
        scale: a key of `localmixup.lab.paper.protocols.SCALES`.
        runs: of every arm, where the user said so; None for what the scale says.
        jobs: processes at once; None for the cores.
        device: `"cpu"` or `"cuda"`.
        backend: see `localmixup.lab.runs.engine.run_all`.
        scheduler: see `localmixup.lab.runs.engine.run_all`.
        data_root: where named data sets lie.
        on_plan: called before runs with what they are, how many are wanted and how many are in the store already.
        on_finished: called after each stored run.
        on_note: called with what the user should know, such as data that are not there.
    """

    store: Store
    protocol: str
    scale: str
    runs: int | None = None
    jobs: int | None = None
    device: str = "cpu"
    backend: str = "loky"
    scheduler: str | None = None
    data_root: Path | None = None
    on_plan: Callable[[str, int, int], object] = lambda what, wanted, done: None
    on_finished: Callable[[RunSpec], object] = lambda spec: None
    on_note: Callable[[str], object] = lambda text: None
    _loaded: dict[tuple[str, int | None], Loaded] = field(default_factory=dict)

    def data(self, name: str, train_size: int | None = None) -> Loaded:
        """A data set, read once.

        Args:
            name: see `localmixup.lab.data.sources.load`.
            train_size: random rows of the training data to use; None for all.

        Raises:
            ArgumentError: it is not there.
        """
        key = (name, train_size)
        if key not in self._loaded:
            data = load(name, data_root=self.data_root)
            spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=train_size)
            self._loaded[key] = Loaded(data, prepare(data, train_size=train_size), spec)
        return self._loaded[key]

    def train(self, arms: Sequence[Arm], runs: int) -> dict[str, list[Record]]:
        """The records of arms, those that are not in the store yet trained first.

        Args:
            arms: on data that `data` has given out.
            runs: of each arm, with seeds 0 to `runs - 1`.

        Returns:
            Records in the order of the seeds, by the arm's key.
        """
        for arm in arms:
            self.store.add_arm(arm, runs)
        found: dict[str, Record] = {}
        by_data: dict[str, list[RunSpec]] = {}
        for arm in arms:
            by_data.setdefault(arm.data.model_dump_json(), []).extend(arm.run(seed) for seed in range(runs))
        loaded = {item.spec.model_dump_json(): item for item in self._loaded.values()}
        for data, specs in by_data.items():
            wanted = {spec.key for spec in specs}
            there = self.store.get(specs)
            self.on_plan(loaded[data].spec.name, len(wanted), len(there))
            found |= (
                there
                if len(there) == len(wanted)
                else run_all(
                    specs,
                    loaded[data].prepared,
                    self.store,
                    jobs=self.jobs,
                    device=self.device,
                    backend=self.backend,
                    scheduler=self.scheduler,
                    on_finished=self.on_finished,
                )
            )
        return {arm.key: [found[arm.run(seed).key] for seed in range(runs)] for arm in arms}

    def find(self, spec: FindingSpec, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Something computed, unless it is in the store already.

        Args:
            spec: what is computed.
            compute: computes it, as JSON holds it.
        """
        for finding in self.store.findings():
            if finding.spec.key == spec.key:
                self.on_plan(f"{spec.item} {spec.panel}", 1, 1)
                return finding.value
        self.on_plan(f"{spec.item} {spec.panel}", 1, 0)
        value = compute()
        self.store.add_finding(spec, value)
        return value
