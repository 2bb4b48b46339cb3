"""What follows from the user's wishes and the data."""

import dataclasses

import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.compare.job import Job, training_of

JOB = Job("blobs", ("vanilla",))


def test_what_the_user_did_not_say_is_picked_from_the_data(blobs):
    training = training_of(JOB, blobs)
    assert (training.model, training.pairs, training.updates, training.augmentation) == ("mlp", "set", 1500, "none")


@pytest.mark.parametrize(
    ("train_size", "updates"),
    # of 120 rows a fifth is for testing, and of the rest a fifth for validation: 77 rows, 5 batches of 16
    [(None, 10), (40, 4)],
)
def test_epochs_are_passes_over_the_training_part(blobs, train_size, updates):
    job = dataclasses.replace(JOB, epochs=2, batch_size=16, train_size=train_size)
    training = training_of(job, blobs)
    assert training.updates == updates


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "vit"}, "--model must be one of .* got 'vit'"),
        ({"model": "lenet5"}, "--model: "),
        ({"augmentation": "crop-flip"}, "--augment crop-flip needs images, blobs is a table"),
        ({"augmentation": "spin"}, "--augment must be one of"),
        ({"precision": "fp16"}, "--precision fp16 needs a GPU"),
        ({"methods": ("cutmix",)}, "cutmix needs images; blobs is a table"),
    ],
)
def test_what_does_not_fit_is_named_by_its_option(blobs, changes, message):
    with pytest.raises(ArgumentError, match=message):
        training_of(dataclasses.replace(JOB, **changes), blobs)


def test_class_methods_need_classes(blobs):
    quantity = dataclasses.replace(blobs, y=blobs.x[:, 0], class_names=())
    with pytest.raises(ArgumentError, match="the target is a quantity"):
        training_of(dataclasses.replace(JOB, methods=("within-class",)), quantity)
