"""Values that nobody should pass: one error that names the argument, or a finite result."""

import numpy as np
import pytest
import torch
from helpers import data, generator

from localmixup import ArgumentError, CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.geometry import lipschitz_lower_bound

X, Y = data(n=12)
HUGE = 10**400


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: ThresholdGraph(HUGE), "radius"),
        (lambda: ExponentialGraph(HUGE), "decay"),
        (lambda: LocalMixup(mixup_alpha=HUGE), "mixup_alpha"),
        (lambda: LocalMixup(prob=HUGE), "prob"),
        (lambda: LocalMixup(ThresholdGraph(1.0, metric=lambda a, b: 3.0))(X, Y), "metric"),
        (lambda: LocalMixup(KNNGraph(2, metric=lambda a, b: "far"), pairing="neighbors")(X, Y), "metric"),
        (lambda: LocalMixup()(X, Y).loss(lambda outputs, targets: "good", torch.zeros(12, 4)), "criterion"),
        (lambda: LocalMixup()(X, Y).loss(lambda outputs, targets: 1.0, torch.zeros(12, 4)), "criterion"),
        (lambda: LocalMixup(generator=generator()).load_state_dict({"_extra_state": torch.zeros(7).byte()}), "state"),
        (lambda: LocalMixup(generator=generator()).load_state_dict({"_extra_state": "text"}), "state"),
    ],
)
def test_what_makes_no_sense_is_named_in_one_line(call, named):
    with pytest.raises(ArgumentError, match=named) as raised:
        call()
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("mixup_alpha", [5e-324, 1e-309, 1e-30, 1e6, 1e300, float("inf")])
def test_any_mixup_alpha_mixes(mixup_alpha):
    batch = LocalMixup(CompleteGraph(), mixup_alpha=mixup_alpha, per_sample=True, generator=generator())(X, Y)
    assert torch.isfinite(batch.inputs).all()
    assert ((batch.lam >= 0) & (batch.lam <= 1)).all()


def test_a_decay_beyond_float32_counts_duplicates_and_nothing_else():
    x = torch.tensor([[1.0], [1.0], [2.0]])
    weights = ExponentialGraph(1e300).pair_weights(x, torch.tensor([1, 0, 1]))
    assert weights.tolist() == [1, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rows_have_a_cosine_distance_of_exactly_zero(dtype):
    rows = torch.randn(1, 777, generator=generator(), dtype=dtype).expand(9, 777)
    assert not ThresholdGraph(0.0, metric="cosine").matrix(rows).eq(0).any()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", bytes(3000), "array", "arrays", "tensors"])
def test_a_checkpoint_that_is_another_file_is_refused_and_not_changed(tmp_path, content):
    path = tmp_path / "checkpoint.npz"
    if content == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "arrays":
        np.savez(path, a=np.zeros(3))
    elif content == "tensors":
        torch.save({"key": 1}, path)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ArgumentError, match="cannot be read: it is another kind of file, or damaged"):
        lipschitz_lower_bound(torch.randn(40, 3), torch.arange(40) % 2, kind="segments", checkpoint=path)
    assert path.read_bytes() == before
