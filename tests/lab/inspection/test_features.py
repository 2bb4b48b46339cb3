"""The spaces in which distances are measured."""

import warnings

import numpy as np
import pytest
import torch

from localmixup.lab.inspection.features import choose_features, read_features

INPUTS = torch.randn(300, 3, 2, generator=torch.Generator().manual_seed(0))


def choose(given=None, features_file=None, encoder=None, pca=None):
    events = choose_features(INPUTS, given, features_file, encoder, pca, 0)
    steps = []
    while True:
        try:
            steps.append(next(events))
        except StopIteration as end:
            return steps, *end.value


def save_script(path, model, example):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(model, example), path)


def test_inputs_are_flattened_by_default():
    steps, features, space = choose()
    assert torch.equal(features, INPUTS.flatten(1))
    assert (steps, space) == ([], "the standardised inputs")


def test_principal_components_are_those_of_the_covariance():
    _, features, space = choose(pca=2)
    flat = INPUTS.flatten(1).double()
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    expected = (flat - flat.mean(dim=0)) @ vectors[:, -2:].flip(1)
    torch.testing.assert_close(features.double().abs(), expected.abs(), rtol=1e-4, atol=1e-4)
    share = float(values[-2:].sum() / values.sum())
    assert space == f"2 principal components, {100 * share:.1f} % of the variance"


@pytest.mark.parametrize("name", ["encoder.pt", "encoder.pt2"])
def test_an_encoder_maps_all_batches(tmp_path, name):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2)).eval()
    if name == "encoder.pt":
        save_script(tmp_path / name, model, INPUTS[:4])
    else:
        rows = torch.export.Dim("n", min=2, max=4096)
        torch.export.save(torch.export.export(model, (INPUTS[:4],), dynamic_shapes=({0: rows},)), tmp_path / name)
    steps, features, _ = choose(encoder=tmp_path / name)
    torch.testing.assert_close(features, model(INPUTS).detach())
    assert [step.done for step in steps] == [0, 256, 300]


def test_files_keep_their_digits(tmp_path):
    for dtype, kept in ((np.float64, torch.float64), (np.int64, torch.float64), (np.float32, torch.float32)):
        np.save(tmp_path / "rows.npy", np.arange(12, dtype=dtype).reshape(3, 2, 2))
        features = read_features(tmp_path / "rows.npy", 3)
        assert features.dtype == kept
        assert features.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--features must be a readable .npy file"),
        (np.zeros((3, 2)), "must have one row per sample, got 3 rows for 300"),
        (np.zeros(300), r"must be one array of numbers of shape \(rows, values\)"),
        (np.full((300, 2), "a"), "must be one array of numbers"),
        (np.where(np.arange(600).reshape(300, 2) == 1, np.nan, 0), r"must be finite, got nan at position \(0, 1\)"),
    ],
    ids=["missing", "short", "flat", "text", "nan"],
)
def test_wrong_files_are_named(tmp_path, content, message):
    if content is not None:
        np.save(tmp_path / "rows.npy", content)
    with pytest.raises(ValueError, match=message):
        read_features(tmp_path / "rows.npy", 300)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.pt", "--encoder must be a file"),
        ("text.pt", "must be a TorchScript or exported program"),
        ("text.pt2", "must be a TorchScript or exported program"),
        ("narrow.pt", r"--encoder must accept inputs of shape \(256, 3, 2\)"),
        ("short.pt", "must return one finite row per sample"),
    ],
)
def test_wrong_encoders_are_named(tmp_path, name, message):
    if name.startswith("text"):
        (tmp_path / name).write_text("not a model")
    if name == "narrow.pt":
        save_script(tmp_path / name, torch.nn.Linear(5, 2), torch.zeros(1, 5))
    if name == "short.pt":
        save_script(tmp_path / name, torch.nn.Flatten(0, 1), INPUTS[:4])
    with pytest.raises(ValueError, match=message):
        choose(encoder=tmp_path / name)


def test_only_one_space_can_be_chosen(tmp_path):
    with pytest.raises(ValueError, match="--features and --pca exclude each other"):
        choose(given=torch.zeros(300, 1), pca=2)
