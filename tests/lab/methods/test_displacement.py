"""The controls that move samples as far as local mixup does, against distances measured pair by pair."""

import numpy as np
import pytest
import torch
from scipy import stats

from localmixup import ArgumentError, KNNGraph, LocalMixup
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.methods import METHODS
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.draws import Run, inputs_on
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

TRAINING = TrainingSpec(model="mlp", updates=10, pairs="batch", batch_size=12)
OF_SET = TrainingSpec(
    model="mlp",
    updates=64,
    pairs="set",
    batch_size=50,
    first_ends="uniform",
    validation_share=0,
    mixup_alpha=1.0,
    resample="judge",
    standardise="run",
)


def moved(x, first, second, lam):
    """How far each mixed sample lies from the nearer of its ends."""
    mixed = lam[:, None] * x[first] + (1 - lam)[:, None] * x[second]
    return torch.minimum((mixed - x[first]).norm(dim=1), (mixed - x[second]).norm(dim=1))


def in_batches(method):
    spec = recipe_spec(LocalMixup(KNNGraph(n_neighbors=1), pairing="neighbors"), method=method)
    x = torch.randn(36, 3, generator=torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(0)
    return x, METHODS[method](spec, TRAINING, "classification", generator).plan(x, torch.arange(36) % 3, 12)


def test_random_partners_of_the_batch_move_samples_as_far():
    x, local = in_batches("recipe")
    _, control = in_batches("same-displacement")
    itself = torch.arange(36)
    assert torch.equal(local.partner == itself, control.partner == itself)
    assert torch.equal(control.partner // 12, itself // 12)
    reachable = control.lam != 0.5
    near, far = (moved(x, itself, plan.partner, plan.lam)[reachable] for plan in (local, control))
    torch.testing.assert_close(near, far, rtol=1e-4, atol=1e-5)
    assert reachable.float().mean() > 0.8
    assert not torch.equal(local.partner, control.partner)


def of_set(method, data):
    """3,200 pairs of the set, as a run of the benchmark draws them: rows of the pool, and the standard of its rows."""
    spec = MethodSpec(method=method, parameter=3, kept_share=0.01, mixed_share=0.3)
    prepared = prepare(data, hold_out=False)
    given = RunSpec(data=DataSpec(name=data.name, fingerprint="x"), training=OF_SET, method=spec, seed=3)
    run = Run(given, prepared, inputs_on(torch.device("cpu"), prepared, "run"), prepared.y)
    drawn = run.draw(64, drop=False)
    rows = run.rows.numpy()
    # the inputs as the run sees them, standardised here once more from the rows that it trains on
    x = (data.x - data.x[rows].mean(axis=0)) / data.x[rows].std(axis=0)
    return run, torch.from_numpy(x).float(), drawn.rows.flatten(), drawn.partner_rows.flatten(), drawn.lam.flatten()


def table(x):
    return DataSet("noise", "table", x, np.arange(len(x), dtype=np.int64) % 2, class_names=("a", "b"))


def test_random_partners_of_the_set_move_the_same_samples_as_far():
    rng = np.random.default_rng(1)
    # columns of other scales and places, so that distances before standardising are other ones
    data = table(rng.normal(size=(300, 4)) * [1, 30, 0.02, 4] + [0, 500, -3, 1])
    _, x, first, near, lam = of_set("local-knn", data)
    run, _, rows, partners, lams = of_set("same-displacement-of-set", data)
    assert torch.equal(first, rows)
    mixed = near != first
    assert torch.equal(mixed, partners != rows)
    assert torch.equal(lam[~mixed], lams[~mixed])
    assert mixed.float().mean().item() == pytest.approx(0.3, abs=0.03)
    reachable = mixed & (lams != 0.5)
    assert (reachable.sum() / mixed.sum()).item() > 0.95
    torch.testing.assert_close(
        moved(x, first, near, lam)[reachable], moved(x, rows, partners, lams)[reachable], rtol=2e-3, atol=1e-4
    )
    # the nearer end is the same one, so the own target keeps its share where it had more than half
    assert torch.equal(lam[reachable] >= 0.5, lams[reachable] >= 0.5)
    # partners come from the rows that the run trains on, from all of them alike: every offset is as likely
    trained = run.rows.tolist()
    place = {row: k for k, row in enumerate(trained)}
    assert set(partners.tolist()) <= set(trained)
    assert len(trained) < 300
    steps = [
        (place[b] - place[a]) % len(trained)
        for a, b in zip(rows[mixed].tolist(), partners[mixed].tolist(), strict=True)
    ]
    assert min(steps) > 0
    counts = np.histogram(steps, bins=np.linspace(1, len(trained), 11))[0]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_where_even_the_middle_is_nearer_the_control_stops_there():
    rng = np.random.default_rng(2)
    # nearly all samples lie together; the neighbours of ten distant ones are farther than most of the others
    together = rng.normal(size=(200, 2))
    distant = rng.normal(size=(10, 2)) * 0.1 + [400, 0]
    apart = [[-3000.0, 0], [-3000.0, 900], [0, 5000]]
    data = table(np.concatenate([together, distant, apart]))
    _, x, first, near, lam = of_set("local-knn", data)
    _, _, rows, partners, lams = of_set("same-displacement-of-set", data)
    short = (near != first) & (lams == 0.5)
    assert short.any()
    assert (moved(x, rows, partners, lams)[short] <= moved(x, first, near, lam)[short] * 1.001 + 1e-5).all()


def test_the_control_of_the_set_knows_no_pairs_of_the_batch():
    with pytest.raises(ArgumentError, match="pairs must be 'set' for same-displacement-of-set, got 'batch'"):
        METHODS["same-displacement-of-set"](
            MethodSpec(method="same-displacement-of-set", parameter=3), TRAINING, "classification", torch.Generator()
        )
