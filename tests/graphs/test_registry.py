"""The one registry: names, main parameters, and graphs as plain values."""

import json

import numpy as np
import pytest
import torch

import localmixup
from localmixup import AdaptiveExponentialGraph, KNNGraph, LocalityGraph, LocalMixup, ThresholdGraph
from localmixup.graphs.registry import GRAPHS, graph_from_config, graph_to_config, make_graph


def test_every_public_graph_is_registered_under_its_name_with_its_parameter():
    public = {getattr(localmixup, name) for name in localmixup.__all__ if name.endswith("Graph")}
    concrete = {graph for graph in public if isinstance(graph, type) and graph.__name__ not in ("FittedGraph",)}
    concrete -= {LocalityGraph, localmixup.DistanceGraph}
    assert set(GRAPHS.values()) == concrete
    for name, graph in GRAPHS.items():
        assert graph.name == name
        assert graph.parameter in (None, "decay", "radius", "n_neighbors", "n_candidates")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_made_from_its_name_and_parameter(name):
    graph = make_graph(name, 2.0 if GRAPHS[name].parameter else None)
    assert type(graph) is GRAPHS[name]
    if graph.parameter:
        assert getattr(graph, graph.parameter) == 2
        assert make_graph(name, 2.0, metric="rms").metric == "rms"
        with pytest.raises(ValueError, match=f"{graph.parameter} must be given for the graph '{name}', got None"):
            make_graph(name)
    assert type(getattr(make_graph("knn", 3.0), "n_neighbors")) is int  # noqa: B009
    with pytest.raises(ValueError, match="did you mean 'knn'"):
        make_graph("knnn", 1)


def test_numbers_of_other_kinds_become_plain():
    graph = AdaptiveExponentialGraph(times_median=2.0, momentum=0.5, metric="rms")
    config = json.loads(json.dumps(graph_to_config(graph)))
    assert repr(graph_from_config(config)) == repr(graph)
    assert graph_to_config(ThresholdGraph(np.float32(0.5))) == graph_to_config(ThresholdGraph(torch.tensor(0.5)))
    assert graph_to_config(KNNGraph(np.int64(3))) == {
        "name": "knn", "n_neighbors": 3, "symmetric": False, "metric": "euclidean",
    }  # fmt: skip
    assert type(graph_to_config(KNNGraph(np.int64(3)))["n_neighbors"]) is int
    assert graph_from_config({"name": "knn", "share": 0.25}) == KNNGraph(share=0.25)
    # what has a default may be left out
    assert LocalMixup.from_config({"graph": {"name": "complete"}}).mixup_alpha == 1


class Own(LocalityGraph):
    def matrix(self, features):
        return torch.eye(len(features))


class Radius(ThresholdGraph):
    """A subclass, which its name does not describe."""


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Own(), "graph must be one of ExponentialGraph, .* to be written as a configuration, got .*Own"),
        (Radius(1.0), "keep your own graph beside the configuration, and set `mix.graph` after from_config"),
        (ThresholdGraph(1.0, metric=torch.dist), "metric must have a name .*, got <"),
    ],
)
def test_an_object_of_the_user_cannot_be_written_as_a_configuration(graph, message):
    with pytest.raises(ValueError, match=message):
        LocalMixup(graph).to_config()
