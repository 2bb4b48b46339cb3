"""The workbench of the items: finds data, trains arms, computes findings, and keeps all of it in the store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from localmixup.lab.analysis.arms import ArmResult, results_of
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import Prepared, prepare
from localmixup.lab.data.sources import Source, load
from localmixup.lab.runs.engine import run
from localmixup.lab.runs.events import Event, Stage, Step
from localmixup.lab.runs.experiment import Arm, FindingSpec
from localmixup.lab.runs.spec import DataSpec
from localmixup.lab.runs.store import Store


class Loaded(NamedTuple):
    """A data set as read, as trained on, and as a specification."""

    data: DataSet
    prepared: Prepared
    spec: DataSpec


@dataclass
class Bench:
    """What an item works with.

    Attributes:
        store: holds records and findings.
        protocol: a key of `localmixup.lab.paper.protocols.PROTOCOLS`.
        scale: a key of `localmixup.lab.paper.protocols.SCALES`.
        runs: number of runs of every arm; None for what the scale says.
        jobs: number of processes; None for one per core.
        device: `"cpu"` or `"cuda"`.
        backend: see `localmixup.lab.runs.engine.run`.
        scheduler: see `localmixup.lab.runs.engine.run`.
        data_root: folder of the named data sets.
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
    _loaded: dict[tuple[str, int | None], Loaded] = field(default_factory=dict)

    def data(self, source: Source, train_size: int | None = None) -> Loaded:
        """Return a data set, which is read once.

        Args:
            source: see `localmixup.lab.data.sources.load`.
            train_size: number of random rows of the training data to use; None for all.

        Raises:
            DataMissingError: the data were not found.
        """
        key = (source if isinstance(source, str) else source.name, train_size)
        if key not in self._loaded:
            data = load(source, data_root=self.data_root)
            spec = DataSpec(name=data.name, fingerprint=data.fingerprint, train_size=train_size)
            self._loaded[key] = Loaded(data, prepare(data, train_size=train_size), spec)
        return self._loaded[key]

    def train(self, loaded: Loaded, arms: Sequence[Arm], runs: int) -> Generator[Event, None, list[ArmResult]]:
        """Train the runs of arms that are not in the store yet.

        Returns:
            The arms with all their runs, in the same order.
        """
        for arm in arms:
            self.store.add_arm(arm, runs)
        records = yield from run(
            [arm.run(seed) for arm in arms for seed in range(runs)],
            loaded.prepared,
            self.store,
            jobs=self.jobs,
            device=self.device,
            backend=self.backend,
            scheduler=self.scheduler,
            title=loaded.spec.name,
        )
        return results_of(arms, range(runs), records)

    def find(
        self,
        item: str,
        loaded: Loaded,
        compute: Callable[[], dict[str, Any]],
        *,
        scale: str | None = None,
        settings: tuple[tuple[str, float | str], ...] = (),
    ) -> Generator[Event, None, None]:
        """Compute something and store it, unless it is in the store already.

        Args:
            item: name of the item.
            loaded: the data it is computed from.
            compute: computes it, as JSON holds it.
            scale: by default that of the bench.
            settings: what it is computed with, by name.
        """
        spec = FindingSpec(
            item=item, protocol=self.protocol, scale=scale or self.scale, panel=loaded.spec.name, data=loaded.spec,
            settings=settings,
        )  # fmt: skip
        done = any(finding.spec.key == spec.key for finding in self.store.findings())
        yield Stage(f"{item} {spec.panel}", 1, int(done))
        if not done:
            self.store.add_finding(spec, compute())
            yield Step(1)
