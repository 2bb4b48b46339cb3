"""One warning if the first batches show that a graph does not do what its user means, and none for a sensible graph."""

import re
import warnings

import pytest
import torch
from helpers import generator, seeded
from torch.overrides import TorchFunctionMode

from localmixup import (
    AdaptiveExponentialGraph,
    CompleteGraph,
    ExponentialGraph,
    IdentityGraph,
    KNNGraph,
    LearnedMetric,
    LocalMixup,
    ManifoldLocalMixup,
    PairSampler,
    ThresholdGraph,
)

X = torch.randn(1000, 8, generator=generator())
Y = torch.arange(1000) % 3


def messages(mix, batches=20, size=64, x=X, use="call"):
    """The warnings of a short training loop."""
    g = generator(1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(batches):
            rows = torch.randperm(len(x), generator=g)[:size]
            if use == "call":
                mix(x[rows], Y[rows])
            elif use == "plan":
                mix.plan(x[rows], Y[rows])
            else:
                mix.collate_fn([(x[i], Y[i]) for i in rows])
    for warning in seen:
        assert warning.category is UserWarning
        assert warning.filename == __file__  # the line of the user, not one of the library
    return [str(warning.message) for warning in seen]


@pytest.mark.parametrize("graph", [ThresholdGraph(0.01), ExponentialGraph(20.0), ThresholdGraph(0.01, metric="rms")])
@pytest.mark.parametrize("use", ["call", "plan", "collate"])
def test_a_graph_that_keeps_hardly_a_pair_warns_once_with_share_distances_and_remedy(graph, use):
    (message,) = messages(seeded(graph), use=use)
    assert message.startswith(f"with {graph!r} hardly any pair counts in the loss, with a mean weight of")
    share = float(re.search(r"mean weight of (\S+): ", message)[1])
    low, high, median = map(float, re.search(r"pairs are (\S+) to (\S+), median (\S+)\. Fit", message).groups())
    scale = 8**0.5 if graph.metric == "rms" else 1.0
    assert 0 <= share < 0.05
    assert 0 < low < median < high
    assert float(torch.pdist(X).median()) / scale == pytest.approx(median, rel=0.15)
    assert f"{type(graph).__name__}.fit(x_train, kept_share=0.2)" in message
    assert "KNNGraph(share=0.2)" in message


@pytest.mark.parametrize("pairing", ["permutation", "flip", "within_class", "between_class"])
@pytest.mark.parametrize("outside", ["discard", "unmix"])
def test_every_pairing_warns(pairing, outside):
    (message,) = messages(seeded(ThresholdGraph(0.01), pairing=pairing, outside=outside, prob=0.5))
    assert ("hardly any pair is mixed" if outside == "unmix" else "hardly any pair counts in the loss") in message


def test_a_graph_that_was_fitted_in_another_unit_warns():
    images = (X * 40 + 128).clamp(0, 255)
    with pytest.warns(UserWarning, match="data are torch.uint8, so the fitted parameter is in pixel values"):
        graph = ThresholdGraph.fit(images.to(torch.uint8), kept_share=0.2)
    (message,) = messages(seeded(graph), x=images / 255)
    assert "every pair counts in full, so this is classical mixup" in message
    (message,) = messages(seeded(ThresholdGraph.fit(X, kept_share=0.2)), x=images)
    assert "hardly any pair counts" in message


def test_more_neighbours_than_samples_in_a_batch_warn():
    for pairing in ("permutation", "neighbors"):
        (message,) = messages(seeded(KNNGraph(100), pairing=pairing))
        assert "a batch of 64 has fewer samples than KNNGraph(n_neighbors=100" in message
        assert "KNNGraph(share=0.2)" in message


def test_hidden_layers_and_learned_features_warn_too():
    # not ReLU: where all its units are off for several samples, their distance is zero and their pairs count
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
    for mix in (
        ManifoldLocalMixup(model, ["0"], ThresholdGraph(1e-4), generator=generator()),
        LearnedMetric(model, graph=ThresholdGraph(1e-4), generator=generator()),
    ):
        (message,) = messages(mix)
        assert "hardly any pair counts" in message


SENSIBLE = [
    ThresholdGraph.fit(X, kept_share=0.2), ExponentialGraph.fit(X, mean_weight=0.2), KNNGraph(share=0.1), KNNGraph(5),
    ThresholdGraph.fit(X, mixed_share=0.8, batch_size=32), AdaptiveExponentialGraph(mean_weight=0.1),
    # the two ends, which are meant
    CompleteGraph(), IdentityGraph(), ExponentialGraph(0.0), ExponentialGraph(float("inf")), KNNGraph(0),
    ThresholdGraph(0.0), ThresholdGraph(float("inf")), KNNGraph(share=1.0), KNNGraph(31),
]  # fmt: skip


@pytest.mark.parametrize("size", [2, 4, 6, 7, 8, 9])
@pytest.mark.parametrize("options", [
    {}, {"pairing": "flip", "outside": "unmix"}, {"pairing": "roll", "prob": 0.5}, {"pairing": "neighbors"},
    {"pairing": "neighbors", "prob": 0.7},
])  # fmt: skip
def test_small_batches_warn_too(size, options):
    batches = 520 if "prob" in options else 300
    (message,) = messages(seeded(ThresholdGraph(1e-6), **options), batches, size)
    assert message.startswith("with ThresholdGraph(radius=1e-06, metric='euclidean') hardly any ")
    (message,) = messages(seeded(ThresholdGraph(1e6), pairing="flip"), batches=300, size=size)
    assert "every pair counts in full" in message
    (message,) = messages(seeded(KNNGraph(9), **options), size=size)
    assert f"a batch of {size} has fewer samples than KNNGraph(n_neighbors=9" in message


def test_batches_of_several_sizes_are_added_up():
    mix = seeded(ThresholdGraph(0.01))
    found = [message for size in [1, 2, 5, 3, 1, 4] * 60 for message in messages(mix, batches=1, size=size)]
    assert len(found) == 1
    assert "hardly any pair counts" in found[0]
    # the last batch of an epoch alone does not say that there are fewer samples than neighbours
    mix = seeded(KNNGraph(20))
    assert [m for size in [64, 64, 64, 10] * 20 for m in messages(mix, batches=1, size=size)] == []


class Reads(TorchFunctionMode):
    """Counts how often a value is read, for which a GPU must wait."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += func.__name__ in ("tolist", "item", "nonzero", "__bool__", "__float__", "__int__", "__index__")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("pairing", ["flip", "neighbors", "permutation"])
@pytest.mark.parametrize("size", [4, 64])
def test_values_are_read_after_powers_of_two_alone(pairing, size):
    looks = []
    mixes = [seeded(ThresholdGraph.fit(X, kept_share=0.2), pairing=pairing) for _ in range(2)]
    mixes[1]._notice.silence()
    for number in range(1, 200):
        counts = []
        for mix in mixes:
            with Reads() as reads:
                mix.plan(X[number : number + size].double())  # of float32, a CPU reads the largest distance
            counts.append(reads.count)
        if counts[0] > counts[1]:
            looks.append(number)
    assert looks == [1, 2, 4, 8, 16, 32, 64, 128][: 7 if size == 64 else 8]


@pytest.mark.parametrize("size", [8, 64, 500])
def test_drawn_partners_that_are_always_the_sample_itself_warn(size):
    (message,) = messages(seeded(ThresholdGraph(1e-6), pairing="neighbors"), batches=128, size=size)
    assert "hardly any sample is mixed, a share of 0: the distances of the pairs are" in message
    # where a few of many pairs count, most samples are mixed
    few = ThresholdGraph.fit(X, kept_share=0.005)
    assert size < 500 or messages(seeded(few, pairing="neighbors"), batches=16, size=size) == []
    for graph in (ThresholdGraph(0.0), IdentityGraph(), KNNGraph(0), None):
        assert messages(seeded(graph, pairing="neighbors"), batches=128, size=size) == []


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("pairing", ["permutation", "flip", "neighbors", "within_class"])
def test_a_sensible_graph_never_warns_in_small_batches(size, pairing):
    for seed, graph in enumerate([*SENSIBLE[:3], SENSIBLE[4], ThresholdGraph.fit(X, kept_share=0.1)]):
        assert messages(seeded(graph, seed, pairing=pairing), batches=500, size=size, use="plan") == []


@pytest.mark.parametrize(("size", "graph"), [(16, ThresholdGraph.fit(X, kept_share=0.1)), (32, None)])
def test_a_sensible_graph_never_warns(size, graph):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(100):
            g = generator(seed)
            for one in (graph,) if graph else (*SENSIBLE[:5], SENSIBLE[5 + seed % 10]):
                mix = LocalMixup(one, generator=g)
                for _ in range(4 if graph else 1):
                    mix.plan(X[torch.randperm(1000, generator=g)[:size]])


def test_a_few_pairs_are_no_evidence():
    assert messages(seeded(ThresholdGraph(0.01)), batches=20, size=4) == []
    assert messages(seeded(ThresholdGraph(0.01)).eval()) == []


def test_a_graph_that_warned_is_still_used_as_it_is():
    mix = seeded(ThresholdGraph(0.0001))
    with pytest.warns(UserWarning, match="hardly any pair"):
        batch = mix(X[:64], Y[:64])
    loss = batch.loss(torch.nn.CrossEntropyLoss(), torch.zeros(64, 3, requires_grad=True))
    assert batch.weights.sum() <= 2
    loss.backward()


def test_pairs_of_the_whole_set_need_no_warning():
    # with the same radius, no sample is wasted there
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler = PairSampler(X, ThresholdGraph.fit(X, kept_share=0.002), 64, generator())
        first, second = sampler.sample(64)
    assert (first != second).any()
