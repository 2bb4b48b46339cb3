"""The numbers of an inspection as JSON."""

import dataclasses
import json

import numpy as np
import pytest

from localmixup.graphs.registry import graph_from_config
from localmixup.lab.inspection import summary


def test_the_summary_is_strict_json_with_graphs_that_can_be_read_back(inspected_rings):
    _, found = inspected_rings
    numbers = json.loads(json.dumps(summary(found), allow_nan=False))
    assert (numbers["safe"], numbers["undecided"], numbers["rows"]) == (False, False, 100)
    assert numbers["mixup"]["between"]["intrusion"]["value"] == 0
    assert numbers["suggestion"]
    for name, suggested in found.suggestion.graphs.items():
        stored = numbers["suggestion"][suggested.parameter]
        assert graph_from_config(stored["graph"]) == suggested.graph
        assert stored["graph"]["name"] == name
        assert stored["intrusion"]["value"] <= 0.01
    assert numbers["lipschitz"]["value"] == found.curve.value.tolist()
    assert numbers["distance_quantiles"]["50%"] == pytest.approx(found.sample.median)


def test_infinity_is_text_and_nan_is_null(inspected_blobs):
    _, found = inspected_blobs
    curve = found.curve._replace(value=np.array([np.inf]), radius=np.zeros(1), distance=np.ones(1))
    numbers = summary(dataclasses.replace(found, curve=curve, settings={"level": float("nan")}))
    assert numbers["lipschitz"]["value"] == ["inf"]
    assert numbers["settings"] == {"level": None}
