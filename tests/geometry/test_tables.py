"""Tables and other kinds of data, which all functions of the geometry take."""

import numpy as np
import pandas as pd
import pytest
import torch

from localmixup import KNNGraph, NearestOfGraph, recommend
from localmixup.geometry import class_regions, class_shapes, intrusion

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), np.arange(60) % 3


@pytest.mark.parametrize("table", [pd.DataFrame, lambda x: pd.DataFrame(x).astype(object), np.ndarray.tolist])
def test_a_table_is_what_its_values_are(table):
    assert recommend(table(X), Y).to_config() == recommend(X, Y).to_config()
    assert class_regions(table(X), Y).excess == class_regions(X, Y).excess
    assert class_shapes(table(X), Y)[0].connected_at == class_shapes(X, Y)[0].connected_at


def test_text_is_refused_by_name():
    with pytest.raises(ValueError, match="x must hold numbers, got DataFrame"):
        recommend(pd.DataFrame({"name": ["a", "b", "c"]}), np.arange(3))
    with pytest.raises(ValueError, match="x must hold numbers"):
        intrusion(np.array([["a"], ["b"]]), np.arange(2))


@pytest.mark.parametrize("graph", [KNNGraph(n_neighbors=2, symmetric=True), NearestOfGraph(4, metric="cosine")])
def test_a_graph_that_is_not_known_in_batches_is_refused(graph):
    report = class_regions(torch.from_numpy(X), Y)
    report.rates(graph)
    with pytest.raises(ValueError, match="in batches of 8 of"):
        report.rates(graph, batch_size=8)
