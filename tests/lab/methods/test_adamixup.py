"""AdaMixUp against its formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from localmixup.lab.methods import Batch
from localmixup.lab.models import build_model


def prepared(make, network, x, **options):
    method = make("adamixup", **options)
    torch.manual_seed(3)
    networks = method.companion(network, x)
    with torch.no_grad():  # larger than at the start, so that regions differ from pair to pair
        for layer in (*networks.policy, *networks.intrusion):
            layer.weight.mul_(500)
    return method, networks


def slow_step(network, networks, batch, task="classification", seed=0):
    """Row by row; returns the loss and the coefficients."""
    g = torch.Generator().manual_seed(seed)
    half = len(batch.inputs) // 2
    own, targets = batch.inputs[:half], batch.targets[:half]
    if batch.partner_inputs is None:
        partner = torch.randperm(half, generator=g)
        other, other_targets = own[partner], targets[partner]
    else:
        other, other_targets = batch.partner_inputs[:half], batch.partner_targets[:half]
    masks = torch.empty(2, *own.shape)
    torch.nn.init.trunc_normal_(masks, generator=g)
    uniform = torch.rand(half, generator=g)

    def fit(output, target):
        if task == "regression":
            return (output[0, 0] - target).square()
        return -output.log_softmax(dim=1)[0, target]

    def intrusion(x, real):
        return F.cross_entropy(networks.intrusion(network[:-1](x)), torch.tensor([real]))

    classifier, discriminator, lams = 0.0, 0.0, []
    for i in range(half):
        gate = (masks[0, i] * own[i] + masks[1, i] * other[i]) / 2
        scores = networks.policy(networks.backbone(gate[None]))[0]
        low, extent, _ = torch.exp(scores) / torch.exp(scores).sum()
        lam = low + uniform[i] * extent
        mixed = (lam * own[i] + (1 - lam) * other[i])[None]
        share = lam.item()
        assert 0 < low.item() <= share <= (low + extent).item() < 1
        lams.append(share)
        output = network(mixed)
        classifier += share * fit(output, targets[i]) + (1 - share) * fit(output, other_targets[i])
        classifier += fit(network(own[i][None]), targets[i])
        discriminator += intrusion(mixed, 0) + intrusion(own[i][None], 1)
    for row in batch.inputs[half:]:
        discriminator += intrusion(row[None], 1)
    return classifier / (2 * half) + discriminator / (len(batch.inputs) + half), lams


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("rows", [12, 7])
def test_it_is_its_formula(make, points, network, batch_of, same_gradients, pairs, rows):
    x, y = points[0][:rows], points[1][:rows]
    batch = batch_of(make("adamixup", seed=9), pairs, x, y, count=rows)
    method, networks = prepared(make, network, x, loss_scale=0.5)
    loss, record = method.step(network, batch)
    slow, lams = slow_step(network, networks, batch)
    assert loss.item() == pytest.approx(0.5 * slow.item(), rel=1e-5)
    same_gradients(loss, 0.5 * slow, network, networks)
    half = rows // 2
    assert record.lam.tolist() == pytest.approx([*lams, *[1.0] * (rows - half)], rel=1e-5)
    assert torch.equal(record.inputs[half:], batch.inputs[half:])
    assert (record.inputs[:half] != batch.inputs[:half]).any()
    assert max(lams) - min(lams) > 0.01


def test_regression_has_the_same_form(make, points, batch_of):
    x, _ = points
    y = x.sum(dim=1)
    model = build_model("mlp", (3,), 1)
    method, networks = prepared(make, model, x, task="regression")
    loss, _ = method.step(model, Batch(x, y))
    slow, _ = slow_step(model, networks, Batch(x, y), task="regression")
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)


def test_everything_is_trained_and_starts_anew(make, points, network):
    x, y = points
    method = make("adamixup")
    networks = method.companion(network, x[:2])
    trained = {id(p) for p in network.parameters()} | {id(p) for p in networks.parameters()}
    assert len(trained) == len(list(network.parameters())) + len(list(networks.parameters()))
    for own, copied in zip(network[:-1].parameters(), networks.backbone.parameters(), strict=True):
        assert own.shape == copied.shape
        assert not torch.equal(own, copied)
    loss, _ = method.step(network, Batch(x, y))
    loss.backward()
    for parameter in (*network.parameters(), *networks.parameters()):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_at_the_start_every_interval_is_the_middle_third(make, points, network):
    x, y = points
    method = make("adamixup")
    method.companion(network, x)
    lams = torch.cat([method.step(network, Batch(x, y))[1].lam[:6] for _ in range(500)])
    assert 1 / 3 - 0.01 < float(lams.min()) < 0.35
    assert 0.65 < float(lams.max()) < 2 / 3 + 0.01
    # 3000 draws, nearly uniform on a third: 4.5 standard errors
    assert float(lams.mean()) == pytest.approx(0.5, abs=0.001 + 4.5 / 3 / math.sqrt(12 * 3000))


def test_half_of_the_pairs_of_the_set_are_samples_with_themselves(make, points):
    x, y = points
    pairs = make("adamixup").pairs(x, y)
    moved = torch.stack([first != second for first, second in (pairs.sample(9) for _ in range(200))])
    assert not moved[:, 4:].any()
    assert moved[:, :4].double().mean() == pytest.approx(11 / 12, abs=4.5 * math.sqrt(11 / 144 / 800))


def test_networks_with_normalisation_and_their_running_means(make):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 3, 16, 16, generator=g), torch.arange(8) % 4
    model = build_model("resnet", (3, 16, 16), 4)
    model(x)  # a model that has seen data gives none of it to the copy
    method = make("adamixup")
    networks = method.companion(model, x)
    norms = [m for m in networks.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all((m.running_mean == 0).all() and m.training for m in norms)
    loss, record = method.step(model, Batch(x, y))
    assert torch.isfinite(loss)
    assert record.inputs.shape == x.shape


def test_what_cannot_be_is_refused(make, points, network):
    x, y = points
    with pytest.raises(ValueError, match="companion of adamixup must be called before"):
        make("adamixup").step(network, Batch(x, y))
    method, _ = prepared(make, network, x)
    with pytest.raises(ValueError, match="batches of at least 2 samples, got 1"):
        method.step(network, Batch(x[:1], y[:1]))
    with pytest.raises(ValueError, match="options of adamixup must be of none, got k"):
        make("adamixup", k=1)
