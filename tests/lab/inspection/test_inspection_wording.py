"""The decision and the words that follow from it."""

import dataclasses

import numpy as np
import pytest

from localmixup.geometry import SuggestedGraph, Suggestion
from localmixup.geometry._progress import run_to_end
from localmixup.geometry.rates import Rate, Rates
from localmixup.graphs import KNNGraph, ThresholdGraph
from localmixup.lab.inspection import coincident, inspect, reasons
from localmixup.lab.inspection.wording import decide, verdict_sentence

OVERLAP = Rate(0.05, 0.04, 0.06)


def rates(intrusion, mean_weight=1.0):
    rate = Rate(intrusion, intrusion / 2, 2 * intrusion)
    return Rates(rate, rate, rate, mean_weight, 1000.0)


def suggestion(intrusion, graphs, **options):
    chosen = {"safe": False, "level": 0.01, "limit": 0.01, "undecided": False} | options
    return Suggestion(mixup=rates(intrusion), graphs=graphs, **chosen)


RADIUS = {"threshold": SuggestedGraph(ThresholdGraph(2.5), 2.5, rates(0.004, 0.3))}
NEIGHBORS = {"knn": SuggestedGraph(KNNGraph(share=0.1), 1200.0, rates(0.004, 0.1))}


@pytest.mark.parametrize(
    ("found", "decision", "parts"),
    [
        (suggestion(0.004, RADIUS, safe=True), "safe", ["Mixup is safe on rings: 0.4 %", "accepted 1.0 %"]),
        (suggestion(0.05, {}, undecided=True, limit=0.06), "undecided", ["Nearest samples cannot show", "5.0 % of the"]),
        (suggestion(0.2, RADIUS), "not safe", ["Mixup is not safe on rings: 20.0 % (95 % interval 10.0 % to 40.0 %)",
                                               "Up to a radius of 2.5 it stays at 0.4 %, below 1.0 %", "30.0 % of the pairs"]),
        (suggestion(0.2, NEIGHBORS, limit=0.06), "not safe", ["because the classes overlap", "Up to n_neighbors = 1,200"]),
        (suggestion(0.2, {}, limit=0.06), "not safe", ["No graph stays below 6.0 % either: train without mixup here"]),
    ],
)  # fmt: skip
def test_the_sentence_follows_the_decision(inspected_rings, found, decision, parts):
    report = dataclasses.replace(inspected_rings[1].report, exhaustive=False, overlap=OVERLAP)
    assert decide(found) == decision
    sentence = verdict_sentence("rings", 1.0, report, found)
    for part in parts:
        assert part in sentence


def test_an_exact_rate_has_no_interval(inspected_rings):
    _, found = inspected_rings
    assert found.report.exhaustive
    assert "interval" not in found.verdict
    assert found.verdict.startswith("Mixup is not safe on rings.npz")


def test_reasons_name_what_is_suggested_and_what_is_not(inspected_rings):
    _, found = inspected_rings
    listed = reasons(dataclasses.replace(found, suggestion=suggestion(0.2, RADIUS)))
    assert listed[0].startswith("radius = 2.5: the largest radius at which intrusion stays below 1.0 % (0.4 %)")
    assert listed[1:] == [
        "exponential: no decay is known to keep intrusion below 1.0 %",
        "knn: no number of neighbours is known to keep intrusion below 1.0 %",
    ]
    assert reasons(dataclasses.replace(found, suggestion=suggestion(0.05, {}, undecided=True))) == []


def test_separate_blobs_are_safe_and_regression_has_no_verdict(inspected_blobs):
    _, found = inspected_blobs
    assert found.verdict.startswith("Mixup is safe on blobs.npz: 0 % of the mixed samples")
    assert "no classes (regression)" in verdict_sentence("houses", 1.25, None, None)


def test_coincident_rows_of_two_classes_are_named(folder, inspected_rings):
    assert coincident(inspected_rings[1]) == ""
    np.savez("binary.npz", x=(np.arange(40) % 5 == 0)[:, None].astype(float), y=np.arange(40) % 2)
    found = run_to_end(inspect("binary.npz"))
    assert "coincide although their classes differ" in coincident(found)
    assert found.curve.value.tolist() == [np.inf]
