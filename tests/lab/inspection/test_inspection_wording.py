"""What an inspection says in words."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from localmixup import ThresholdGraph
from localmixup.geometry._progress import run_to_end
from localmixup.lab.analysis.benchmarked import SetResult
from localmixup.lab.inspection import coincident, describe_recipe, inspect, limits
from localmixup.lab.inspection.wording import radius_unit


def test_recipes_are_described_as_what_they_do(inspected_rings):
    _, found = inspected_rings
    sentence = describe_recipe(found, found.taken)
    assert "of the samples of a batch are mixed, each with" in sentence
    assert describe_recipe(found, found.mixup) == "Mixup of all samples: every sample is mixed, each with a random one."
    for one in found.suggestions:
        if isinstance(one.mix.graph, ThresholdGraph):
            text = describe_recipe(found, one)
            assert f"within {one.mix.graph.radius:g} (in standard deviations" in text


def test_a_radius_is_told_in_the_unit_of_the_data_where_there_is_one(inspected_rings):
    _, found = inspected_rings
    one_scale = dataclasses.replace(found, scale=np.full((1, 2), 0.5))
    assert radius_unit(one_scale, 3.0) == "in standard deviations; 6 in the unit of the data"
    pixels = dataclasses.replace(found.data, kind="image", x=found.data.x.astype(np.uint8))
    images = dataclasses.replace(one_scale, data=pixels, scale=np.array([[0.01]]))
    assert radius_unit(images, 3.0).endswith("300 in the unit of the data, 1.176 for pixels in [0, 1]")
    floats = dataclasses.replace(images, data=dataclasses.replace(found.data, kind="image"))
    assert radius_unit(floats, 3.0).endswith("300 in the unit of the data")  # of any range
    several = dataclasses.replace(found, scale=np.array([[0.5, 2.0]]))
    assert "subtract from each column its mean" in radius_unit(several, 3.0)
    other = dataclasses.replace(found, measured_on_inputs=False, space="the output of net.pt")
    assert radius_unit(other, 3.0) == "in the unit of the output of net.pt"


def test_what_the_benchmark_says_of_such_recipes():
    path = Path(__file__).parents[3] / "results" / "benchmark" / "benchmark.json"
    found = [SetResult(**one) for one in json.loads(path.read_text())["sets"]]
    effects = [one.effect("recommend", "vanilla").interval() for one in found if one.verdict == "harmful"]
    assert (len(effects), sum(high < 0 for _, high in effects), sum(low > 0 for low, _ in effects)) == (9, 1, 2)


def test_what_the_benchmark_says_of_safe_sets_with_few_rows():
    path = Path(__file__).parents[3] / "results" / "benchmark" / "size-100" / "benchmark.json"
    found = [SetResult(**one) for one in json.loads(path.read_text())["sets"]]
    safe = [one for one in found if one.verdict == "safe"]
    harms = [
        sum(one.effect(arm, "vanilla").interval()[0] > 0 for one in safe) for arm in ("classical mixup", "LocalMixup()")
    ]
    assert (len(safe), harms) == (17, [6, 1])


def test_limits_are_told(inspected_rings, inspected_blobs):
    blobs = inspected_blobs[1]
    (few,) = limits(blobs)
    assert few.startswith(f"The data have {blobs.total} rows only.")
    many = dataclasses.replace(blobs.data, x=np.repeat(blobs.data.x, 300 // blobs.total + 1, axis=0)[:300])
    assert limits(dataclasses.replace(blobs, data=many, rows=np.arange(300))) == []
    _, found = inspected_rings
    misfit = dataclasses.replace(found, suggestions=[found.taken._replace(fits=False)], rows=np.arange(90))
    without, first, second, third = limits(misfit)
    assert without.startswith("This recipe limits the harm; do not expect a gain.")
    assert "train without mixup unless compare shows a gain" in first
    assert "No fixed radius is suggested" in second
    assert third == "Measured on 90 random rows of 100; --samples takes more."


def test_coincident_rows_of_two_classes_are_named(folder, inspected_rings):
    assert coincident(inspected_rings[1]) == ""
    np.savez("binary.npz", x=(np.arange(40) % 5 == 0)[:, None].astype(float), y=np.arange(40) % 2)
    found = run_to_end(inspect("binary.npz"))
    assert "coincide although their classes differ" in coincident(found)
    assert found.curve.value.tolist() == [np.inf]


@pytest.mark.parametrize("kind", ["rings", "blobs"])
def test_no_sentence_holds_an_abbreviation(kind, inspected_rings, inspected_blobs):
    _, found = inspected_rings if kind == "rings" else inspected_blobs
    text = " ".join([found.verdict.first_line, found.verdict.why, describe_recipe(found, found.taken), *limits(found)])
    for short in ("ESS", "KNN", "lam ", "n_", "H0", "Q("):
        assert short not in text
