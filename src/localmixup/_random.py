"""A module that draws from a generator of its own: its state goes with `state_dict()`, pickling and copying."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from localmixup._validate import ArgumentError

_KEY = "_extra_state"  # torch's name for what is neither a parameter nor a buffer


class DrawingModule(nn.Module):
    """A module with a `generator`, whose state `state_dict()` holds: one uint8 tensor, or nothing where it is None.

    A state that was saved without a generator loads too, strictly, and so does one into a module without: both warn,
    since the draws then do not go on where they stopped.
    """

    generator: torch.Generator | None

    def get_extra_state(self) -> Tensor | None:
        """The generator's state, shape `(k,)`, uint8."""
        return None if self.generator is None else self.generator.get_state()

    def set_extra_state(self, state: Tensor | None) -> None:
        """Let the generator go on where a saved one stopped.

        Args:
            state: shape `(k,)`, uint8; None where the saved module had no generator.

        Raises:
            ValueError: the state is that of another kind of generator.
        """
        name = type(self).__name__
        if self.generator is None and state is not None:
            warnings.warn(
                f"the saved {name} had a generator and this one has none, so its draws do not go on where those "
                "stopped: give it generator=torch.Generator() before loading",
                stacklevel=2,
            )
        elif self.generator is not None and state is None:
            warnings.warn(f"the saved {name} had no generator: this one's keeps the state that it is in", stacklevel=2)
        elif self.generator is not None:
            size = self.generator.get_state().shape
            if not isinstance(state, Tensor) or state.dtype != torch.uint8 or state.shape != size:
                got = f"{state.dtype} of shape {tuple(state.shape)}" if isinstance(state, Tensor) else repr(state)
                raise ArgumentError(
                    f"the state of a generator on {self.generator.device} must be torch.uint8 of shape {tuple(size)}, "
                    f"got {got} (of a generator on another kind of device?)"
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
        """What is pickled; a generator as its plain state, which reaches workers of every start method."""
        state = dict(self.__dict__)
        if self.generator is not None:
            state["generator"] = (str(self.generator.device), self.generator.get_state().numpy().tobytes())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Undo `__getstate__`."""
        if state["generator"] is not None:
            device, values = state["generator"]
            generator = torch.Generator(device)
            generator.set_state(torch.frombuffer(bytearray(values), dtype=torch.uint8))
            state = {**state, "generator": generator}
        super().__setstate__(state)  # type: ignore[no-untyped-call]
