"""The arms of the image experiments: vanilla training, mixup, local mixup, its grid and its controls."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from itertools import chain
from typing import Any

from localmixup import ExponentialGraph, LocalMixup, NearestOfGraph, ThresholdGraph
from localmixup.lab.analysis.arms import SAME_SHARE, ArmResult, best_on_validation, matched_controls
from localmixup.lab.data.prepared import training_rows
from localmixup.lab.errors import DataMissingError
from localmixup.lab.methods.recipe import config_of, recipe_spec
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES, Recipe
from localmixup.lab.runs.events import Event, Note
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

REDUCTIONS = {"mean": "sum(w l) / n", "weighted_mean": "sum(w l) / sum(w)", "sum": "sum(w l)"}


class Panel:
    """One data set of an item, with the recipe that its protocol and scale give it.

    Args:
        bench: tells protocol and scale.
        item: name of the item.
        name: of the panel, which is that of a recipe.
        recipe: of the protocol.
    """

    def __init__(self, bench: Bench, item: str, name: str, recipe: Recipe) -> None:
        self.bench, self.item, self.name, self.recipe = bench, item, name, recipe
        self.protocol, scale = PROTOCOLS[bench.protocol], SCALES[bench.scale]
        self.loaded: Loaded = bench.data(recipe.data, scale.train_size)
        self.runs = bench.runs or min(recipe.runs, scale.runs or recipe.runs)
        self.share, self.precision = scale.share, scale.precision
        self.rows = training_rows(len(self.loaded.prepared.x), self.protocol.validation_share)

    def training(self, *, epochs: float | None = None, **changes: object) -> TrainingSpec:
        """Return the training of an arm.

        Args:
            epochs: passes over the data; by default the recipe's.
            **changes: to the recipe's training.
        """
        settings = self.recipe.training
        passes = (epochs or self.recipe.epochs) * self.share
        values = {
            "updates": max(1, math.ceil(passes * self.rows / settings.batch_size)),
            "reduction": self.protocol.reductions[0],
            "validation_share": self.protocol.validation_share,
            "precision": self.precision,
            **changes,
        }
        return settings.model_copy(update=values)

    def arm(self, label: str, method: MethodSpec, training: TrainingSpec, **place: Any) -> Arm:
        """Return an arm on this panel's data.

        Args:
            label: the name that is printed.
            method: with its parameters.
            training: from `training`.
            **place: `x`, `control_of` or another `panel`, see `Arm`.
        """
        values = {"item": self.item, "protocol": self.bench.protocol, "scale": self.bench.scale, "panel": self.name}
        known: dict[str, Any] = {**values, **place}
        return Arm(label=label, data=self.loaded.spec, training=training, method=method, **known)

    def baselines(self, training: TrainingSpec) -> list[Arm]:
        """Return vanilla training and mixup."""
        return [self.arm(name, MethodSpec(method=name), training) for name in ("vanilla", "mixup")]

    def train(self, arms: Sequence[Arm]) -> Generator[Event, None, list[ArmResult]]:
        """Train arms, and return them with their runs."""
        return (yield from self.bench.train(self.loaded, arms, self.runs))

    def decay_of(self, mean_weight: float) -> float:
        """Return the decay at which pairs have a mean weight, to three digits.

        Args:
            mean_weight: in (0, 1).
        """
        graph = ExponentialGraph.fit(self.loaded.prepared.x, mean_weight=mean_weight)
        return float(f"{graph.decay:.3g}")


def panels_of(bench: Bench, item: str, names: Sequence[str]) -> Generator[Event, None, list[Panel]]:
    """Return the panels for which the bench's protocol has a recipe and whose data can be found.

    Raises:
        DataMissingError: none of the data were found.
    """
    protocol = PROTOCOLS[bench.protocol]
    recipes = {name: protocol.recipe(name, bench.scale) for name in names}
    wanted = {name: recipe for name, recipe in recipes.items() if recipe is not None}
    return (yield from panels_with(bench, item, wanted))


def panels_with(bench: Bench, item: str, recipes: Mapping[str, Recipe]) -> Generator[Event, None, list[Panel]]:
    """Return the panels of given recipes. Those whose data cannot be found are left out with a note.

    Args:
        bench: tells protocol and scale.
        item: name of the item.
        recipes: by panel.

    Raises:
        DataMissingError: none of the data were found.
    """
    found, lost = [], []
    for name, recipe in recipes.items():
        try:
            found.append(Panel(bench, item, name, recipe))
        except DataMissingError as error:
            lost.append(error)
    if not found and lost:
        raise lost[0]
    for reason in lost:
        yield Note(f"left out: {reason}")
    return found


def compare_local(panel: Panel) -> Generator[Event, None, None]:
    """Run vanilla training, mixup and local mixup, with the grid and the controls that the protocol has."""
    protocol, training = panel.protocol, panel.training()
    yield from panel.train(panel.baselines(training))
    if not protocol.grid:
        method = protocol.local.get(panel.name, "local-exponential")
        parameter = None if method == "vanilla" else panel.recipe.decay
        yield from panel.train([panel.arm("local mixup", MethodSpec(method=method, parameter=parameter), training)])
        return
    even, near = grid_of(panel, training), near_arms(panel, training)
    found = yield from panel.train([*even, *near])
    best, of_near = best_on_validation(found[: len(even)]), [controls_of_near(panel, r) for r in found[len(even) :]]
    yield from panel.train([*other_reductions(panel, best.arm), *controls_of(panel, best), *chain(*of_near)])


def grid_of(panel: Panel, training: TrainingSpec) -> list[Arm]:
    """Return exponential graphs from nearly even to uneven weights, from which the validation split chooses."""
    return [
        panel.arm(
            f"local mixup, mean weight {weight:g}",
            MethodSpec(method="local-exponential", parameter=panel.decay_of(weight)),
            training,
        )
        for weight in panel.protocol.grid
    ]


def near_arms(panel: Panel, training: TrainingSpec) -> list[Arm]:
    """Return graphs that keep near pairs only, where exponential graphs weigh all pairs almost equally.

    As many samples count as in the other arms: of a threshold graph so many more pairs are drawn, and the nearest of
    some samples is the partner, so that every sample has one.
    """
    arms = []
    for share in panel.protocol.near_shares:
        radius = ThresholdGraph.fit(panel.loaded.prepared.x, kept_share=share).radius
        method = MethodSpec(method="local-threshold", parameter=float(f"{radius:.4g}"), kept_share=share)
        arms.append(panel.arm(f"local mixup, nearest {100 * share:g} % of the pairs", method, training))
    for count in panel.protocol.near_candidates:
        recipe = LocalMixup(NearestOfGraph(count), pairing="neighbors", mixup_alpha=training.mixup_alpha, prob=1)
        arms.append(panel.arm(f"local mixup, nearest of {count} samples", recipe_spec(recipe), training))
    return arms


def is_near(arm: Arm) -> bool:
    """Return whether an arm is one of `near_arms`."""
    return arm.control_of is None and arm.method.method in ("local-threshold", "recipe")


def other_reductions(panel: Panel, best: Arm) -> list[Arm]:
    """Return the arm that was chosen, with the other reductions of the weighted loss."""
    arms = []
    for reduction in panel.protocol.reductions[1:]:
        # a sum is larger than a mean by the size of the batch, so the same step needs a smaller loss
        scale = 1 / best.training.batch_size if reduction == "sum" else 1.0
        method = best.method.model_copy(update={"loss_scale": scale})
        arms.append(panel.arm(f"{best.label}, {REDUCTIONS[reduction]}", method, panel.training(reduction=reduction)))
    return arms


def controls_of(panel: Panel, best: ArmResult) -> list[Arm]:
    """Return the two controls of the arm that was chosen."""
    same_share, scaled = matched_controls(best)
    label, training = best.arm.label, best.arm.training
    name = f"mixup, loss x {scaled.loss_scale:g}"
    as_mean = f"{label}, {REDUCTIONS['mean']}"
    return [
        panel.arm(SAME_SHARE, same_share, training, control_of=label),
        panel.arm(name, scaled, panel.training(reduction="mean"), control_of=as_mean),
    ]


def controls_of_near(panel: Panel, best: ArmResult) -> list[Arm]:
    """Return the controls of one of `near_arms`: mixup at the same mixed share, and as far moved if it has a recipe."""
    label, training = best.arm.label, best.arm.training
    arms = [panel.arm(f"{label}: {SAME_SHARE}", matched_controls(best)[0], training, control_of=label)]
    if best.arm.method.method == "recipe":
        as_far = recipe_spec(config_of(best.arm.method), method="same-displacement")
        arms.append(panel.arm(f"{label}: random partners, moved as far", as_far, training, control_of=label))
    return arms
