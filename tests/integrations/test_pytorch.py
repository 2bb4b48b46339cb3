"""Plain PyTorch: a DataLoader with and without workers that mixes batches or draws pairs of the whole set."""

import itertools
import runpy
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, PairDataset, PairSampler, ThresholdGraph

X = torch.randn(48, 3, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(X, torch.arange(48))
EXAMPLE = Path(__file__).parents[2] / "examples" / "dataloader.py"


def generator(seed):
    return torch.Generator().manual_seed(seed)


def draws_of(batches):
    """What was drawn for each batch: lam and partner of every sample."""
    return [(*batch.lam.tolist(), *batch.partner_targets.tolist()) for batch in batches]


def mixing_loader(workers, seed=0, loader_seed=1, **options):
    mix = LocalMixup(ExponentialGraph(0.1), per_sample=True, generator=None if seed is None else generator(seed))
    return DataLoader(
        DATA, batch_size=8, collate_fn=mix.collate_fn, num_workers=workers, generator=generator(loader_seed), **options
    )


@pytest.mark.parametrize("seed", [0, None], ids=["own generator", "global generator"])
@pytest.mark.parametrize(("workers", "options"), [(0, {}), (2, {}), (2, {"persistent_workers": True})])
def test_workers_and_epochs_draw_differently_and_reproducibly(workers, options, seed):
    def two_epochs():
        torch.manual_seed(3)
        loader = mixing_loader(workers, seed, **options)
        return draws_of(itertools.chain(loader, loader))

    drawn = two_epochs()
    # batches go to the workers in turn, so equal generators would give equal neighbouring batches
    assert len({batch[:8] for batch in drawn}) == 12
    assert two_epochs() == drawn
    lam = torch.tensor([batch[:8] for batch in drawn])
    # uniform in [0, 1]: 96 values; error rate 1e-4 at a fixed seed, 4 standard deviations of the mean
    assert abs(float(lam.mean()) - 0.5) < 4 / (12 * 96) ** 0.5


def test_the_draws_depend_on_the_seeds_of_the_mix_and_of_the_loader():
    drawn = draws_of(mixing_loader(2))
    for other in (mixing_loader(2, seed=5), mixing_loader(2, loader_seed=5)):
        assert not {batch[:8] for batch in drawn} & {batch[:8] for batch in draws_of(other)}


def test_batches_of_workers_match_their_pairs():
    for batch in mixing_loader(2):
        own, partner = X[batch.targets], X[batch.partner_targets]
        expected = batch.lam[:, None] * own + (1 - batch.lam[:, None]) * partner
        torch.testing.assert_close(batch.inputs, expected)
        torch.testing.assert_close(batch.weights, (-0.1 * (own - partner).norm(dim=1)).exp())


def pair_loader(workers, graph, folder=None, **options):
    mix = LocalMixup(graph, generator=generator(0))
    sampler = PairSampler(X, graph, 8, generator(7), mixed_share=0.5, cache=folder)
    return DataLoader(
        PairDataset(DATA), batch_sampler=sampler, collate_fn=mix.collate_pairs, num_workers=workers, **options
    )


def pairs_of(loader):
    return [list(zip(batch.targets.tolist(), batch.partner_targets.tolist(), strict=True)) for batch in loader]


@pytest.mark.parametrize("graph", [KNNGraph(3), ThresholdGraph(0.8), ExponentialGraph(1.0), CompleteGraph()], ids=repr)
def test_the_pairs_do_not_depend_on_the_workers(graph, tmp_path):
    alone = pair_loader(0, graph)
    first, second = pairs_of(alone), pairs_of(alone)
    assert len(first) == 6
    assert first != second
    for options in ({}, {"persistent_workers": True, "prefetch_factor": 1}):
        loader = pair_loader(2, graph, tmp_path, **options)
        assert [pairs_of(loader), pairs_of(loader)] == [first, second]
    weights = graph.matrix(X)
    assert all(weights[i, j] > 0 for batch in first for i, j in batch)


def test_lam_of_pairs_differs_between_workers_and_epochs():
    loader = pair_loader(2, KNNGraph(3))
    lams = [float(batch.lam[0]) for _ in range(2) for batch in loader]
    assert len(set(lams)) == 12


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    errors = runpy.run_path(str(EXAMPLE))["main"](num_workers=2)
    # chance is 90; which loader is better is not tested
    assert max(errors.values()) < 25
    assert list(tmp_path.iterdir()) == []
