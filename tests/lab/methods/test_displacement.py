"""The controls that move samples as far as local mixup does, against distances measured pair by pair."""

import pytest
import torch

from localmixup import ArgumentError, KNNGraph, LocalMixup
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods import METHODS
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.draws import Inputs, Run
from localmixup.lab.runs.spec import DataSpec, MethodSpec, RunSpec, TrainingSpec

TRAINING = TrainingSpec(model="mlp", updates=10, pairs="batch", batch_size=12)
OF_SET = TrainingSpec(
    model="mlp", updates=64, pairs="set", batch_size=50, first_ends="uniform", validation_share=0, mixup_alpha=1.0
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


def of_set(method, x, y):
    """3,200 pairs of the set, as a run draws them."""
    spec = MethodSpec(method=method, parameter=3, kept_share=0.01, mixed_share=0.3)
    prepared = Prepared(x, y, x[:2], y[:2], 1.0, "classification", 2, torch.zeros(1, 4), torch.ones(1, 4))
    run = Run(
        RunSpec(data=DataSpec(name="noise", fingerprint="x"), training=OF_SET, method=spec, seed=3), prepared,
        Inputs(x), y,
    )  # fmt: skip
    drawn = run.draw(64, drop=False)
    return drawn.rows.flatten(), drawn.partner_rows.flatten(), drawn.lam.flatten()


def test_random_partners_of_the_set_move_the_same_samples_as_far():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(1))
    y = torch.arange(300) % 2
    first, near, lam = of_set("local-knn", x, y)
    rows, partners, lams = of_set("same-displacement-of-set", x, y)
    assert torch.equal(first, rows)
    mixed = near != first
    assert torch.equal(mixed, partners != rows)
    assert torch.equal(lam[~mixed], lams[~mixed])
    assert mixed.float().mean().item() == pytest.approx(0.3, abs=0.03)
    reachable = mixed & (lams != 0.5)
    assert (reachable.sum() / mixed.sum()).item() > 0.95
    torch.testing.assert_close(
        moved(x, first, near, lam)[reachable], moved(x, rows, partners, lams)[reachable], rtol=1e-3, atol=1e-4
    )
    # the nearer end is the same one, so the own target keeps its share where it had more than half
    assert torch.equal(lam[reachable] >= 0.5, lams[reachable] >= 0.5)
    # where a half is not enough the sample cannot be moved as far
    short = mixed & (lams == 0.5)
    assert (moved(x, rows, partners, lams)[short] <= moved(x, first, near, lam)[short] + 1e-5).all()
    # partners are spread over the whole set: 960 draws over 299 others leave hardly more than exp(-3.2) of them out
    assert len(partners[mixed].unique()) > 0.9 * 300
    distance = (x[rows] - x[partners])[mixed].norm(dim=1).mean()
    everywhere = torch.cdist(x, x).sum() / (300 * 299)
    assert distance.item() == pytest.approx(everywhere.item(), rel=0.05)


def test_the_control_of_the_set_knows_no_pairs_of_the_batch():
    with pytest.raises(ArgumentError, match="pairs must be 'set' for same-displacement-of-set, got 'batch'"):
        METHODS["same-displacement-of-set"](
            MethodSpec(method="same-displacement-of-set", parameter=3), TRAINING, "classification", torch.Generator()
        )
