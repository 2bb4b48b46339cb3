"""Many small runs at once: fully connected networks trained in machine code, pairs of weight zero left out beforehand.

A run of a fleet is the run that `localmixup.lab.runs.train.train` makes of the same specification: the same starting
weights, order of the data, partners, `lam` and weights, drawn from the same generators, and the same optimiser. What is
left out is only what does not count: a pair of weight zero is dropped before the forward pass, which is exact for
networks without batch normalisation. Each network is trained to its end before the next, since one with its optimiser
fits into a core's cache and several do not; what the runs have in common (data, learning rates, compiled code) is made
once.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from localmixup.lab.data.prepared import Prepared, split_validation
from localmixup.lab.models import build_model
from localmixup.lab.runs.optimizers import learning_rates
from localmixup.lab.runs.spec import RunSpec
from localmixup.lab.runs.train import Outcome, enlarged_batch, error, pack_regions, wants_regions

_MODELS = ("mlp", "mlp3-softmax")
_KINDS = {"vanilla": 0, "mixup": 1, "local-threshold": 2, "local-exponential": 3, "published-spirals": 2}
_REDUCTIONS = {"mean": 0, "weighted_mean": 1, "sum": 2}
_MOST_INPUTS = 64


def can_train(spec: RunSpec, prepared: Prepared) -> bool:
    """Whether a run can be part of a fleet: a small fully connected network, Adam, pairs of the batch, one `lam` each.

    Args:
        spec: the run.
        prepared: its data.
    """
    training, method = spec.training, spec.method
    return (
        training.model in _MODELS
        and training.pairs == "batch"
        and training.optimizer in ("adam", "adamw")
        and training.mixup_alpha == 1
        and training.precision == "no"
        and training.augmentation == "none"
        and training.keep == "last"
        and not training.measure
        and method.method in _KINDS
        and not method.options
        and (method.method != "published-spirals" or training.reduction == "mean")
        and (method.parameter is None or math.isfinite(method.parameter))
        and (method.mixed_share is None or method.method == "mixup")
        and prepared.task == "classification"
        and math.prod(prepared.x.shape[1:]) <= _MOST_INPUTS
        and _draws_as_torch()
    )


def train_many(specs: Sequence[RunSpec], prepared: Prepared) -> list[Outcome]:
    """Train a fleet.

    Args:
        specs: its runs, for each of which `can_train` holds.
        prepared: the data of all of them.

    Returns:
        What each leaves behind, in the order of `specs`.
    """
    return [_train(spec, prepared) for spec in specs]


def _train(spec: RunSpec, prepared: Prepared) -> Outcome:
    from localmixup.lab.runs import _numba_fleet as native

    settings, method = spec.training, spec.method
    rows, validation_rows = split_validation(prepared, spec.seed, settings.validation_share)
    x, y = prepared.x[rows].flatten(1), prepared.y[rows]
    x_val, y_val = prepared.x[validation_rows], prepared.y[validation_rows]
    torch.manual_seed(spec.seed)
    model = build_model(settings.model, tuple(prepared.x.shape[1:]), prepared.outputs)
    network = _Network(model)

    updates, size = settings.updates, enlarged_batch(settings, method, len(y))
    epochs = -(-updates * size // len(y))
    order = native.permutations(_raw(3 * spec.seed, epochs * (len(y) - 1)), len(y), epochs)
    batches = order[: updates * size].reshape(updates, size)
    kind = _KINDS[method.method]
    prob = 1.0 if method.mixed_share is None else method.mixed_share
    drawn = 0 if kind == native.VANILLA else updates * size * (2 if prob < 1 else 1)
    raw = _raw(3 * spec.seed + 1, drawn)
    inputs = np.zeros((len(y), _up(x.shape[1], 4)), np.float32)
    inputs[:, : x.shape[1]] = x.numpy()
    rates = np.asarray(learning_rates(settings))
    losses, shares = np.zeros(updates), np.zeros((updates, 3))

    every = max(-(-len(y) // settings.batch_size), -(-updates // settings.curve_points))
    curve, train_errors, seconds = [], [], 0.0
    for start in range(0, updates, every):
        stop, started = min(updates, start + every), time.perf_counter()
        native.train_steps(
            inputs, y.numpy(), *network.state, network.hidden, network.layers, prepared.outputs, batches, raw,
            start, stop, rates, settings.weight_decay, settings.optimizer == "adamw",
            kind, float(method.parameter or 0.0), prob, _REDUCTIONS[settings.reduction], method.loss_scale,
            method.method == "published-spirals", network.softmax, losses, shares,
        )  # fmt: skip
        seconds += time.perf_counter() - started
        network.write(model)
        curve.append((stop, float(losses[start:stop].mean()), error(model, x_val, y_val, prepared)))
        if settings.train_error:
            train_errors.append(error(model, prepared.x[rows], y, prepared))

    weight, moved, effective = shares.mean(axis=0)
    return Outcome(
        validation_error=curve[-1][2],
        test_error=error(model, prepared.x_test, prepared.y_test, prepared),
        train_seconds=seconds,
        mixed_share=float(moved / max(weight, 1e-12)),
        effective_sample_size=float(effective),
        mean_weight=float(weight),
        curve=curve,
        regions=pack_regions(model, prepared) if wants_regions(settings, prepared) else None,
        train_errors=train_errors,
        parameters=sum(p.numel() for p in model.parameters()),
    )


class _Network:
    """The weights of a fully connected network, its gradient and Adam's moments, each in one padded vector."""

    def __init__(self, model: nn.Module) -> None:
        linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
        self.layers, self.hidden = len(linear) - 1, _up(linear[0].out_features, 8)
        self.softmax = any(isinstance(module, nn.Softmax) for module in model.modules())
        self.places: list[tuple[int, tuple[int, int], bool]] = []  # offset, padded shape, whether stored as (in, out)
        at = 0
        for k, module in enumerate(linear):
            if k < self.layers:
                shape, turned = (self.hidden if k else _up(module.in_features, 4), self.hidden), True
            else:
                shape, turned = (_up(module.out_features, 4), self.hidden), False
            self.places.append((at, shape, turned))
            at += math.prod(shape) + (shape[1] if turned else shape[0])
        self.state = tuple(_aligned(at) for _ in range(4))
        self._linear = linear
        for (weight, bias), module in zip(self._views(), linear, strict=True):
            weight[...] = module.weight.detach().numpy()
            bias[...] = module.bias.detach().numpy()

    def _views(self) -> list[tuple[Any, Any]]:
        """The unpadded part of every layer's weight, as torch has it, and of its bias."""
        found = []
        for (at, shape, turned), module in zip(self.places, self._linear, strict=True):
            weight = self.state[0][at : at + math.prod(shape)].reshape(shape)
            bias = self.state[0][at + math.prod(shape) :][: module.out_features]
            found.append(((weight.T if turned else weight)[: module.out_features, : module.in_features], bias))
        return found

    def write(self, model: nn.Module) -> None:
        """Write the weights into the model that they came from."""
        with torch.no_grad():
            for (weight, bias), module in zip(self._views(), self._linear, strict=True):
                module.weight.copy_(torch.from_numpy(weight))
                module.bias.copy_(torch.from_numpy(bias))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _aligned(count: int) -> np.ndarray:
    """Zeros that begin at a cache line: otherwise every other vector of eight numbers lies on two of them."""
    room = np.zeros(count + 16, np.float32)
    first = -room.ctypes.data % 64 // room.itemsize
    return room[first : first + count]


def _raw(seed: int, count: int) -> np.ndarray:
    """The 32-bit draws of `torch.Generator().manual_seed(seed)`: both are MT19937, seeded alike."""
    bits = np.random.MT19937()
    bits._legacy_seeding(seed)
    return np.asarray(bits.random_raw(count), dtype=np.uint64)


@functools.cache
def _draws_as_torch() -> bool:
    """Whether numba is there, and torch still makes permutations and uniform draws as the compiled code does."""
    try:
        from localmixup.lab.runs import _numba_fleet as native
    except ModuleNotFoundError:
        return False
    generator = torch.Generator().manual_seed(5)
    theirs: list[Tensor] = [torch.randperm(301, generator=generator), torch.rand(7, generator=generator)]
    raw = _raw(5, 307)
    uniform = (raw[300:] & np.uint64(0xFFFFFF)).astype(np.float32) * np.float32(2.0**-24)
    ours = [native.permutations(raw, 301, 1), uniform]
    return all(np.array_equal(a.numpy(), b) for a, b in zip(theirs, ours, strict=True))
