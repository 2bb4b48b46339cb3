import numpy as np
import pytest
import torch

from localmixup import ArgumentError, LocalMixup, recommend
from localmixup.geometry.recommendation import ladder
from localmixup.lab.data.generators import spirals

RNG = np.random.default_rng(0)


def width(mix):
    """How far down the ladder a recipe stands."""
    configs = [step.to_config() for _, step in ladder()]
    return configs.index(mix.to_config())


def test_straight_classes_get_the_recommended_recipe():
    y = np.arange(400) % 3
    mix = recommend(RNG.normal(size=(400, 4)) + 6 * np.eye(4)[y], y)
    assert mix.to_config() == LocalMixup().to_config()
    assert len(mix.reasons) == 2
    assert all(reason.endswith(".") for reason in mix.reasons)


def test_where_the_data_bend_it_is_narrower():
    x, y = spirals(per_class=400)
    mix = recommend(x, y)
    assert width(mix) > 0
    assert "train without mixing unless" in mix.reasons[-1]


def test_narrow_classes_are_hardly_mixed():
    # eight stripes of alternating classes: in a batch of 4 hardly a partner lies in the same stripe
    x = RNG.uniform(0, 8, size=(2000, 1))
    mix = recommend(x, x[:, 0].astype(int) % 2, batch_size=4)
    assert width(mix) == 3
    assert mix.reasons[-1].startswith("Do not expect a gain: train without mixing")


def test_values_are_compared_with_those_of_neighbours():
    x = RNG.uniform(-1, 1, size=(500, 2))
    noise = RNG.normal(scale=0.1, size=500)
    assert recommend(x, x[:, 0] + noise).to_config() == LocalMixup().to_config()
    assert width(recommend(x, np.sin(20 * x[:, 0]) + noise)) > 0
    labels = torch.from_numpy((x[:, 0] > 0).astype(float))
    assert recommend(torch.from_numpy(x), labels, task="classification").reasons[0].startswith("Of 500 samples")


def test_bad_input_is_named():
    with pytest.raises(ArgumentError, match=r"y must hold one target per sample, shape \(20,\), got \(19,\)"):
        recommend(np.zeros((20, 2)), np.zeros(19))
    with pytest.raises(ArgumentError, match="task must be one of"):
        recommend(np.zeros((20, 2)), np.zeros(20), task="ranking")
    with pytest.raises(ArgumentError, match="at least 2 classes"):
        recommend(np.zeros((20, 2)), np.zeros(20, dtype=int))
