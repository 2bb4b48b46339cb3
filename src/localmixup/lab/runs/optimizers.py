"""Optimisers and learning rate schedules by name, so that a protocol is data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from localmixup._validate import check_choice
from localmixup.lab.models.own import Factory, adopt_optimizer, is_own, own_factory, plain_name
from localmixup.lab.runs.spec import TrainingSpec

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": lambda parameters, **options: torch.optim.AdamW(parameters, fused=True, **options),
    "adam": lambda parameters, **options: torch.optim.Adam(parameters, fused=True, **options),
    "sgd": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, fused=True, **options),
    "nesterov": lambda parameters, **options: torch.optim.SGD(
        parameters, momentum=0.9, nesterov=True, fused=True, **options
    ),
}
"""Optimisers, each with its usual settings; `sgd` and `nesterov` have a momentum of 0.9. All work element by element,
so that one of them serves a whole stack."""

SCHEDULES: dict[str, Callable[[TrainingSpec, int], float]] = {
    "constant": lambda settings, update: 1.0,
    "cosine": lambda settings, update: (1 + math.cos(math.pi * update / settings.updates)) / 2,
    "step": lambda settings, update: math.prod(
        settings.step_factor for share in settings.milestones if update >= round(share * settings.updates)
    ),
}
"""Schedules: the share of the learning rate at each update, counted from 0. Constant, along a cosine to zero, or
lowered at each of the milestones."""


def choose_optimizer(optimizer: str | Factory | None) -> str:
    """Return the name of the optimiser to train with, after checking it.

    Args:
        optimizer: a key of `OPTIMIZERS`; `"package.module:factory"` or a factory of the user's own, see
            `localmixup.lab.models.own.adopt_optimizer`; None for AdamW.

    Raises:
        ArgumentError: no such optimiser, or one that cannot make a step.
    """
    if optimizer is None:
        return "adamw"
    if not isinstance(optimizer, str) or is_own(optimizer):
        return adopt_optimizer(optimizer)
    return check_choice("optimizer", optimizer, OPTIMIZERS)


def describe_optimizer(settings: TrainingSpec) -> str:
    """Return the optimiser of a run with its settings in words.

    Args:
        settings: of the run.

    >>> describe_optimizer(TrainingSpec(model="mlp", updates=1))
    'adamw, learning rate 0.002 with cosine decay to zero, weight decay 0.01'
    """
    schedule = {"cosine": "with cosine decay to zero", "step": "lowered in steps"}.get(settings.schedule, "throughout")
    if is_own(settings.optimizer):
        return f"your own, {plain_name(settings.optimizer)}, its learning rate {schedule}"
    rate = f"learning rate {settings.learning_rate:g} {schedule}"
    return f"{settings.optimizer}, {rate}, weight decay {settings.weight_decay:g}"


def build_optimizer(settings: TrainingSpec, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of a run or stack. One of the user's own keeps its learning rates and weight decay.

    Args:
        settings: has its name, from `OPTIMIZERS` or `localmixup.lab.models.own.adopt_optimizer`, the learning
            rate at the start, and the weight decay.
        parameters: what is updated.

    Raises:
        ArgumentError: no such optimiser.
    """
    if is_own(settings.optimizer):
        own: torch.optim.Optimizer = own_factory(settings.optimizer)(parameters)
        return own
    make = OPTIMIZERS[check_choice("optimizer", settings.optimizer, OPTIMIZERS)]
    return make(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def rate_shares(settings: TrainingSpec) -> list[float]:
    """Return the share of the learning rate at the start that every update has.

    Args:
        settings: of the run.

    Raises:
        ArgumentError: no such schedule.

    >>> rate_shares(TrainingSpec(model="mlp", updates=4, schedule="step", milestones=(0.5,)))
    [1.0, 1.0, 0.1, 0.1]
    """
    share = SCHEDULES[check_choice("schedule", settings.schedule, SCHEDULES)]
    return [float(share(settings, update)) for update in range(settings.updates)]
