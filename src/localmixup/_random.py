"""Random draws: generators for workers and ranks, and modules whose generator is part of their state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from localmixup._validate import ArgumentError, warn

_KEY = "_extra_state"  # PyTorch's name for state that is neither a parameter nor a buffer


def rank_and_size() -> tuple[int, int]:
    """Return the rank of this process and the number of processes; `(0, 1)` without a process group.

    >>> rank_and_size()
    (0, 1)
    """
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def seeded_generator(*entropy: int) -> torch.Generator:
    """Return a generator on the CPU that is seeded by several numbers, such as a seed and a rank.

    Args:
        *entropy: whole numbers >= 0. Different numbers give independent draws, equal ones the same draws.

    >>> seeded_generator(0, 1).initial_seed() == seeded_generator(0, 2).initial_seed()
    False
    """
    state = np.random.SeedSequence(list(entropy)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) % 2**63)


def next_generator(shared: torch.Generator, *keys: int) -> torch.Generator:
    """Return a generator for one worker or rank, derived from the next draw of a shared one.

    The shared generator advances by one draw whatever the keys, so it stays in the same state everywhere, while
    generators with different keys draw differently.

    Args:
        shared: generator that all workers or ranks hold in the same state.
        *keys: whole numbers >= 0 that identify the worker or the rank.
    """
    drawn = torch.randint(2**62, (1,), device=shared.device, generator=shared)
    return seeded_generator(int(drawn), *keys)


def check_generator(generator: Any) -> torch.Generator | None:
    """Return `generator` if it is a `torch.Generator` or None.

    Raises:
        ValueError: it is something else, such as a seed.

    >>> check_generator(None)
    """
    if generator is None or isinstance(generator, torch.Generator):
        return generator
    hint = f": torch.Generator().manual_seed({generator})" if isinstance(generator, int) else ""
    raise ArgumentError(f"generator must be a torch.Generator or None, got {type(generator).__name__}{hint}")


class DrawingModule(nn.Module):
    """A module with a `generator`, whose state is part of `state_dict()` as one uint8 tensor.

    Without a generator nothing is saved. Loading a state saved without a generator into a module that has one, or the
    reverse, works but warns, because the draws then do not continue where they stopped.
    """

    generator: torch.Generator | None

    def get_extra_state(self) -> Tensor | None:
        """Return the generator's state, uint8, shape `(k,)`, or None."""
        return None if self.generator is None else self.generator.get_state()

    def set_extra_state(self, state: Tensor | None) -> None:
        """Restore the generator's state.

        Args:
            state: uint8, shape `(k,)`; None if the saved module had no generator.

        Raises:
            ValueError: the state belongs to another kind of generator.
        """
        name = type(self).__name__
        if self.generator is None and state is not None:
            warn(
                f"the saved {name} had a generator and this one has none, so its draws do not continue where they "
                "stopped: pass generator=torch.Generator() before loading",
            )
        elif self.generator is not None and state is None:
            warn(f"the saved {name} had no generator: the one of this {name} is left unchanged")
        elif self.generator is not None:
            size = self.generator.get_state().shape
            if not isinstance(state, Tensor) or state.dtype != torch.uint8 or state.shape != size:
                got = f"{state.dtype} of shape {tuple(state.shape)}" if isinstance(state, Tensor) else repr(state)
                raise ArgumentError(
                    f"the state of a generator on {self.generator.device} must be torch.uint8 of shape {tuple(size)}, "
                    f"got {got} (from a generator on another kind of device?)"
                )
            self.generator.set_state(state.cpu())

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.generator is None:
            del destination[prefix + _KEY]

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, metadata: Any, strict: bool, missing: list[str], *rest: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, metadata, strict, missing, *rest)
        if prefix + _KEY not in state_dict:
            missing[:] = [key for key in missing if key != prefix + _KEY]
            self.set_extra_state(None)

    def __getstate__(self) -> dict[str, Any]:
        """Replace the generator by its device and state, which can be pickled with every start method."""
        state = dict(self.__dict__)
        if self.generator is not None:
            state["generator"] = (str(self.generator.device), self.generator.get_state().numpy().tobytes())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from pickle."""
        if state["generator"] is not None:
            device, values = state["generator"]
            generator = torch.Generator(device)
            generator.set_state(torch.frombuffer(bytearray(values), dtype=torch.uint8))
            state = {**state, "generator": generator}
        super().__setstate__(state)  # type: ignore[no-untyped-call]
