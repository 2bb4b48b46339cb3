"""The numbers of an inspection as JSON."""

import dataclasses
import json

import numpy as np
import pytest

from localmixup import LocalMixup
from localmixup.lab.inspection import summary


def test_the_summary_is_strict_json_with_recipes_that_can_be_read_back(inspected_rings):
    _, found = inspected_rings
    numbers = json.loads(json.dumps(summary(found), allow_nan=False))
    assert numbers["verdict"] == {"word": "harmful", "why": found.verdict.why, "score": found.verdict.score}
    assert (numbers["rows"], numbers["measured_rows"]) == (100, 100)
    assert numbers["mixup"]["between"]["intrusion"]["value"] == 0
    assert repr(LocalMixup.from_config(numbers["recipe"])) == repr(found.taken.mix)
    assert [entry["take"] for entry in numbers["suggestions"]] == [one.take for one in found.suggestions]
    for entry, one in zip(numbers["suggestions"], found.suggestions, strict=True):
        assert LocalMixup.from_config(entry["recipe"]).to_config() == one.mix.to_config()
        assert entry["intrusion_within_classes"] == one.error
    assert numbers["lipschitz"]["value"] == found.curve.value.tolist()
    assert numbers["distance_quantiles"]["50%"] == pytest.approx(found.sample.median)


def test_infinity_is_text_and_nan_is_null(inspected_blobs):
    _, found = inspected_blobs
    curve = found.curve._replace(value=np.array([np.inf]), radius=np.zeros(1), distance=np.ones(1))
    numbers = summary(dataclasses.replace(found, curve=curve, settings={"seed": float("nan")}))
    assert numbers["lipschitz"]["value"] == ["inf"]
    assert numbers["settings"] == {"seed": None}
