"""Schedules for the settings of a `LocalMixup`: switch mixing off at the end, or anneal the locality."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from localmixup._mixup import LocalMixup
from localmixup._validate import ArgumentError, check_choice, check_integer, check_number
from localmixup.graphs import ExponentialGraph, ThresholdGraph

CURVES = ("linear", "geometric")


class MixingSchedule:
    """Change a `LocalMixup` step by step. Call `step()` after each epoch or each batch.

    The values of the first step are set at once, and `step()` moves to the next, as with PyTorch's learning rate
    schedulers. After the last step the values stay. A DataLoader whose workers mix (`collate_fn=mix.collate_fn`) sends
    them the settings when they start: once per epoch, or with `persistent_workers=True` only once.

    Args:
        mix: the `LocalMixup` whose `prob` and `graph` are changed.
        total_steps: number of steps of the training, >= 1.
        off_share: share of the steps at the end that train unmixed (`prob=0`, every sample counts 1), in [0, 1],
            rounded to whole steps.
        decay: first and last decay of an `ExponentialGraph` over the steps that mix.
        radius: first and last radius of a `ThresholdGraph`, likewise.
        curve: `"linear"`, equal differences from step to step; `"geometric"`, equal ratios, for which both ends must be
            > 0.

    Raises:
        ValueError: an argument is out of range, or the graph has no such parameter.

    >>> from localmixup import ThresholdGraph
    >>> mix = LocalMixup(ThresholdGraph(radius=math.inf))
    >>> schedule = MixingSchedule(mix, total_steps=4, off_share=0.25, radius=(8.0, 2.0), curve="geometric")
    >>> for epoch in range(4):
    ...     print(round(mix.graph.radius, 3), mix.prob)
    ...     schedule.step()
    8.0 1.0
    4.0 1.0
    2.0 1.0
    2.0 0.0
    """

    def __init__(
        self,
        mix: LocalMixup,
        *,
        total_steps: int,
        off_share: float = 0.0,
        decay: tuple[float, float] | None = None,
        radius: tuple[float, float] | None = None,
        curve: str = "linear",
    ) -> None:
        if not isinstance(mix, LocalMixup):
            raise ArgumentError(f"mix must be a LocalMixup, got {type(mix).__name__}")
        self.mix = mix
        self.total_steps = check_integer("total_steps", total_steps, low=1)
        off = round(check_number("off_share", off_share, low=0, high=1) * self.total_steps)
        self.mixing_steps = self.total_steps - off
        self.curve = check_choice("curve", curve, CURVES)
        if decay is not None and radius is not None:
            raise ArgumentError(f"give one of decay and radius, got {decay!r} and {radius!r}")
        self._parameter = "decay" if decay is not None else "radius"
        ends = decay if decay is not None else radius
        self._ends = None if ends is None else self._check_ends(ends)
        self._prob = mix.prob
        self.steps_done = 0
        self._set()

    def step(self) -> None:
        """Move to the settings of the next step."""
        self.steps_done += 1
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done, and the `prob` at the start."""
        return {"steps_done": self.steps_done, "prob": self._prob}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved schedule with the same arguments.

        Args:
            state: from `state_dict`.

        Raises:
            ValueError: it is not such a state.
        """
        if set(state) != {"steps_done", "prob"}:
            raise ArgumentError(f"state must hold 'steps_done' and 'prob', got {sorted(state)}")
        self.steps_done = check_integer("steps_done", state["steps_done"], low=0)
        self._prob = check_number("prob", state["prob"], low=0, high=1)
        self._set()

    def _check_ends(self, ends: Any) -> tuple[float, float]:
        name = self._parameter
        wanted = {"decay": ExponentialGraph, "radius": ThresholdGraph}[name]
        if not isinstance(self.mix.graph, wanted):
            raise ArgumentError(f"{name} is the parameter of {wanted.__name__}, got a mix with {self.mix.graph!r}")
        if not isinstance(ends, (tuple, list)) or len(ends) != 2:
            raise ArgumentError(f"{name} must be a pair, its first and its last value, got {ends!r}")
        first, last = (check_number(name, end, low=0) for end in ends)
        if math.inf in (first, last) or (self.curve == "geometric" and 0 in (first, last)):
            allowed = "> 0 and finite for a geometric curve" if self.curve == "geometric" else "finite"
            raise ArgumentError(f"both ends of {name} must be {allowed}, got {(first, last)}")
        return first, last

    def _set(self) -> None:
        if self._ends is not None:
            value = self._value(*self._ends)
            if getattr(self.mix.graph, self._parameter) != value:
                self.mix.graph = dataclasses.replace(self.mix.graph, **{self._parameter: value})  # type: ignore[type-var]
        self.mix.prob = self._prob if self._mixes else 0.0

    @property
    def _mixes(self) -> bool:
        return self.mixing_steps == self.total_steps or self.steps_done < self.mixing_steps

    def _value(self, first: float, last: float) -> float:
        if self.steps_done == 0 or self.mixing_steps < 2:
            return first
        share = min(1.0, self.steps_done / (self.mixing_steps - 1))
        if share == 1:
            return last
        return first + share * (last - first) if self.curve == "linear" else first * (last / first) ** share
