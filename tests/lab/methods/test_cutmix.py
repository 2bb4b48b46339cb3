"""CutMix pixel by pixel."""

import math

import pytest
import torch

from localmixup.lab.methods.base import Batch
from localmixup.lab.methods.cutmix import pasted


@pytest.fixture
def images():
    """Images whose pixels say which image they are of; one class each."""
    y = torch.arange(6)
    place = torch.arange(2 * 9 * 12).view(1, 2, 9, 12) / 256  # exact in float32
    return y.float().view(6, 1, 1, 1) + place, y


@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_every_image_has_one_box_of_its_partner(make, images, draw, pairs):
    x, y = images
    method, sizes = make("cutmix"), set()
    for _ in range(60):
        batch = draw(method, pairs, x, y)
        inputs, lams = pasted(batch)
        boxes = set()
        rows = zip(inputs[0], batch.targets[0], batch.partner_targets[0], lams[0], strict=True)
        for image, own, other, lam in rows:
            assert (image - image.floor() == (x[0] - x[0].floor())).all(), "pixels stay where they are"
            whose = image.floor()
            assert ((whose == own) | (whose == other)).all()
            assert torch.equal(whose[0], whose[1])
            if own == other:
                continue
            box = whose[0] == other
            assert lam.item() == pytest.approx(1 - int(box.sum()) / (9 * 12), abs=1e-6)
            rows_of, columns = box.any(dim=1), box.any(dim=0)
            assert torch.equal(box, rows_of[:, None] & columns[None])
            for line in (rows_of, columns):  # one piece
                assert int(line.int().diff().abs().sum()) <= 2
            boxes.add((tuple(rows_of.tolist()), tuple(columns.tolist())))
        assert len(boxes) <= 1, "one box per batch"
        assert len(lams.unique()) == 1
        sizes.add(float(lams[0, 0]))
    assert len(sizes) > 15


def test_the_loss_goes_by_the_area(make, images, draw, step):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 9 * 12, 6))
    method = make("cutmix", loss_scale=0.5)
    batch = draw(method, "batch", *images)
    loss, _ = step(method, model, batch)
    total, (inputs, lams) = 0.0, pasted(batch)
    for image, a, b, lam in zip(inputs[0], batch.targets[0], batch.partner_targets[0], lams[0], strict=True):
        logs = model(image[None]).log_softmax(dim=1)[0]
        total -= float(lam) * logs[a].item() + (1 - float(lam)) * logs[b].item()
    assert loss.item() == pytest.approx(0.5 * total / 6, rel=1e-5)


@pytest.mark.parametrize("shape", [(128, 128), (64, 256)])
def test_the_mean_share_is_that_of_clipped_boxes(make, shape):
    """1500 runs of a stack, one box each.

    The side s = sqrt(1 - lam), lam and the centre uniform: a side covers s - s^2 / 4 on average, so the area
    E[(s - s^2 / 4)^2] = 1/2 - 1/5 + 1/48; rounding down to even pixels takes up to two pixels of the lower side.
    """
    method = make("cutmix")
    x = torch.zeros(1500, 1, 1, *shape)
    batch = Batch(
        x, x, *[torch.zeros(1500, 1)] * 2, method.lam(1500)[:, None], torch.ones(1500, 1), size=1,
        scale=torch.ones(1500), moved=torch.ones(1500, 1), shares=torch.zeros(1500, 3), choices=method.choices(1500),
    )  # fmt: skip
    shares = pasted(batch)[1][:, 0].double()
    area, error = 1 / 2 - 1 / 5 + 1 / 48, 4.5 * float(shares.std()) / math.sqrt(1500)
    assert 1 - area - error < float(shares.mean()) < 1 - area * (1 - 2 / min(shape)) + error


@pytest.mark.parametrize("shape", [(8, 3), (8, 28, 28)])
def test_tables_are_refused(make, draw, step, shape):
    method, x = make("cutmix"), torch.zeros(shape)
    with pytest.raises(ValueError, match=r"cutmix needs images of shape \(n, channels, height, width\), got .*\(8, "):
        step(method, torch.nn.Sequential(torch.nn.Linear(3, 2)), draw(method, "batch", x, torch.zeros(8).long()))
