"""Pairs of the whole set: epochs, state, DataLoaders, mistakes."""

import math

import numpy as np
import pytest
import torch
from helpers import generator, seeded
from torch.utils.data import DataLoader, TensorDataset

from localmixup import (
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    PairDataset,
    PairSampler,
    ThresholdGraph,
)

X = torch.randn(9, 2, generator=generator())


def test_the_ends_are_epochs_of_vanilla_training_and_mixup():
    for graph in (IdentityGraph(), CompleteGraph(), KNNGraph(2)):
        sampler = PairSampler(X, graph, 3, generator(), num_batches=3)
        pairs = [pair for batch in sampler for pair in batch]
        assert sorted(i for i, _ in pairs) == list(range(9))
        if isinstance(graph, IdentityGraph):
            assert all(i == j for i, j in pairs)
    assert PairSampler(X, CompleteGraph(), 3).mixed_share == pytest.approx(8 / 9)


def test_first_ends_follow_the_row_sums_closely():
    w = ThresholdGraph(1.2).matrix(X)
    first, _ = PairSampler(X, ThresholdGraph(1.2), 3, generator(), first_ends="row sums").sample(900)
    wanted = 900 * w.sum(1) / w.sum()
    assert (torch.bincount(first, minlength=9) - wanted).abs().max() <= 100  # one per row and epoch of 9


@pytest.mark.parametrize("graph", [KNNGraph(2), ExponentialGraph(1.0), CompleteGraph()], ids=repr)
@pytest.mark.parametrize("share", [None, 0.5])
def test_an_interrupted_epoch_continues_where_it_stopped(graph, share):
    whole = PairSampler(X, graph, 2, generator(5), mixed_share=share, num_batches=6)
    batches = list(whole) + list(whole)
    first = PairSampler(X, graph, 2, generator(5), mixed_share=share, num_batches=6)
    run = iter(first)
    started = [next(run) for _ in range(4)]
    state = first.state_dict()
    next(run)
    again = PairSampler(X, graph, 2, generator(99), mixed_share=share, num_batches=6)
    again.load_state_dict(state)
    rest = list(again)
    assert len(rest) == 2
    assert started + rest + list(again) == batches


def test_the_share_that_is_told_is_the_share_that_is_drawn():
    """Half of the samples are so far apart that the graph has no partner for them."""
    x = torch.cat(
        [torch.randn(50, 3, generator=generator(1)) * 0.1, torch.arange(1.0, 51.0)[:, None].expand(50, 3) * 100]
    )
    sampler = PairSampler(x, ThresholdGraph(1.0), 100, generator(2), mixed_share=0.5)
    first, second = sampler.sample(40_000)
    drawn = float((first != second).float().mean())
    assert sampler.mixed_share == 0.25
    assert drawn == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 40_000) ** 0.5)
    assert sampler.describe().mixed_share == 0.25


@pytest.mark.parametrize("change", [lambda s: {"generator": 1}, lambda s: 3, lambda s: {**s, "queues": {}}])
def test_another_state_is_refused(change):
    sampler = PairSampler(X, CompleteGraph(), 2)
    with pytest.raises(ValueError, match=r"state must come from (PairSampler\.state_dict\(\)|a PairSampler of 9 rows)"):
        sampler.load_state_dict(change(sampler.state_dict()))
    larger = PairSampler(torch.randn(40, 2), CompleteGraph(), 2)
    larger.sample(3)
    with pytest.raises(ValueError, match="state must come from a PairSampler of 9 rows, got one of 40"):
        sampler.load_state_dict(larger.state_dict())


def test_an_iteration_that_was_only_started_loses_no_batch():
    sampler = PairSampler(X, CompleteGraph(), 2, generator(), num_batches=5)
    next(iter(sampler))
    assert len(list(sampler)) == 5
    assert len(list(zip(sampler, range(2), strict=False))) == 2
    assert len(list(sampler)) == 5


def test_in_a_dataloader():
    y = torch.arange(9)
    mix = seeded(ThresholdGraph(1.2), per_sample=True)
    sampler = PairSampler(X, ThresholdGraph(1.2), 4, generator(6))
    for workers in (0, 2):
        loader = DataLoader(
            PairDataset(TensorDataset(X, y)), batch_sampler=sampler, collate_fn=mix.collate_pairs, num_workers=workers
        )
        batches = list(loader)
        assert len(batches) == len(sampler) == 3
        lams = torch.cat([batch.lam for batch in batches])
        assert len(lams.unique()) == len(lams)
        for batch in batches:
            assert batch.weights.tolist() == [1.0] * 4
            lam = batch.lam[:, None]
            expected = X[batch.targets] * lam + X[batch.partner_targets] * (1 - lam)
            np.testing.assert_allclose(batch.inputs, expected, atol=1e-6)
            assert torch.isfinite(batch.loss(torch.nn.CrossEntropyLoss(), torch.zeros(4, 9)))


@pytest.mark.parametrize(
    "data", [TensorDataset(X, torch.arange(9)), [(row, i) for i, row in enumerate(X)]], ids=["TensorDataset", "list"]
)
@pytest.mark.parametrize("collated", [True, False])
def test_a_sampler_of_pairs_over_plain_data_names_the_remedy(data, collated):
    options = {"collate_fn": seeded(CompleteGraph()).collate_pairs} if collated else {}
    loader = DataLoader(data, batch_sampler=PairSampler(X, CompleteGraph(), 4), **options)
    with pytest.raises(
        ValueError, match=r"wrap the data set, DataLoader\(PairDataset\(data\), batch_sampler=PairSampler"
    ):
        next(iter(loader))


@pytest.mark.parametrize("data", [TensorDataset(X, torch.arange(9)), X.numpy(), PairDataset(TensorDataset(X))])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_sampler_of_pairs_in_place_of_one_of_samples_names_the_remedy(data, batch_size):
    loader = DataLoader(data, sampler=PairSampler(X, CompleteGraph(), 4), batch_size=batch_size)
    with pytest.raises(ValueError, match=r"cannot be the sampler= of a loader.*batch_sampler=PairSampler\(...\)"):
        next(iter(loader))
    with pytest.raises(ValueError, match=r"PairDataset is indexed by pairs, .* got \[Pair\("):
        next(iter(DataLoader(PairDataset(data), sampler=PairSampler(X, CompleteGraph(), 4), batch_size=None)))


def test_a_data_set_of_pairs_without_its_sampler_names_the_remedy():
    data = PairDataset([("a", 1), ("b", 2)])
    assert len(data) == 2
    assert data[0, 1] == (("a", 1), ("b", 2))
    with pytest.raises(ValueError, match=r"PairDataset is indexed by pairs, batch_sampler=PairSampler\(...\), got 0"):
        next(iter(DataLoader(data, batch_size=2)))


def test_a_sample_that_is_its_own_partner_is_loaded_once():
    loaded = []

    class Counting(list):
        def __getitem__(self, index):
            loaded.append(index)
            return super().__getitem__(index)

    first, second = PairDataset(Counting("abc"))[1, 1]
    assert first is second
    assert loaded == [1]


def test_one_row():
    sampler = PairSampler(X[:1], ThresholdGraph(1.0), 2)
    assert sampler.mixed_share == 0
    assert list(sampler) == [[(0, 0), (0, 0)]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PairSampler(X, CompleteGraph(), 0), "batch_size must be a whole number >= 1, got 0"),
        (lambda: PairSampler(X[:0], CompleteGraph(), 1), r"features must be a tensor of at least one row, .*\(0, 2\)"),
        (lambda: PairSampler(X.numpy(), CompleteGraph(), 1), "features must be a tensor .*, got ndarray"),
        (lambda: PairSampler(X * math.nan, KNNGraph(2), 2), "features must be finite"),
        (lambda: PairSampler(X, CompleteGraph(), 1, mixed_share=2), "mixed_share must be between 0 and 1, got 2"),
        (
            lambda: PairSampler(X, IdentityGraph(), 1, mixed_share=0.5),
            r"mixed_share must be 0 because IdentityGraph\(\)",
        ),
        (lambda: PairSampler(X, CompleteGraph(), 1, num_batches=0), "num_batches must be a whole number >= 1"),
        (
            lambda: PairSampler(X, CompleteGraph(), 4, generator=3),
            r"generator must be a torch.Generator or None, got int",
        ),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
