"""AdaMixUp against its formula written out."""

import math

import pytest
import torch
import torch.nn.functional as F

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
    """Row by row; `seed` is that of the draws of the coefficients."""
    g = torch.Generator().manual_seed(seed)
    half = batch.size // 2
    inputs, partners, targets, partner_targets = (
        t[0] for t in (batch.inputs, batch.partner_inputs, batch.targets, batch.partner_targets)
    )
    masks = torch.empty(2, *inputs[:half].shape)
    torch.nn.init.trunc_normal_(masks, generator=g)
    uniform = torch.rand(half, generator=g)

    def fit(output, target):
        if task == "regression":
            return (output[0, 0] - target).square()
        return -output.log_softmax(dim=1)[0, target]

    def intrusion(x, real):
        return F.cross_entropy(networks.intrusion(network[:-1](x)), torch.tensor([real]))

    classifier, discriminator = 0.0, 0.0
    for i in range(half):
        gate = (masks[0, i] * inputs[i] + masks[1, i] * partners[i]) / 2
        scores = networks.policy(networks.backbone(gate[None]))[0]
        low, extent, _ = torch.exp(scores) / torch.exp(scores).sum()
        lam = low + uniform[i] * extent
        inside = (lam * inputs[i] + (1 - lam) * partners[i])[None]
        share = lam.item()
        assert 0 < low.item() <= share <= (low + extent).item() < 1
        output = network(inside)
        classifier += share * fit(output, targets[i]) + (1 - share) * fit(output, partner_targets[i])
        classifier += fit(network(inputs[i][None]), targets[i])
        discriminator += intrusion(inside, 0) + intrusion(inputs[i][None], 1)
    for row in inputs[half:]:
        discriminator += intrusion(row[None], 1)
    return classifier / (2 * half) + discriminator / (batch.size + half)


@pytest.mark.parametrize("pairs", ["set", "batch"])
@pytest.mark.parametrize("rows", [12, 7])
def test_it_is_its_formula(make, points, network, draw, step, same_gradients, pairs, rows):
    x, y = points[0][:rows], points[1][:rows]
    batch = draw(make("adamixup", seed=9, loss_scale=0.5), pairs, x, y, count=rows)
    method, networks = prepared(make, network, x, loss_scale=0.5)
    loss, _ = step(method, network, batch)
    slow = 0.5 * slow_step(network, networks, batch)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    same_gradients(loss, slow, network, networks)
    half = rows // 2
    assert not batch.moved[0, half:].any()
    assert sorted(batch.partner_inputs[0, half:].flatten().tolist()) == sorted(
        batch.inputs[0, half:].flatten().tolist()
    )


def test_regression_has_the_same_form(make, points, draw, step):
    x, _ = points
    y = x.sum(dim=1)
    model = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh()), torch.nn.Linear(5, 1))
    method, networks = prepared(make, model, x, task="regression")
    batch = draw(make("adamixup", task="regression"), "batch", x, y)
    loss, _ = step(method, model, batch)
    assert loss.item() == pytest.approx(slow_step(model, networks, batch, task="regression").item(), rel=1e-5)


def test_everything_is_trained_and_starts_with_fresh_weights(make, points, network, draw, step):
    x, y = points
    method = make("adamixup")
    networks = method.companion(network, x[:2])
    trained = {id(p) for p in network.parameters()} | {id(p) for p in networks.parameters()}
    assert len(trained) == len(list(network.parameters())) + len(list(networks.parameters()))
    for own, copied in zip(network[:-1].parameters(), networks.backbone.parameters(), strict=True):
        assert own.shape == copied.shape
        assert not torch.equal(own, copied)
    step(method, network, draw(method, "batch", x, y))[0].backward()
    for parameter in (*network.parameters(), *networks.parameters()):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


def test_at_the_start_every_interval_is_the_middle_third(make, points, network):
    x, _ = points
    method = make("adamixup")
    networks = method.companion(network, x)
    with torch.no_grad():
        lams = torch.cat([method._lam(networks, x[:6], x[6:]) for _ in range(500)])
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


def test_networks_with_normalisation_and_their_running_means(make, draw, step):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 3, 16, 16, generator=g), torch.arange(8) % 4
    model = build_model("resnet", (3, 16, 16), 4)
    model(x)  # a model that has seen data gives none of it to the copy
    method = make("adamixup")
    networks = method.companion(model, x)
    norms = [m for m in networks.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert all((m.running_mean == 0).all() and m.training for m in norms)
    assert torch.isfinite(step(method, model, draw(method, "batch", x, y))[0])


def test_what_cannot_be_is_refused(make, points, network, draw, step):
    x, y = points
    with pytest.raises(ValueError, match="companion of adamixup must be called before"):
        step(make("adamixup"), network, draw(make("adamixup"), "batch", x, y))
    method, _ = prepared(make, network, x)
    with pytest.raises(ValueError, match="batches of at least 2 samples, got 1"):
        step(method, network, draw(method, "batch", x[:1], y[:1]))
    with pytest.raises(ValueError, match=r"must be an nn.Sequential whose last child is the head, got Linear"):
        method.companion(torch.nn.Linear(3, 3), x)
    with pytest.raises(ValueError, match="options of adamixup must be of none, got k"):
        make("adamixup", k=1)
