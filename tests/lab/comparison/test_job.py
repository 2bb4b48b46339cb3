"""What follows from the user's wishes and the data."""

import dataclasses

import pytest
import torch

from localmixup._validate import ArgumentError
from localmixup.lab.comparison.job import Job, further_training, training_of
from localmixup.lab.models import plain_name

JOB = Job("blobs", ("vanilla",))


def test_what_the_user_did_not_say_is_picked_from_the_data(blobs):
    training = training_of(JOB, blobs)
    assert (training.model, training.pairs, training.updates, training.augmentation) == ("mlp", "batch", 1500, "none")
    assert training.reduction == "weighted_mean"  # as LocalMixup reduces
    assert further_training(training, blobs).pairs == "set"


@pytest.mark.parametrize(
    ("train_size", "updates"),
    # of 120 rows a fifth is for testing: 96 rows, 6 batches of 16
    [(None, 12), (40, 4)],
)
def test_epochs_are_passes_over_the_training_part(blobs, train_size, updates):
    job = dataclasses.replace(JOB, epochs=2, batch_size=16, train_size=train_size)
    training = training_of(job, blobs)
    assert training.updates == updates


def test_a_model_and_an_optimiser_of_ones_own(blobs):
    job = dataclasses.replace(JOB, model=lambda shape, outputs: torch.nn.Linear(*shape, outputs), optimizer="sgd")
    training = training_of(job, blobs)
    assert plain_name(training.model) == f"{__name__}:test_a_model_and_an_optimiser_of_ones_own.<locals>.<lambda>"
    assert (training.optimizer, training.updates) == ("sgd", 1500)
    with pytest.raises(ArgumentError, match=r"^--model .* must map a batch of shape \(2, 2\) to shape \(2, 2\)"):
        training_of(dataclasses.replace(JOB, model=lambda shape, outputs: torch.nn.Linear(2, 3)), blobs)
    with pytest.raises(ArgumentError, match=r"^--optimizer must be one of .* did you mean 'adam"):
        training_of(dataclasses.replace(JOB, optimizer="adamm"), blobs)


def test_methods_that_do_not_suit_the_data_are_refused(blobs):
    with pytest.raises(ArgumentError, match="cutmix needs images; blobs is a table"):
        training_of(dataclasses.replace(JOB, methods=("cutmix",)), blobs)
    quantity = dataclasses.replace(blobs, y=blobs.x[:, 0], class_names=())
    with pytest.raises(ArgumentError, match="the target is a quantity"):
        training_of(dataclasses.replace(JOB, methods=("within-class",)), quantity)
