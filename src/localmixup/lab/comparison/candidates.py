"""The candidates for mixup and for local mixup: as many of both, the mildest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from localmixup import CompleteGraph, LocalMixup
from localmixup._validate import ArgumentError
from localmixup.graphs.nearest_of import NearestOfGraph
from localmixup.graphs.rank import KNNGraph
from localmixup.graphs.registry import graph_from_config
from localmixup.lab.analysis.questions import LOCAL, MIXUP, VANILLA
from localmixup.lab.files import as_path

Config = dict[str, Any]


class Candidates(NamedTuple):
    """Recipes from which the rows that choose pick.

    Attributes:
        mixup: recipes with random partners.
        local: recipes with near partners.
        note: a remark on the recipe of the user, or "".
    """

    mixup: list[Config]
    local: list[Config]
    note: str = ""


def vanilla_config() -> Config:
    """Return the recipe that mixes nothing."""
    return LocalMixup(CompleteGraph(), prob=0).to_config()


def candidates(recipe: Path | None = None) -> Candidates:
    """Return the candidates.

    Args:
        recipe: a file with one more recipe, such as the `local_mixup.json` of `localmixup inspect`. The other kind gets
            one more candidate too.

    Raises:
        ArgumentError: the file cannot be read, or does not hold a recipe.
    """
    mixup = [_mixup(prob, alpha) for prob in (0.1, 0.25, 0.5, 1.0) for alpha in (0.2, 1.0)]
    widths = [
        (16, 0.1, 0.2),
        (4, 0.3, 1.0),
        (16, 0.3, 1.0),
        (4, 0.5, 0.2),
        (16, 1.0, 1.0),
        (4, 1.0, 1.0),
        (2, 1.0, 1.0),
    ]
    local = [LocalMixup().to_config(), *(_local(*width) for width in widths)]
    if recipe is None:
        return Candidates(mixup, local)
    config = read_recipe(recipe)
    kind = kind_of(config)
    if kind == VANILLA:
        return Candidates(
            mixup, local, f"--recipe {recipe} mixes nothing: it is vanilla training, which is compared anyway"
        )
    if config in (*mixup, *local):
        return Candidates(mixup, local, f"--recipe {recipe} is among the candidates already")
    if kind == MIXUP:
        return Candidates(
            [*mixup, config], [*local, _local(8, 0.3, 1.0)], f"--recipe {recipe} is mixup: random partners"
        )
    return Candidates([*mixup, _mixup(0.75, 1.0)], [*local, config])


def read_recipe(path: Path) -> Config:
    """Return the recipe of a file, with all its settings.

    Args:
        path: of a JSON file.

    Raises:
        ArgumentError: the file cannot be read, or does not hold a recipe.
    """
    called = f"--recipe {path}"
    path = as_path(path, "--recipe")
    if not path.is_file():
        raise ArgumentError(f"{called}: no such file; `localmixup inspect` writes inspected_mixup.json")
    try:
        return LocalMixup.from_config(path).to_config()
    except (ArgumentError, OSError, ValueError, TypeError) as error:
        raise ArgumentError(f"{called}: not a recipe: {str(error).splitlines()[0]}") from None


def kind_of(config: Mapping[str, Any]) -> str:
    """Return the label of the arm that a recipe belongs to: vanilla training, mixup or local mixup."""
    many = 10**6
    graph = graph_from_config(config["graph"])
    if config["prob"] == 0 or getattr(graph, "is_vanilla", lambda _: False)(many):
        return VANILLA
    return MIXUP if getattr(graph, "is_mixup", lambda _: False)(many) else LOCAL


def random_partners(config: Mapping[str, Any], mixed_share: float, batch_size: int) -> Config:
    """Return the control of a recipe that mixes as many samples with random partners, each equally often.

    Args:
        config: of the recipe.
        mixed_share: the share of the samples that the recipe was seen to mix.
        batch_size: in a random permutation one sample of the batch meets itself, which is made up for.
    """
    prob = min(1.0, round(mixed_share / (1 - 1 / batch_size), 3))
    settings = {"per_sample": config["per_sample"], "mixup_alpha": config["mixup_alpha"]}
    return LocalMixup(CompleteGraph(), prob=prob, **settings).to_config()


def describe(config: Mapping[str, Any]) -> str:
    """Return a recipe in words.

    >>> describe(LocalMixup(CompleteGraph(), prob=0.5).to_config())
    'random partners, 50 % of the samples, mixup_alpha 1'
    """
    graph = graph_from_config(config["graph"])
    kind = kind_of(config)
    if kind == VANILLA:
        return "no mixing"
    if kind == MIXUP:
        partners = "random partners"
    elif isinstance(graph, NearestOfGraph):
        partners = f"the nearest of {graph.n_candidates} random partners"
    elif isinstance(graph, KNNGraph) and graph.share is not None:
        partners = f"among the nearest {100 * graph.share:.3g} % of the batch"
    else:
        partners = repr(graph)
    return f"{partners}, {100 * config['prob']:.3g} % of the samples, mixup_alpha {config['mixup_alpha']:g}"


def _mixup(prob: float, alpha: float) -> Config:
    return LocalMixup(CompleteGraph(), prob=prob, mixup_alpha=alpha).to_config()


def _local(count: int, prob: float, alpha: float) -> Config:
    return LocalMixup(NearestOfGraph(count), prob=prob, mixup_alpha=alpha, pairing="neighbors").to_config()
