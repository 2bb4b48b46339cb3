"""Optimisers and learning rate schedules by name, so that a protocol is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import torch
from torch import nn
from torch.optim import lr_scheduler

from localmixup._validate import check_choice
from localmixup.lab.runs.spec import TrainingSpec

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, **options),
    "nesterov": lambda parameters, **options: torch.optim.SGD(parameters, momentum=0.9, nesterov=True, **options),
}
"""Optimisers, each with its usual settings; `sgd` and `nesterov` have a momentum of 0.9."""

SCHEDULES: dict[str, Callable[[torch.optim.Optimizer, TrainingSpec], lr_scheduler.LRScheduler]] = {
    "constant": lambda optimizer, settings: lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "cosine": lambda optimizer, settings: lr_scheduler.CosineAnnealingLR(optimizer, settings.updates),
    "step": lambda optimizer, settings: lr_scheduler.MultiStepLR(
        optimizer, [round(share * settings.updates) for share in settings.milestones], gamma=settings.step_factor
    ),
}
"""Schedules: none, along a cosine to zero, or lowered after each of the milestones."""


def build_optimizer(
    settings: TrainingSpec, parameters: Iterable[nn.Parameter]
) -> tuple[torch.optim.Optimizer, lr_scheduler.LRScheduler]:
    """The optimiser of a run and its schedule, to be stepped after every update.

    Args:
        settings: tells their names, the learning rate at the start, and the weight decay.
        parameters: what is updated.

    Raises:
        ValueError: no such optimiser or schedule.
    """
    optimizer = OPTIMIZERS[check_choice("optimizer", settings.optimizer, OPTIMIZERS)](
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    return optimizer, SCHEDULES[check_choice("schedule", settings.schedule, SCHEDULES)](optimizer, settings)


@lru_cache(maxsize=64)
def learning_rates(settings: TrainingSpec) -> tuple[float, ...]:
    """The learning rate of every update, as the schedule gives it.

    Args:
        settings: of the run.

    Raises:
        ValueError: no such schedule.

    >>> learning_rates(TrainingSpec(model="mlp", updates=4, learning_rate=1.0, schedule="step", milestones=(0.5,)))
    (1.0, 1.0, 0.1, 0.1)
    """
    optimizer, schedule = build_optimizer(settings, [nn.Parameter(torch.zeros(1))])
    rates = []
    for _ in range(settings.updates):
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return tuple(rates)
