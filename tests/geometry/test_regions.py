"""Class regions of a classifier: against batches that `LocalMixup` mixes, and on data whose answer is known."""

import numpy as np
import pytest
import torch
from geometry_data import blobs, rings
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from localmixup import CompleteGraph, KNNGraph, LocalMixup
from localmixup.geometry import class_regions, regions
from localmixup.geometry._progress import run_to_end


def shells(n=600, dimensions=10, seed=0):
    """Nested spheres: the nearest sample is often of the wrong class, and mixtures fall inside."""
    x = np.random.default_rng(seed).normal(size=(n, dimensions))
    return x, ((x**2).sum(axis=1) > np.quantile((x**2).sum(axis=1), 0.5)).astype(int)


def test_mixing_within_convex_classes_adds_nothing_and_within_a_ring_or_a_shell_it_does():
    assert class_regions(*blobs(classes=3)).excess == 0
    x = np.random.default_rng(1).normal(size=(500, 10))
    assert class_regions(x, x @ np.arange(10) > 0).excess < 0
    assert class_regions(*rings()).excess > 0.1
    assert class_regions(*shells()).excess > 0.1


@pytest.mark.parametrize(
    "mix", [LocalMixup(), LocalMixup(CompleteGraph()), LocalMixup(KNNGraph(share=0.1), pairing="neighbors")]
)
def test_rates_of_a_recipe_equal_those_of_its_batches(mix):
    x, y = rings(300)
    found = class_regions(x, y, n_samples=30_000).rates_of_recipe(mix, batch_size=20)
    mix.generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    turn, wrong, within = rng.permutation(300) % 3, [], []
    for fold in range(3):
        held = np.flatnonzero(turn == fold)
        machine = SVC(C=10.0, gamma="scale").fit(x[turn != fold], y[turn != fold])
        for _ in range(150):
            rows = rng.permutation(held)[:20]
            plan = mix.plan(torch.from_numpy(x[rows]))
            partner, lam = rows[plan.partner.numpy()], plan.lam.numpy().astype(float)[:, None]
            moved = partner != rows
            taken = machine.predict(lam * x[rows] + (1 - lam) * x[partner])
            wrong.append(((taken != y[rows]) & (taken != y[partner]))[moved])
            within.append((y[rows] == y[partner])[moved])
    wrong, within = np.concatenate(wrong), np.concatenate(within)
    assert found["all"].value == pytest.approx(wrong.mean(), abs=0.03)
    assert found["within"].value == pytest.approx(wrong[within].mean(), abs=0.03)


def test_the_error_is_that_of_cross_validation_and_intervals_hold_it():
    x, y = shells(300, 3)
    y = np.where(np.random.default_rng(0).random(300) < 0.1, 1 - y, y)  # a tenth of the labels is wrong
    for seed in range(3):
        found = class_regions(x, y, seed=seed).error
        assert found.low < found.value < found.high
        assert 0.08 < found.value < 0.25


def test_large_data_are_sampled_and_the_seed_decides():
    x, y = shells(2500, 3)
    found = class_regions(x, y, max_samples=200, n_samples=1000)
    assert found.rows == 200
    assert found.excess == class_regions(x, y, max_samples=200, n_samples=1000).excess


def test_rare_classes_and_few_samples_are_measured_or_named():
    x = np.random.default_rng(0).normal(size=(30, 2))
    found = class_regions(x, np.where(np.arange(30) == 4, 1, 0), n_samples=300)
    assert 0 <= found.error.value <= 1
    with pytest.raises(ValueError, match="x must hold at least 12 samples, got 8"):
        class_regions(x[:8], np.arange(8) % 2)


def test_what_is_accepted_is_the_error_of_the_samples_and_room_for_chance():
    overlapping = np.random.default_rng(0).normal(size=(400, 2))
    report = class_regions(overlapping, np.arange(400) % 2, n_samples=1000)
    error = report.error.value
    assert error > 0.4
    assert report.accepted_within == pytest.approx(error + np.sqrt(error * (1 - error) / 400))
    assert class_regions(*blobs(classes=3)).accepted_within == pytest.approx(0.01)


def test_the_classifiers_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(150, 4)), rng.integers(3, size=150)
    x[:, 0] += y
    turn, features = np.arange(150) % 3, torch.from_numpy(x)
    squares, scale = regions._squares(features, features), regions._scale(features)
    width, penalty = run_to_end(regions._chosen(squares, y, turn, scale, 8))
    grid = {"gamma": scale * np.array(regions._WIDTHS), "C": regions._PENALTIES}
    search = GridSearchCV(SVC(), grid, cv=PredefinedSplit(turn)).fit(x, y)
    score = cross_val_score(SVC(gamma=width, C=penalty), x, y, cv=PredefinedSplit(turn)).mean()
    assert score == pytest.approx(search.best_score_)
    fitted, held = np.flatnonzero(turn), np.flatnonzero(turn == 0)
    judges = regions._judges(squares, y, fitted, width, penalty)
    for judge, peer in zip(judges, (SVC(gamma=width, C=penalty), KNeighborsClassifier(5)), strict=True):
        expected = peer.fit(x[fitted], y[fitted]).predict(x[held])
        np.testing.assert_array_equal(judge(squares[np.ix_(held, fitted)]), expected)


def test_a_recipe_is_accepted_if_neither_classifier_objects():
    """On nested spheres in ten dimensions only the support vector machine sees what mixing does."""
    x, y = shells(n=900)
    report = class_regions(x, y)
    assert report.errors[0] < 0.6 * report.errors[1]
    for mix in (LocalMixup(CompleteGraph()), LocalMixup(KNNGraph(share=0.3), pairing="neighbors"), LocalMixup(prob=0)):
        within = np.concatenate([part.within for part in report.parts])
        frequency = [part.pairs.mixing(mix, batch_size=20).frequency for part in report.parts]
        weights = np.concatenate(frequency)[within]
        slack = [max(0.01, np.sqrt(error * (1 - error) / 900)) for error in report.errors]
        rates = [
            np.average(np.concatenate([part.intrudes[k] for part in report.parts])[within], weights=weights)
            if weights.sum()
            else 0
            for k in range(2)
        ]
        limits = np.array(report.errors) + slack
        assert report.accepts(mix, batch_size=20) == bool((np.array(rates) <= limits).all())
    assert not report.accepts(LocalMixup(CompleteGraph()), batch_size=20)
    assert report.accepts(LocalMixup(prob=0), batch_size=20)
