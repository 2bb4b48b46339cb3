"""The arms of the image experiments: vanilla training, mixup, local mixup, its grid and its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from localmixup import ExponentialGraph
from localmixup.graphs.fit import calibrate
from localmixup.lab.errors import DataMissingError
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES, Recipe
from localmixup.lab.runs.spec import Arm, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Record

REDUCTIONS = {"mean": "sum(w l) / n", "weighted_mean": "sum(w l) / sum(w)", "sum": "sum(w l)"}


class Panel:
    """One data set of an item, with the recipe that its protocol and scale give it.

    Args:
        bench: tells protocol and scale.
        item: name of the item.
        name: of the panel: that of a recipe.
        recipe: of the protocol.
    """

    def __init__(self, bench: Bench, item: str, name: str, recipe: Recipe) -> None:
        self.bench, self.item, self.name, self.recipe = bench, item, name, recipe
        self.protocol, scale = PROTOCOLS[bench.protocol], SCALES[bench.scale]
        self.loaded: Loaded = bench.data(recipe.data, scale.train_size)
        self.runs = bench.runs or min(recipe.runs, scale.runs or recipe.runs)
        self.share = scale.share
        rows = len(self.loaded.prepared.x)
        self.rows = rows - round(rows * self.protocol.validation_share)

    def training(self, *, epochs: float | None = None, **changes: object) -> TrainingSpec:
        """The training of an arm.

        Args:
            epochs: passes over the data; default the recipe's.
            **changes: of the recipe's training.
        """
        settings = self.recipe.training
        passes = (epochs or self.recipe.epochs) * self.share
        values = {
            "updates": max(1, math.ceil(passes * self.rows / settings.batch_size)),
            "reduction": self.protocol.reductions[0],
            "validation_share": self.protocol.validation_share,
            **changes,
        }
        return settings.model_copy(update=values)

    def arm(
        self,
        label: str,
        method: MethodSpec,
        training: TrainingSpec,
        *,
        x: float | None = None,
        control_of: str | None = None,
        panel: str | None = None,
    ) -> Arm:
        """An arm on this panel's data.

        Args:
            label: as printed.
            method: with its parameters.
            training: from `training`.
            x: place on an axis.
            control_of: label of the arm whose control it is.
            panel: another name for the panel.
        """
        return Arm(
            item=self.item,
            protocol=self.bench.protocol,
            scale=self.bench.scale,
            panel=panel or self.name,
            label=label,
            x=x,
            control_of=control_of,
            data=self.loaded.spec,
            training=training,
            method=method,
        )

    def baselines(self, training: TrainingSpec) -> list[Arm]:
        """Vanilla training and mixup.

        Args:
            training: from `training`.
        """
        return [self.arm(name, MethodSpec(method=name), training) for name in ("vanilla", "mixup")]

    def train(self, arms: Sequence[Arm]) -> dict[str, list[Record]]:
        """Their records, by key.

        Args:
            arms: of this panel.
        """
        return self.bench.train(arms, self.runs)

    def decay_of(self, mean_weight: float) -> float:
        """The decay at which pairs weigh so much on average, to three digits.

        Args:
            mean_weight: in (0, 1).
        """
        graph = calibrate(self.loaded.prepared.x, ExponentialGraph, mean_weight=mean_weight).graph
        return float(f"{graph.decay:.3g}")


def panels_of(bench: Bench, item: str, names: Sequence[str]) -> list[Panel]:
    """Those panels for which the bench's protocol has a recipe and whose data can be found.

    Args:
        bench: tells protocol and scale.
        item: name of the item.
        names: of the panels.

    Raises:
        DataMissingError: none of the data are there.
    """
    protocol = PROTOCOLS[bench.protocol]
    recipes = {name: protocol.recipe(name, bench.scale) for name in names}
    return panels_with(bench, item, {name: recipe for name, recipe in recipes.items() if recipe is not None})


def panels_with(bench: Bench, item: str, recipes: Mapping[str, Recipe]) -> list[Panel]:
    """Panels of given recipes, those whose data cannot be found left out with a note.

    Args:
        bench: tells protocol and scale.
        item: name of the item.
        recipes: by panel.

    Raises:
        DataMissingError: none of the data are there.
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
        bench.on_note(f"left out: {reason}")
    return found


def mean_validation(records: Sequence[Record]) -> float:
    """Mean validation error: what a parameter is chosen by.

    Args:
        records: of an arm.
    """
    mean = sum(record.outcome.validation_error for record in records) / len(records)
    return math.inf if math.isnan(mean) else mean


def compare_local(panel: Panel) -> None:
    """Vanilla training, mixup and local mixup as the protocol has it, with its grid and controls where it has some.

    Args:
        panel: what they are run on.
    """
    protocol, training = panel.protocol, panel.training()
    panel.train(panel.baselines(training))
    if not protocol.grid:
        method = protocol.local.get(panel.name, "local-exponential")
        parameter = None if method == "vanilla" else panel.recipe.decay
        panel.train([panel.arm("local mixup", MethodSpec(method=method, parameter=parameter), training)])
        return
    candidates = grid_of(panel, training)
    found = panel.train(candidates)
    best = min(candidates, key=lambda arm: mean_validation(found[arm.key]))
    panel.train([*other_reductions(panel, best), *controls_of(panel, best, found[best.key])])


def grid_of(panel: Panel, training: TrainingSpec) -> list[Arm]:
    """Exponential graphs from nearly even to uneven weights: what the validation split chooses from.

    Args:
        panel: the data set, whose protocol has a grid.
        training: from `Panel.training`.
    """
    return [
        panel.arm(
            f"local mixup, mean weight {weight:g}",
            MethodSpec(method="local-exponential", parameter=panel.decay_of(weight)),
            training,
        )
        for weight in panel.protocol.grid
    ]


def other_reductions(panel: Panel, best: Arm) -> list[Arm]:
    """The arm that was chosen, with the other reductions of the weighted loss.

    Args:
        panel: the data set.
        best: the arm.
    """
    arms = []
    for reduction in panel.protocol.reductions[1:]:
        # a sum over the batch is as many times larger as the batch: the same step needs a smaller loss
        scale = 1 / best.training.batch_size if reduction == "sum" else 1.0
        method = best.method.model_copy(update={"loss_scale": scale})
        arms.append(panel.arm(f"{best.label}, {REDUCTIONS[reduction]}", method, panel.training(reduction=reduction)))
    return arms


def controls_of(panel: Panel, best: Arm, records: Sequence[Record]) -> list[Arm]:
    """The two controls of the arm that was chosen: without them its error says nothing about locality.

    Args:
        panel: the data set.
        best: the arm.
        records: its runs, which tell its mixed share and its mean weight.
    """
    # of a random permutation one sample meets itself, so a little more than the share must be permuted
    drawn = sum(r.outcome.mixed_share for r in records) / len(records)
    share = round(min(1.0, drawn / (1 - 1 / best.training.batch_size)), 3)
    weight = round(sum(r.outcome.mean_weight for r in records) / len(records), 3)
    as_mean = f"{best.label}, {REDUCTIONS['mean']}"
    same_share = MethodSpec(method="mixup", mixed_share=None if share == 1 else share)
    scaled = MethodSpec(method="mixup", loss_scale=weight)
    return [
        panel.arm("mixup at the same mixed share", same_share, best.training, control_of=best.label),
        panel.arm(f"mixup, loss x {weight:g}", scaled, panel.training(reduction="mean"), control_of=as_mean),
    ]
