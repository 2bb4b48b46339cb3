"""CutMix pixel by pixel."""

import math

import pytest
import torch

from localmixup.lab.methods import Batch


@pytest.fixture
def images():
    """Every pixel tells whose it is; a class each."""
    y = torch.arange(6)
    place = torch.arange(2 * 9 * 12).view(1, 2, 9, 12) / 256  # exact in float32
    return y.float().view(6, 1, 1, 1) + place, y


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_every_image_has_one_box_of_its_partner(make, images, batch_of, pairs):
    x, y = images
    method, sizes = make("cutmix"), set()
    for _ in range(100):
        batch = batch_of(method, pairs, x, y)
        mixed = method.mixed(batch)
        boxes = set()
        for image, own, other, lam in zip(mixed.inputs, mixed.targets, mixed.partner_targets, mixed.lam, strict=True):
            assert (image - image.floor() == (x[0] - x[0].floor())).all(), "pixels stay where they are"
            whose = image.floor()
            assert ((whose == own) | (whose == other)).all()
            assert torch.equal(whose[0], whose[1])
            if own == other:
                continue
            pasted = whose[0] == other
            assert lam.item() == pytest.approx(1 - int(pasted.sum()) / (9 * 12), abs=1e-6)
            rows, columns = pasted.any(dim=1), pasted.any(dim=0)
            assert torch.equal(pasted, rows[:, None] & columns[None])
            for line in (rows, columns):  # one piece
                assert int(line.int().diff().abs().sum()) <= 2
            boxes.add((tuple(rows.tolist()), tuple(columns.tolist())))
        assert len(boxes) <= 1, "one box a batch"
        assert len(mixed.lam.unique()) == 1
        sizes |= {float(lam) for lam in mixed.lam[:1]}
    assert len(sizes) > 20


def test_the_loss_goes_by_the_area(make, images):
    x, y = images
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 9 * 12, 6))
    loss, mixed = make("cutmix", loss_scale=0.5).step(model, Batch(x, y))
    total = 0.0
    for image, a, b, lam in zip(mixed.inputs, y, mixed.partner_targets, mixed.lam, strict=True):
        logs = model(image[None]).log_softmax(dim=1)[0]
        total -= float(lam) * logs[a].item() + (1 - float(lam)) * logs[b].item()
    assert loss.item() == pytest.approx(0.5 * total / 6, rel=1e-5)


@pytest.mark.parametrize("shape", [(128, 128), (64, 256)])
def test_the_mean_share_is_that_of_clipped_boxes(make, shape):
    # side s = sqrt(1 - lam) with lam uniform, centre uniform: a side covers s - s^2 / 4 on average, so the area
    # E[(s - s^2 / 4)^2] = 1/2 - 1/5 + 1/48; rounding down to even pixels takes up to two pixels of the lower side
    x, y = torch.zeros(2, 1, *shape), torch.arange(2)
    method = make("cutmix")
    shares = torch.stack([method.mixed(Batch(x, y)).lam[0] for _ in range(1500)]).double()
    area, error = 1 / 2 - 1 / 5 + 1 / 48, 4.5 * float(shares.std()) / math.sqrt(1500)
    assert 1 - area - error < float(shares.mean()) < 1 - area * (1 - 2 / min(shape)) + error


@pytest.mark.parametrize("shape", [(8, 3), (8, 28, 28)])
def test_tables_are_refused(make, shape):
    with pytest.raises(ValueError, match=r"cutmix needs images of shape \(n, channels, height, width\), got .*\(8, "):
        make("cutmix").step(torch.nn.Linear(3, 2), Batch(torch.zeros(shape), torch.zeros(8, dtype=torch.int64)))
