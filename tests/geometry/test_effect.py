"""The effect of a recipe against batches that `LocalMixup` mixes."""

import numpy as np
import pytest
import torch
from geometry_data import rings

from localmixup import CompleteGraph, KNNGraph, LocalMixup, NearestOfGraph, ThresholdGraph
from localmixup.geometry import effect_of, intrusion


def counted(mix, x, y, batch_size, batches=1500):
    """Mix random batches and look up the nearest other real sample of every mixture."""
    mix.generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    wrong, mixed, mass, ever = [], 0, np.zeros(3), np.zeros(len(x), bool)
    for _ in range(batches):
        rows = rng.permutation(len(x))[:batch_size]
        plan = mix.plan(torch.from_numpy(x[rows]))
        partner, lam = rows[plan.partner.numpy()], plan.lam.numpy().astype(float)
        moved = (partner != rows) & (plan.weights.numpy() > 0)
        mixed += moved.mean()
        ever[rows[moved]] = True
        mass += np.bincount(y[partner], minlength=3) / batch_size
        i, j, lam = rows[moved], partner[moved], lam[moved]
        distance = np.linalg.norm((lam[:, None] * x[i] + (1 - lam[:, None]) * x[j])[:, None] - x, axis=2)
        distance[np.arange(len(i)), i] = distance[np.arange(len(i)), j] = np.inf
        near = y[distance.argmin(axis=1)]
        wrong.append(((near != y[i]) & (near != y[j]))[y[i] == y[j]])
    shares = np.bincount(y, minlength=3) / len(y)
    return np.concatenate(wrong).mean(), mixed / batches, ever.mean(), np.abs(mass / batches - shares).sum() / 4


@pytest.mark.parametrize(
    "mix",
    [
        LocalMixup(KNNGraph(share=0.2), pairing="neighbors", prob=0.3),
        LocalMixup(),
        LocalMixup(NearestOfGraph(16), prob=1.0, pairing="neighbors"),
        LocalMixup(KNNGraph(share=0.05), pairing="neighbors"),
        LocalMixup(ThresholdGraph(1.5), pairing="neighbors"),
        LocalMixup(CompleteGraph(), prob=0.5),
    ],
    ids=repr,
)
def test_the_effect_equals_what_batches_show(mix):
    x, y = rings(90)
    y = np.where(np.arange(90) % 9 == 0, 2, y)
    found = effect_of(intrusion(x, y), mix, batch_size=20)
    within, mixed, coverage, shift = counted(mix, x, y, 20)
    assert found.within.value == pytest.approx(within, abs=0.02)
    assert found.mixed_share == pytest.approx(mixed, abs=0.02)
    assert found.coverage == pytest.approx(coverage, abs=0.02)
    assert found.shift == pytest.approx(shift, abs=0.015)


def test_a_recipe_that_never_mixes_covers_nothing_and_pairs_by_class_are_refused():
    report = intrusion(*rings(60))
    still = effect_of(report, LocalMixup(CompleteGraph(), prob=0.0))
    assert (still.mixed_share, still.coverage, still.shift) == (0, 0, 0)
    with pytest.raises(ValueError, match="must draw partners or mix random pairs, got pairing='within_class'"):
        effect_of(report, LocalMixup(CompleteGraph(), pairing="within_class"))
