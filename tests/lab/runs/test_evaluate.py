"""Errors of a stack of runs, counted by hand."""

import math

import pytest
import torch
from torch import nn

from localmixup.lab.runs.evaluate import errors, predict, region_box, regions, unpack_regions
from localmixup.lab.runs.network import Network


class Always(nn.Module):
    """Three runs: one always answers class 0, one class 1, and one the sign of the first input."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        sign = (x[2, :, 0] > 0).float()
        answers = torch.stack([torch.zeros_like(sign), torch.ones_like(sign), sign])
        return torch.stack([1 - answers, answers], dim=2)


@pytest.fixture
def network():
    return Network([Always()], 3)


def test_errors_are_counted_for_every_run(network, prepared):
    y, sign = prepared.y_test, (prepared.x_test[:, 0] > 0).long()
    expected = [float((y != answer).double().mean()) * 100 for answer in (torch.tensor(0), torch.tensor(1), sign)]
    assert errors(network, prepared.x_test, y, prepared) == pytest.approx(expected)
    assert all(math.isnan(e) for e in errors(network, prepared.x_test[:0], y[:0], prepared))


def test_every_run_has_rows_of_its_own(network, prepared):
    rows = torch.tensor([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    found = errors(network, prepared.x, prepared.y, prepared, rows)
    for run, part in enumerate(rows):
        assert found[run] == errors(network, prepared.x[part], prepared.y[part], prepared)[run]


def test_values_are_measured_in_the_unit_of_the_target(network, prepared):
    values = prepared._replace(task="regression", y=prepared.y.float(), y_scale=7.0)
    # the first output is 1, 0 and 1 - sign
    answers = torch.stack([torch.ones(96), torch.zeros(96), (values.x[:, 0] <= 0).float()])
    expected = 7 * (answers - values.y).square().mean(dim=1).sqrt()
    assert errors(network, values.x, values.y, values) == pytest.approx(expected.tolist(), rel=1e-6)


def test_many_rows_are_predicted_in_parts_and_the_mode_is_kept(network):
    x = torch.randn(3000, 2)
    network.train()
    outputs = predict(network, x)
    assert network.training
    assert outputs.shape == (3, 3000, 2)
    assert torch.equal(outputs[2, :, 1], (x[:, 0] > 0).float())


def test_regions_are_the_answers_on_a_grid(network, prepared):
    grids = [unpack_regions(packed) for packed in regions(network, prepared)]
    assert (grids[0] == 0).all()
    assert (grids[1] == 1).all()
    low, high = region_box(prepared.x)
    axis = torch.linspace(low[0], high[0], 120)
    assert ((axis > 0).int()[:, None] == torch.from_numpy(grids[2].copy())).all()
