"""The arms of the image experiments: vanilla training, mixup, local mixup, its grid and its controls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from localmixup import ExponentialGraph
from localmixup.calibration import calibrate
from localmixup.lab.errors import UserError
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES, Recipe
from localmixup.lab.results import Record
from localmixup.lab.specs import Arm, MethodSpec, TrainingSpec

SCALE_WORDS = {"mean": "sum(w l) / n", "weighted_mean": "sum(w l) / sum(w)", "sum": "sum(w l)"}


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
        UserError: none of the data are there.
    """
    protocol = PROTOCOLS[bench.protocol]
    found, lost = [], []
    for name in names:
        if (recipe := protocol.recipe(name, bench.scale)) is not None:
            try:
                found.append(Panel(bench, item, name, recipe))
            except UserError as error:
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
    candidates = []
    for weight in protocol.grid:
        decay = panel.decay_of(weight)
        method_spec = MethodSpec(method="local-exponential", parameter=decay, kept_share=weight)
        candidates.append(panel.arm(f"local mixup, mean weight {weight:g}", method_spec, training))
    found = panel.train(candidates)
    best = min(candidates, key=lambda arm: mean_validation(found[arm.key]))
    others = []
    for reduction in protocol.reductions[1:]:
        # a sum over the batch is as many times larger as the batch: the same step needs a smaller loss
        scale = 1 / training.batch_size if reduction == "sum" else 1.0
        method_spec = best.method.model_copy(update={"loss_scale": scale})
        changed = panel.training(reduction=reduction)
        others.append(panel.arm(f"{best.label}, {SCALE_WORDS[reduction]}", method_spec, changed))
    weight = best.method.kept_share or 1.0
    control_of = f"{best.label}, {SCALE_WORDS['mean']}"
    scaled = MethodSpec(method="mixup", loss_scale=weight)
    others.append(
        panel.arm(f"mixup, loss x {weight:g}", scaled, panel.training(reduction="mean"), control_of=control_of)
    )
    panel.train(others)
