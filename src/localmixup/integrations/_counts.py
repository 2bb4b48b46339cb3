"""How many pairs counted: what every integration reports beside the training loss."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Any

import torch
from torch import Tensor

from localmixup._batch import MixPlan
from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError

_SLOTS = 256  # worker processes whose sums are kept apart, by their number


def shared(values: Tensor) -> Tensor:
    """Return a tensor in memory that this process shares with its worker processes, where there is such memory.

    Args:
        values: on the CPU; an empty tensor is returned as it is.
    """
    if values.numel() and not values.is_shared():  # type: ignore[no-untyped-call]
        # in a container without /dev/shm, where DataLoader workers cannot run either, nothing is shared
        with contextlib.suppress(RuntimeError, OSError):
            values.share_memory_()  # type: ignore[no-untyped-call]
    return values


class WorkerNotice:
    """Lets the first worker process that warns about the pairs be the last, also in later epochs."""

    def __init__(self) -> None:
        self._done = shared(torch.zeros(1, dtype=torch.bool))

    def plan(self, mix: LocalMixup, features: Any, y: Any, *, quiet: bool = False) -> MixPlan:
        """Draw a plan in a worker.

        Args:
            mix: what draws it.
            features: see `LocalMixup.plan`.
            y: see `LocalMixup.plan`.
            quiet: leave warnings to another worker.
        """
        if quiet or bool(self._done):
            mix._notice.silence()
        plan = mix.plan(features, y)
        if not quiet and mix._notice.done:
            self._done.fill_(True)
        return plan


class PairCounts:
    """Sums over batches. They stay on the device of the batches until they are read, so that a GPU does not wait.

    Several threads may add to them and take them.

    Args:
        workers: also count what copies of this object in worker processes add. They write into memory that the
            processes share, each into sums of its own, so that no process waits for another.

    >>> counts = PairCounts()
    >>> counts.add_plan(MixPlan(torch.tensor([1, 0]), torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])))
    >>> counts.take()
    {'mean_weight': 0.5, 'mixed_share': 1.0}
    """

    def __init__(self, *, workers: bool = False) -> None:
        self._owner = os.getpid()
        self._sums: Tensor | None = None
        self._of_workers = shared(torch.zeros(_SLOTS if workers else 0, 3, dtype=torch.float64))
        self._taken = torch.zeros(3, dtype=torch.float64)
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Return whether there is anything to report."""
        return self._sums is not None or bool((self._of_workers.sum(0) != self._taken).any())

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled or copied; a lock cannot be."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from pickle."""
        self.__dict__.update(state)
        self._of_workers = shared(self._of_workers)  # a copy is not
        self._lock = threading.Lock()

    def add_plan(self, plan: MixPlan) -> None:
        """Add the samples of a plan.

        Args:
            plan: its `weights` count, and its `partner` says who is mixed.
        """
        if not torch.compiler.is_compiling():
            self._add(plan)

    @torch.no_grad()
    def _add(self, plan: MixPlan) -> None:
        total = plan.weights.sum()
        sums = torch.stack([torch.full_like(total, len(plan.weights)), total, plan.mixed_share * total])
        with self._lock:
            if len(self._of_workers) and os.getpid() != self._owner:
                self._of_workers[os.getpid() % _SLOTS] += sums.cpu()
            else:
                self._sums = sums if self._sums is None else self._sums.to(sums) + sums

    def take(self, hint: str = "") -> dict[str, float]:
        """Return the mean weight of the samples and the share of the counted ones that are mixed, and start again.

        Args:
            hint: why there may be none, for the message.

        Returns:
            `mean_weight` and `mixed_share`, both in [0, 1].

        Raises:
            ArgumentError: no batch was mixed since the last call.
        """
        with self._lock:
            own, self._sums = self._sums, None
            of_workers = self._of_workers.sum(0)
            total, self._taken = of_workers - self._taken, of_workers
        if own is not None:
            total = total + own.cpu()
        samples, weight, mixed = total.tolist()
        if own is None and not samples:
            raise ArgumentError(f"no batch was mixed since the pairs were last counted{hint}")
        return {"mean_weight": weight / samples if samples else 0.0, "mixed_share": mixed / weight if weight else 0.0}
