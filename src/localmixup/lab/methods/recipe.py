"""A recipe for `LocalMixup`, trained exactly as it draws in a loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from localmixup import LocalityGraph, LocalMixup, MixPlan, NearestOfGraph
from localmixup._inputs import ones_like_rows
from localmixup._validate import ArgumentError
from localmixup.lab.methods.base import LOCAL_MIXUP, Batch, Method, shares
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

_CPU = torch.device("cpu")


def recipe_spec(recipe: LocalMixup | Mapping[str, Any], *, method: str = "recipe") -> MethodSpec:
    """Return the method that trains with a recipe.

    Args:
        recipe: the object, or what its `to_config` returns.
        method: `"recipe"`, `"feature-recipe"` for distances of features, or `"same-displacement"` for the control.

    Raises:
        ArgumentError: an unknown setting, or one that is out of range.
    """
    mix = recipe if isinstance(recipe, LocalMixup) else LocalMixup.from_config(recipe)
    return MethodSpec(method=method, options=(("config", json.dumps(mix.to_config(), sort_keys=True)),))


def config_of(spec: MethodSpec) -> dict[str, Any]:
    """Return the recipe of a method from `recipe_spec`, as `LocalMixup.from_config` takes it.

    Args:
        spec: of the method.

    Raises:
        ArgumentError: the method has no recipe.
    """
    text = dict(spec.options).get("config", "")
    if spec.method not in ("recipe", "same-displacement", "feature-recipe") or not isinstance(text, str):
        raise ArgumentError(f"method must be made by recipe_spec, got {spec.method}")
    return dict(json.loads(text)) if text else LocalMixup().to_config()


class Recipe(Method):
    """Pairs of the batch as `LocalMixup` draws them with the option `config`, a JSON text. Default: `LocalMixup()`.

    Where `compare` says *local mixup*, the config is the one that was chosen on the rows that choose.
    """

    title = "recipe"
    formula = """
        j = the nearest of some random samples (or by the graph of the recipe), for a share of the samples
        L = mean over pairs (i, j) of  lam l(f(x~), y_i) + (1 - lam) l(f(x~), y_j),  x~ = lam x_i + (1 - lam) x_j
    """
    citation = LOCAL_MIXUP
    OPTIONS: ClassVar[dict[str, float | str]] = {"config": ""}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        if training.pairs != "batch":
            raise ArgumentError(f"pairs must be 'batch' for {spec.method}, got {training.pairs!r}")
        self.mix = LocalMixup.from_config(config_of(spec), generator=generator)

    def graph(self) -> LocalityGraph:
        """Return the graph of the recipe."""
        return self.mix.graph

    def plan(self, x: Tensor, y: Tensor, size: int) -> MixPlan:
        """Draw the pairs of several batches; see `Method.plan`."""
        mix, graph = self.mix, self.mix.graph
        drawn_by_row = mix.pairing == "neighbors" and mix.outside == "discard" and size > 1
        if drawn_by_row and isinstance(graph, NearestOfGraph):
            return self._plan_at_once(graph, x, size)
        parts = zip(torch.split(x, size), torch.split(y, size), strict=True)
        plans = [mix.plan(*part) for part in parts]
        partner = torch.cat([plan.partner + k * size for k, plan in enumerate(plans)])
        return MixPlan(partner, torch.cat([plan.lam for plan in plans]), torch.cat([plan.weights for plan in plans]))

    def _plan_at_once(self, graph: NearestOfGraph, x: Tensor, size: int) -> MixPlan:
        """Return the same plan: batch after batch is drawn, and all distances are measured together."""
        mix, like, n = self.mix, ones_like_rows(x, 1), len(x)
        uniforms, lams, probs = [], [], []
        for _ in range(n // size):
            uniforms.append(mix._draw_uniform(size, like, self.generator, _CPU))
            lams.append(mix._draw_lam(size, like, self.generator, _CPU).expand(size))
            probs.append(mix._draw_unmixing(size, like, self.generator, _CPU)[1])
        prob = None if mix.prob == 1 else torch.cat([drawn for drawn in probs if drawn is not None]).to(x.device)
        itself = torch.arange(n, device=x.device)
        rows = itself if prob is None else (prob < mix.prob).nonzero().squeeze(1)
        within = rows % size
        uniform = torch.cat(uniforms).to(x.device)[rows]
        candidates = graph.candidates(uniform, within, size) + (rows - within)[:, None]
        found = torch.where(graph.stays(uniform, size), rows, graph.nearest(x.detach(), rows, candidates))
        partner = itself.clone().index_copy_(0, rows, found)
        lam = torch.where(partner == itself, 1.0, torch.cat(lams).to(x.device))
        return MixPlan(partner, lam, ones_like_rows(x, n))


class FeatureRecipe(Recipe):
    """A recipe whose distances are those of the features of the network in training, before its head.

    As `localmixup.extras.LearnedMetric` does it: the features come from a pass without gradient, in evaluation mode,
    over the samples as they are.
    """

    title = "recipe on features"
    stacks = False

    def plan(self, x: Tensor, y: Tensor, size: int) -> MixPlan:
        """Return a plan that mixes nothing: pairs are drawn when the network is at hand."""
        ones = ones_like_rows(x, len(x))
        return MixPlan(torch.arange(len(x), device=x.device), ones, ones)

    def seen_by(self, network: Network, batch: Batch) -> Batch:
        """Draw the pairs of a batch by its features."""
        network.eval()
        with torch.no_grad():
            features = network.part(0, -1)(batch.inputs)[0].float()
        network.train()
        plan = self.mix.plan(features, batch.targets[0])
        moved, weights = (
            (plan.partner != torch.arange(batch.size, device=plan.partner.device))[None],
            plan.weights[None],
        )
        return batch._replace(
            partner_inputs=batch.inputs[:, plan.partner], partner_targets=batch.targets[:, plan.partner],
            lam=plan.lam[None], weights=weights, moved=moved, shares=shares(moved, weights, batch.size),
            partner=plan.partner[None],
        )  # fmt: skip
