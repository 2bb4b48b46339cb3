"""The estimators for scikit-learn: its own checks and tools, both ends of the graph, weights and seeds."""

import copy
import pickle
import warnings
from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_classification, make_moons, make_regression
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from localmixup import AdaptiveExponentialGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph
from localmixup.integrations._counts import PairCounts
from localmixup.integrations.sklearn import LocalMixupClassifier, LocalMixupRegressor
from localmixup.integrations.sklearn._network import (
    TrainingRows,
    distinct_rows,
    make_network,
    threads_for,
    train_epoch,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = [LocalMixupClassifier, LocalMixupRegressor]


def moons(n=120, seed=0):
    return make_moons(n, noise=0.1, random_state=seed)


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.network_.parameters()])


def same_model(first, second):
    return torch.equal(weights_of(first), weights_of(second))


# ---- scikit-learn's own checks ------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("estimator", BOTH)
def test_check_estimator_without_expected_failures(estimator):
    """Trained briefly: the checks fit some hundred models."""
    results = check_estimator(estimator(max_iter=30, learning_rate_init=0.01), expected_failed_checks={})
    summary = Counter(result["status"] for result in results)
    print(f"{estimator.__name__}: {dict(summary)}")
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert set(summary) <= {"passed", "skipped"}
    assert skipped <= {"check_array_api_input"}  # needs an environment variable
    assert "check_sample_weight_equivalence_on_dense_data" in {result["check_name"] for result in results}


# ---- the ends of the graph ----------------------------------------------------------------------------------------


def trained_by_hand(X, y, mixed, outside, *, epochs, batch_size, seed):
    """What `fit` does, as a plain loop: float32, AdamW, and mixup as it is usually written."""
    X, y, _ = distinct_rows(X, y, np.ones(len(X)))
    x, y = torch.from_numpy(StandardScaler().fit_transform(X)).float(), torch.from_numpy(y)
    seeds = np.random.RandomState(np.random.RandomState(seed).randint(2**31 - 1))
    network = make_network([x.shape[1], 20, 2], torch.Generator().manual_seed(int(seeds.randint(2**31 - 1))))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=1e-4, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(int(seeds.randint(2**31 - 1))))
        draws = torch.Generator().manual_seed(int(seeds.randint(2**31 - 1)))
        for rows in order.tensor_split(-(-len(x) // batch_size)):
            if mixed:
                partner = rows[torch.randperm(len(rows), generator=draws)]
                lam = torch.rand(1, generator=draws).expand(len(rows))
                if outside == "unmix":
                    torch.rand(len(rows), generator=draws)  # decides who stays unmixed: nobody with weights of 1
                    lam = torch.where(rows == partner, 1.0, lam)
                outputs = network(lam[:, None] * x[rows] + (1 - lam[:, None]) * x[partner])
                own = F.cross_entropy(outputs, y[rows], reduction="none")
                other = F.cross_entropy(outputs, y[partner], reduction="none")
                loss = (lam * own + (1 - lam) * other).sum() / len(rows)
            else:
                loss = F.cross_entropy(network(x[rows]), y[rows], reduction="none").sum() / len(rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


@pytest.mark.parametrize(("graph", "mixed"), [("identity", False), ("complete", True)])
@pytest.mark.parametrize("outside", ["unmix", "discard"])
def test_the_ends_are_training_without_mixing_and_classical_mixup(graph, mixed, outside):
    X, y = moons(70)
    model = LocalMixupClassifier(
        20, graph=graph, outside=outside, learning_rate_init=0.01, batch_size=32, max_iter=7, random_state=3
    ).fit(X, y)
    network = trained_by_hand(X, y, mixed, outside, epochs=7, batch_size=32, seed=3)
    # without mixing to the last bit; mixed inputs may be rounded differently
    tolerance = {"rtol": 0, "atol": 1e-5 if mixed else 0}
    torch.testing.assert_close(
        weights_of(model), torch.cat([p.detach().flatten() for p in network.parameters()]), **tolerance
    )


@pytest.mark.parametrize(
    ("parameters", "end"),
    [
        ({"graph": ExponentialGraph(0.0)}, "complete"),
        ({"graph": "exponential", "kept_share": 1.0}, "complete"),
        ({"graph": ThresholdGraph(float("inf"))}, "complete"),
        ({"graph": "threshold", "kept_share": 1.0}, "complete"),
        ({"graph": KNNGraph(1000)}, "complete"),
        ({"graph": "knn", "kept_share": 1.0}, "complete"),
        ({"graph": ExponentialGraph(float("inf"))}, "identity"),
        ({"graph": ThresholdGraph(0.0), "outside": "discard"}, "identity"),
        ({"graph": KNNGraph(0), "outside": "discard"}, "identity"),
        ({"graph": "threshold", "prob": 0.0}, "identity"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:a batch of 60 has fewer samples")
@pytest.mark.parametrize("estimator", BOTH)
def test_every_graph_meets_both_ends(estimator, parameters, end):
    X, y = moons(60)
    model = estimator(8, max_iter=4, random_state=0, **parameters).fit(X, y)
    limit = estimator(8, max_iter=4, random_state=0, graph=end).fit(X, y)
    torch.testing.assert_close(weights_of(model), weights_of(limit), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("estimator", BOTH)
def test_kept_share_is_a_share_of_the_standardised_pairs(estimator):
    X, y = make_classification(80, 6, random_state=0)
    X = X * 10.0 ** np.arange(6)
    x = torch.from_numpy(StandardScaler().fit_transform(X)).float()
    pairs = torch.nn.functional.pdist(x)

    def graph_of(**parameters):
        return estimator(4, max_iter=1, **parameters).fit(X, y).graph_

    assert (pairs <= graph_of(graph="threshold", kept_share=0.2).radius * (1 + 1e-6)).float().mean() == pytest.approx(
        0.2, abs=1e-3
    )
    decay = graph_of(graph="exponential", kept_share=0.2).decay
    assert torch.exp(-decay * pairs).mean() == pytest.approx(0.2, abs=1e-4)
    assert graph_of(graph="knn", kept_share=0.2) == KNNGraph(share=0.2)
    assert graph_of(graph=ExponentialGraph(0.2), kept_share=None) == ExponentialGraph(0.2)


def test_a_radius_far_too_small_warns_once():
    X, y = moons()
    for calls in (1, 20):
        model = LocalMixupClassifier(4, graph=ThresholdGraph(1e-6), max_iter=20)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(calls):
                model.fit(X, y) if calls == 1 else model.partial_fit(X, y, classes=[0, 1])
        assert sum("hardly any pair" in str(warning.message) for warning in caught) == 1


def test_settings_reach_local_mixup():
    given = {
        "mixup_alpha": 0.3, "prob": 0.5, "per_sample": True, "pairing": "flip", "outside": "discard",
    }  # fmt: skip
    X, y = moons(40)
    mix = LocalMixupClassifier(4, max_iter=1, **given).fit(X, y)._mix
    assert isinstance(mix, LocalMixup)
    assert {name: getattr(mix, name) for name in given} == given


@pytest.mark.parametrize("pairing", ["within_class", "between_class", "neighbors"])
def test_every_pairing_trains(pairing):
    X, y = moons(60)
    weights = np.arange(60) % 4
    assert LocalMixupClassifier(4, max_iter=2, pairing=pairing).fit(X, y, weights).loss_ > 0


# ---- learning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", ["exponential", "threshold", "knn", "complete", "identity"])
def test_it_learns(graph):
    X, y = load_iris(return_X_y=True)
    model = LocalMixupClassifier(graph=graph, kept_share=0.2, learning_rate_init=0.01, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9
    X, y = load_diabetes(return_X_y=True)
    model = LocalMixupRegressor(graph=graph, kept_share=0.2, learning_rate_init=0.01, max_iter=30, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.4


def test_string_classes_and_probabilities():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = LocalMixupClassifier(learning_rate_init=0.01, random_state=0).fit(X, names)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert (model.predict(X) == names).mean() > 0.94
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(X)).all()
    by_number = clone(model).fit(X, y)
    assert same_model(model, by_number)


def test_several_targets_each_in_its_own_unit():
    X, y = make_regression(150, 4, n_informative=4, n_targets=2, random_state=0)
    y = y * [1.0, 1e6] + [0.0, 1e9]
    model = LocalMixupRegressor(
        graph="exponential", learning_rate_init=0.01, max_iter=100, kept_share=0.2, random_state=0
    ).fit(X, y)
    assert model.predict(X).shape == (150, 2)
    assert model.score(X, y) > 0.9
    assert model.fit(X, y[:, :1]).predict(X).shape == (150, 1)
    assert model.fit(X, y[:, 0]).predict(X).shape == (150,)


@pytest.mark.parametrize("estimator", BOTH)
def test_units_of_the_inputs_do_not_matter(estimator):
    X, y = moons()
    model = estimator(random_state=0, max_iter=5)
    predicted = model.fit(X, y).predict(X)
    again = model.fit(X * [1024.0, 2.0**-20], y).predict(X * [1024.0, 2.0**-20])
    np.testing.assert_allclose(predicted, again, rtol=1e-3, atol=1e-3)


# ---- sample weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize("outside", ["unmix", "discard"])
@pytest.mark.parametrize("graph", ["exponential", "knn", "identity"])
def test_a_weight_equals_a_repetition_and_zero_equals_absence(estimator, graph, outside):
    X, y = moons(50)
    weights = np.random.RandomState(0).randint(0, 4, size=50)
    model = estimator(8, graph=graph, outside=outside, max_iter=5, batch_size=16, random_state=0)
    weighted = clone(model).fit(X, y, weights)
    assert same_model(weighted, clone(model).fit(X.repeat(weights, axis=0), y.repeat(weights)))
    torch.testing.assert_close(weights_of(weighted), weights_of(clone(model).fit(X, y, weights / 7)))
    assert not same_model(weighted, clone(model).fit(X[weights > 0], y[weights > 0]))


def test_the_order_of_the_rows_does_not_matter():
    X, y = moons(50)
    model = LocalMixupClassifier(8, max_iter=5, random_state=0)
    order = np.random.RandomState(1).permutation(50)
    assert same_model(model.fit(X, y), clone(model).fit(X[order], y[order]))


def test_a_mixed_sample_counts_each_label_with_the_weight_of_its_row():
    """One step of plain SGD, compared with eq. (3) written as a loop."""
    x, y = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 2
    s = torch.tensor([0.5, 2.0, 0.1, 1.0, 1.4, 1.0])
    network = make_network([3, 2], torch.Generator().manual_seed(0))
    slow = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    mix = LocalMixup(ExponentialGraph(0.4), per_sample=True, generator=torch.Generator().manual_seed(5))
    train_epoch(
        network, optimizer, TrainingRows(x, y, s), mix, lambda o, t: F.cross_entropy(o, t, reduction="none"),
        batch_size=6, generator=torch.Generator().manual_seed(1), counts=PairCounts(),
    )  # fmt: skip
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    x, y, s = x[order], y[order], s[order]
    mix.generator.manual_seed(5)
    plan = mix.plan(x)
    total = 0.0
    for i, j in enumerate(plan.partner.tolist()):
        lam = plan.lam[i]
        output = slow((lam * x[i] + (1 - lam) * x[j])[None])
        own, other = (F.cross_entropy(output, y[k][None]) for k in (i, j))
        total += torch.exp(-0.4 * (x[i] - x[j]).norm()) * (lam * s[i] * own + (1 - lam) * s[j] * other)
    (total / plan.weights.sum()).backward()
    for fast, by_hand in zip(network.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(fast.detach(), by_hand.detach() - 0.1 * by_hand.grad)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(40), "above zero for at least one row"),
        (-np.ones(40), "sample_weight must be >= 0 .*got -1"),
        (np.ones(39), r"shape \(40,\), got shape \(39,\)"),
        (np.full(40, np.nan), "sample_weight contains NaN"),
    ],
)
def test_invalid_sample_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        LocalMixupClassifier().fit(*moons(40), sample_weight=weights)


# ---- seeds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_seed_gives_one_model_and_no_global_state_changes(estimator, early_stopping):
    X, y = moons()
    model = estimator(8, max_iter=3, early_stopping=early_stopping, random_state=0)
    numpy_state = check_random_state(None).get_state()[1].copy()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = clone(model).fit(X, y)
    torch.rand(3)
    second = clone(model).fit(X, y)
    assert same_model(first, second)
    assert not same_model(first, clone(model).set_params(random_state=1).fit(X, y))
    torch.set_rng_state(state)
    clone(model).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), state)
    assert (check_random_state(None).get_state()[1] == numpy_state).all()
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("batch_size", "inside"), [(64, 1), (2**22, 2)])
def test_small_steps_use_one_thread_and_restore_the_number_of_threads(batch_size, inside):
    before, network = torch.get_num_threads(), make_network([2, 4, 2], torch.Generator())
    seen = []

    def interrupted():
        with threads_for(network, batch_size):
            seen.append(torch.get_num_threads())
            raise KeyboardInterrupt

    try:
        torch.set_num_threads(2)
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert (seen, torch.get_num_threads()) == ([inside], 2)
    finally:
        torch.set_num_threads(before)


def test_a_random_state_object_advances_and_none_follows_numpy():
    X, y = moons(40)
    model = LocalMixupClassifier(4, max_iter=1, random_state=np.random.RandomState(0))
    assert not same_model(copy.deepcopy(model.fit(X, y)), model.fit(X, y))
    models = []
    for _ in range(2):
        check_random_state(None).seed(7)
        models.append(LocalMixupClassifier(4, max_iter=1).fit(X, y))
    assert same_model(*models)


# ---- the tools of scikit-learn ------------------------------------------------------------------------------------


def test_grid_search_over_graphs_and_shares():
    X, y = moons(100)
    grid = [
        {"graph": ["identity", "complete"]},
        {"graph": ["exponential", "threshold", "knn"], "kept_share": [0.1, 0.5]},
        {"graph": [ThresholdGraph(0.5), KNNGraph(3)], "mixup_alpha": [0.2, 2.0]},
    ]
    search = GridSearchCV(
        LocalMixupClassifier(8, max_iter=10, learning_rate_init=0.1, random_state=0), grid, cv=2, error_score="raise"
    )
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 12
    assert search.best_estimator_.predict(X).shape == (100,)
    assert search.score(X, y) > 0.7


def test_cross_validation_with_weights_and_jobs():
    X, y = moons(60)
    scores = cross_val_score(
        LocalMixupClassifier(8, max_iter=20, learning_rate_init=0.01, random_state=0), X, y, cv=2, n_jobs=1,
        params={"sample_weight": np.ones(60)},
    )  # fmt: skip
    assert scores.shape == (2,)
    assert scores.min() > 0.6


@pytest.mark.parametrize("estimator", BOTH)
def test_pipelines(estimator):
    X, y = moons()
    pipeline = make_pipeline(MinMaxScaler(), estimator(8, max_iter=60, learning_rate_init=0.02, random_state=0))
    pipeline.fit(X, y, **{f"{estimator.__name__.lower()}__sample_weight": np.ones(len(X))})
    assert pipeline.score(X, y) > 0.4
    assert pipeline.set_params(**{f"{estimator.__name__.lower()}__graph": "knn"}).fit(X, y).score(X, y) > 0.4


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize("how", ["pickle", "joblib", "deepcopy"])
def test_copies_predict_alike_and_train_on_alike(estimator, how, tmp_path):
    X, y = moons()
    model = estimator(8, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    if how == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    elif how == "joblib":
        joblib.dump(model, tmp_path / "model")
        twin = joblib.load(tmp_path / "model")
    else:
        twin = copy.deepcopy(model)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert same_model(twin.fit(X, y), model.fit(X, y))
    assert not hasattr(clone(model), "network_")
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("estimator", BOTH)
def test_data_frames_keep_their_names(estimator):
    X, y = moons()
    frame = pd.DataFrame(X, columns=["width", "height"])
    model = estimator(8, max_iter=3, random_state=0).fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == ["width", "height"]
    np.testing.assert_array_equal(model.predict(frame), clone(model).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"width": "depth"}))
    with pytest.raises(ValueError, match="same order"):
        model.partial_fit(frame[["height", "width"]], y)


# ---- training in parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize("graph", ["exponential", "identity"])
def test_a_warm_start_continues_as_if_it_had_not_stopped(estimator, graph):
    X, y = moons()
    whole = estimator(8, graph=graph, max_iter=6, random_state=0).fit(X, y)
    halves = estimator(8, graph=graph, max_iter=3, warm_start=True, random_state=0).fit(X, y).fit(X, y)
    assert same_model(whole, halves)
    assert halves.loss_curve_ == whole.loss_curve_
    assert (whole.n_iter_, halves.n_iter_) == (6, 3)
    assert not same_model(whole, halves.set_params(warm_start=False).fit(X, y))


@pytest.mark.parametrize("estimator", BOTH)
def test_partial_fits_are_epochs_of_a_fit(estimator):
    X, y = moons()
    whole = estimator(8, max_iter=4, random_state=0).fit(X, y)
    parts = estimator(8, random_state=0)
    for _ in range(4):
        parts.partial_fit(X, y, **({"classes": [0, 1]} if estimator is LocalMixupClassifier else {}))
    assert same_model(whole, parts)
    assert len(parts.loss_curve_) == 4


def test_partial_fit_learns_from_chunks_that_lack_a_class():
    X, y = load_iris(return_X_y=True)
    order = np.random.RandomState(0).permutation(150)
    model = LocalMixupClassifier(learning_rate_init=0.01, random_state=0)
    for _ in range(15):
        for rows in np.array_split(order, 10):
            model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.score(X, y) > 0.9
    model.partial_fit(X[:20], y[:20], sample_weight=np.arange(20))
    with pytest.raises(ValueError, match=r"y must hold only the classes .*, got also \[3\]"):
        model.partial_fit(X[:20], y[:20] + 3)
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="classes must hold all labels in the first call"):
        LocalMixupClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="y must hold 1 values per row as before, got 2"):
        LocalMixupRegressor(4).partial_fit(X, y).partial_fit(X, X[:, :2])


@pytest.mark.parametrize("estimator", BOTH)
def test_early_stopping_stops_and_keeps_the_best_weights(estimator):
    X, y = make_classification(300, 10, flip_y=0.3, random_state=0)
    model = estimator(early_stopping=True, learning_rate_init=0.02, n_iter_no_change=4, random_state=0).fit(X, y)
    scores = model.validation_scores_
    assert len(scores) == model.n_iter_ < 200
    assert model.best_validation_score_ == max(scores)
    best = scores.index(max(scores)) + 1
    assert best < model.n_iter_
    # the same number of epochs without stopping; the split uses the first draw, so this holds out rows as well
    again = clone(model).set_params(max_iter=best).fit(X, y)
    assert same_model(model, again)
    assert len(LocalMixupClassifier(4, max_iter=2).fit(X, y).validation_scores_) == 0


def test_it_stops_with_the_loss_or_warns():
    X, y = moons()
    model = LocalMixupClassifier(8, tol=0.05, n_iter_no_change=3, learning_rate_init=0.05, random_state=0)
    assert model.fit(X, y).n_iter_ < 200
    for epoch in (-1, -2, -3):
        assert model.loss_curve_[epoch] > min(model.loss_curve_[:epoch]) - 0.05
    with pytest.warns(ConvergenceWarning, match="the loss still improved after max_iter=2 epochs"):
        model.set_params(max_iter=2).fit(X, y)


def test_verbose_prints_one_line_per_epoch(capsys):
    X, y = moons(60)
    LocalMixupClassifier(4, max_iter=2, verbose=True, early_stopping=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Iteration 1, loss = ")
    assert "validation score" in lines[1]


# ---- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"graph": "treshold"}, "graph must be one of 'exponential'.*did you mean 'threshold'"),
        ({"graph": 3}, "graph must be a graph such as"),
        ({"graph": "exponential", "kept_share": 0}, "kept_share must be > 0"),
        ({"graph": "exponential", "kept_share": 2}, "kept_share must be between 0 and 1, got 2"),
        ({"graph": "adaptive"}, "graph must be one of 'exponential', 'threshold', 'knn', 'complete', 'identity'"),
        ({"kept_share": 0.5}, "kept_share must be left out unless graph is the name of one that is fitted"),
        ({"mixup_alpha": 0}, "mixup_alpha must be > 0"),
        ({"prob": 2}, "prob must be between 0 and 1"),
        ({"pairing": "x"}, "pairing must be one of"),
        ({"outside": "x"}, "outside must be one of"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes must be a whole number >= 1, got 0"),
        ({"hidden_layer_sizes": "3"}, "hidden_layer_sizes must be a whole number or a sequence"),
        ({"learning_rate_init": 0}, "learning_rate_init must be > 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be >= 0"),
        ({"batch_size": "all"}, "batch_size must be one of 'auto', got 'all'"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"max_iter": 0}, "max_iter must be a whole number >= 1, got 0"),
        ({"tol": -1}, "tol must be >= 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be a whole number >= 1"),
        ({"validation_fraction": 1}, "validation_fraction must be between 0 and 1, both excluded, got 1"),
        ({"validation_fraction": 0.01, "early_stopping": True}, "validation_fraction must hold out 2 distinct rows"),
        ({"learning_rate_init": 1e30, "max_iter": 50}, r"learning_rate_init must be smaller: .*, got 1e\+30"),
    ],
    ids=str,
)
def test_errors_name_the_parameter_the_value_and_what_is_allowed(parameters, message):
    X, y = moons(60)
    with pytest.raises(ValueError, match=message):
        LocalMixupRegressor(**parameters).fit(X, y)


def test_errors_of_data():
    X, y = moons(60)
    with pytest.raises(ValueError, match="at least two classes, got one class"):
        LocalMixupClassifier().fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="continuous"):
        LocalMixupClassifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="pairing must be one of 'permutation', 'flip', 'roll', 'neighbors'"):
        LocalMixupRegressor(pairing="within_class").fit(X, y)
    with pytest.raises(ValueError, match="early_stopping must be False for partial_fit"):
        LocalMixupRegressor(early_stopping=True).partial_fit(X, y)
    with pytest.raises(NotFittedError):
        LocalMixupClassifier().predict_proba(X)


@pytest.mark.parametrize("estimator", BOTH)
def test_odd_data(estimator):
    y = np.array([0, 1, 0, 1, 1])
    extreme = np.array([[1e150], [-1e150], [1e-150], [3.0], [0.0]])
    assert np.isfinite(estimator(4, max_iter=2).fit(extreme, y).loss_)
    assert np.isfinite(estimator(4, max_iter=2, graph="threshold").fit(np.ones((5, 2)), y).loss_)
    assert np.isfinite(estimator((), max_iter=2, batch_size=1).fit(extreme, y).loss_)
    if estimator is LocalMixupRegressor:
        np.testing.assert_allclose(estimator(4).fit([[1.0]], [5.0]).predict([[1.0]]), 5.0, atol=1.0)
        np.testing.assert_allclose(estimator(4).fit(np.eye(5), np.full(5, 1e6)).predict(np.eye(5)), 1e6, rtol=1e-5)


def test_a_graph_that_follows_the_data_stays_as_it_was_given():
    X, y = make_moons(60, noise=0.1, random_state=0)
    graph = AdaptiveExponentialGraph()
    first, second = (
        LocalMixupClassifier(graph=graph, max_iter=3, random_state=0).fit(X, y).predict_proba(X) for _ in range(2)
    )
    assert np.isnan(float(graph.scale))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("options", [{}, {"prob": 0.0}, {"graph": "threshold"}, {"graph": "knn", "outside": "discard"}])
def test_an_estimator_knows_how_many_pairs_counted(options, monkeypatch):
    """Compared with the plans of all batches of the fit, one sample at a time."""
    weights, mixed, draw = [], [], LocalMixup._draw

    def recorded(self, *args, **keywords):
        drawn = draw(self, *args, **keywords)
        for i, (j, w) in enumerate(zip(drawn.plan.partner.tolist(), drawn.plan.weights.tolist(), strict=True)):
            weights.append(w)
            mixed.append(w * (i != j))
        return drawn

    monkeypatch.setattr(LocalMixup, "_draw", recorded)
    X, y = make_moons(120, noise=0.1, random_state=0)
    for _ in range(2):
        weights.clear(), mixed.clear()
        brief = {"batch_size": 40, "max_iter": 3, "tol": 1.0, "n_iter_no_change": 2, "random_state": 0}
        model = LocalMixupClassifier(8, **brief, **options).fit(X, y)
        assert len(weights) == 120 * model.n_iter_
        assert model.mean_weight_ == pytest.approx(sum(weights) / len(weights), abs=1e-6)
        assert model.mixed_share_ == pytest.approx(sum(mixed) / sum(weights), abs=1e-6)
