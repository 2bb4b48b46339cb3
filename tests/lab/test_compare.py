"""The comparison: the grid, the choice, the controls, the sentence at the end."""

import math
import re

import pytest

from localmixup import ExponentialGraph, KNNGraph, ThresholdGraph
from localmixup._validate import ArgumentError
from localmixup.lab.analysis.comparison import Row
from localmixup.lab.analysis.decisions import verdict_of
from localmixup.lab.analysis.statistics import Difference, Mean, holm, mean_of, paired
from localmixup.lab.compare import candidates, compare
from localmixup.lab.methods.parameters import check_parameter, graph_of
from localmixup.lab.runs.engine import run_all
from localmixup.lab.runs.spec import DataSpec, MethodSpec, TrainingSpec
from localmixup.lab.runs.store import Store

TRAINING = TrainingSpec(model="mlp", updates=30, batch_size=16, learning_rate=0.01)
DATA = DataSpec(name="blobs", fingerprint="x")
METHODS = ("vanilla", "mixup", "local-threshold", "local-exponential", "local-knn", "between-class")


@pytest.fixture(scope="module", params=["set", "batch"])
def found(request, prepared, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store") / "runs.sqlite")
    training = TRAINING.model_copy(update={"pairs": request.param})
    runs = []

    def run(specs):
        runs.append([spec.key for spec in specs])
        return run_all(specs, prepared, store, jobs=1)

    shares = (0.3, 0.5) if request.param == "batch" else None
    comparison = compare(DATA, prepared, training, METHODS, range(3), run, kept_shares=shares)
    yield comparison, runs
    store.close()


@pytest.mark.parametrize("method", ["local-threshold", "local-exponential", "local-knn"])
@pytest.mark.parametrize("pairs", ["set", "batch"])
def test_the_grid_holds_both_ends_and_is_in_units_of_the_data(method, pairs, prepared):
    training = TRAINING.model_copy(update={"pairs": pairs})
    shares = (0.01, 0.2) if pairs == "set" else (0.3, 0.5)
    grid = candidates(method, prepared, training, fixed={}, kept_shares=shares)
    assert MethodSpec(method="vanilla") in grid
    assert MethodSpec(method="mixup") in grid
    own = [spec for spec in grid if spec.method == method]
    assert {spec.kept_share for spec in own} == set(shares)
    assert {spec.mixed_share for spec in own} == ({0.5, 1.0} if pairs == "set" else {None})
    for spec in own:
        graph = graph_of(spec)
        assert isinstance(graph, (ThresholdGraph, ExponentialGraph, KNNGraph))
        if not isinstance(graph, KNNGraph):
            w = graph.matrix(prepared.x)
            kept = float((w.sum() - len(w)) / (len(w) * (len(w) - 1)))
            assert kept == pytest.approx(spec.kept_share, abs=0.01)


def test_a_parameter_that_the_user_sets_is_not_chosen(prepared):
    grid = candidates("local-threshold", prepared, TRAINING, fixed={"local-threshold": 0.5}, kept_shares=(0.1,))
    assert {spec.parameter for spec in grid} == {0.5}
    assert {spec.method for spec in grid} == {"local-threshold"}


def test_every_local_method_stands_beside_its_controls(found):
    comparison, _ = found
    labels = [row.label for row in comparison.rows]
    for row in comparison.rows:
        if row.spec.method.startswith("local"):
            share, scaled = (other for other in comparison.rows if other.control_of == row.label)
            assert {share.label, scaled.label, "vanilla", "mixup"} == set(row.differences)
            assert labels.index(share.label) == labels.index(row.label) + 1
            assert share.mixed_share == pytest.approx(row.mixed_share, abs=0.06)
            assert scaled.spec.loss_scale == pytest.approx(row.mean_weight, abs=1e-3)
            if comparison.training.pairs == "set":
                assert scaled.spec.loss_scale == 1
            else:
                assert scaled.spec.loss_scale < 0.7


def test_the_choice_is_the_least_validation_error(found):
    comparison, _ = found
    for row in comparison.rows:
        if row.control_of is None and row.method in comparison.grid:
            mean = sum(row.validation_errors) / 3
            errors = comparison.grid_errors[row.method]
            if not row.label.endswith("its best graph"):
                assert mean == pytest.approx(min(errors))
            else:
                own = [e for s, e in zip(comparison.grid[row.method], errors, strict=True) if s.method == row.method]
                assert mean == pytest.approx(min(own))


def test_the_numbers_of_the_table_are_those_of_the_runs(found):
    comparison, _ = found
    by_label = {row.label: row for row in comparison.rows}
    tests = {}
    for row in comparison.rows:
        assert len(row.errors) == 3
        assert row.error == pytest.approx(mean_of(row.errors), nan_ok=True)
        for label, difference in row.differences.items():
            assert difference == pytest.approx(paired(row.errors, by_label[label].errors), nan_ok=True)
            if row.spec != by_label[label].spec:
                tests[frozenset((row.spec, by_label[label].spec))] = difference.p
    assert frozenset((by_label["mixup"].spec, by_label["vanilla"].spec)) in tests
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    for row in comparison.rows:
        for label, p in row.p_holm.items():
            assert p == pytest.approx(corrected.get(frozenset((row.spec, by_label[label].spec)), 1.0), nan_ok=True)


def test_no_run_is_asked_for_twice(found):
    _, runs = found
    everything = [key for stage in runs for key in stage]
    assert len(everything) == len(set(everything))


def test_the_json_comes_back(found):
    comparison, _ = found
    assert type(comparison).model_validate_json(comparison.model_dump_json()).verdict == comparison.verdict


def row(label, errors, *, spec=None, method=None, control_of=None, others=()):
    spec = spec or MethodSpec(method="mixup")
    differences = {other.label: paired(errors, other.errors) for other in others}
    return Row(
        label=label, method=method or spec.method, spec=spec, control_of=control_of, chosen="so local",
        errors=errors, validation_errors=errors, error=mean_of(errors), differences=differences,
        p_holm={name: d.p for name, d in differences.items()}, train_seconds=1, mixed_share=1,
        effective_sample_size=1, mean_weight=1, keys=[],
    )  # fmt: skip


def verdict(local, vanilla=10.0, mixup=10.0, share=10.0, chosen=None):
    def noisy(mean, shift):
        return [mean + 0.1 * ((k * shift) % 5 - 2) for k in range(5)]

    rows = [row("vanilla", noisy(vanilla, 1), spec=MethodSpec(method="vanilla"))]
    rows.append(row("mixup", noisy(mixup, 2), others=rows[:1]))
    label = "local mixup, threshold"
    if chosen is not None:
        rows.append(row(label, noisy(vanilla, 1), spec=chosen, method="local-threshold", others=rows[:2]))
        label += ", its best graph"
    controls = [
        row(f"{label}: mixup at the same mixed share", noisy(share, 3), control_of=label),
        row(f"{label}: mixup with the loss x 1", noisy(mixup, 2), control_of=label),
    ]
    spec = MethodSpec(method="local-threshold", parameter=1.0, kept_share=0.05, mixed_share=0.5)
    rows += [row(label, noisy(local, 4), spec=spec, others=[*rows[:2], *controls]), *controls]
    return verdict_of(rows, "toys", "%")[0]


@pytest.mark.parametrize(
    ("errors", "parts"),
    [
        ({"local": 5.0}, ["On toys, locality helps mixup", "5.00 % against 10.00 %", "better than vanilla training"]),
        ({"local": 15.0}, ["locality harms mixup", "worse than vanilla training"]),
        ({"local": 10.02}, ["no effect of locality is shown", "not distinguishable from vanilla"]),
        # better than plain mixup, but no better than mixup of as few samples: that is not locality
        ({"local": 5.0, "share": 5.0}, ["no effect of locality is shown", "for mixup at the same mixed share"]),
        ({"local": 5.0, "share": 7.0, "mixup": 20.0}, ["locality helps mixup", "against 7.00 %", "mixup harms"]),
        ({"local": 10.0, "mixup": 5.0, "share": 5.0}, ["locality harms", "against vanilla training mixup helps"]),
        (
            {"local": 5.0, "share": 9.0, "mixup": 20.0, "vanilla": 5.0, "chosen": MethodSpec(method="vanilla")},
            ["locality helps mixup", "its best graph", "the validation split preferred vanilla training"],
        ),
    ],
)
def test_the_verdict_says_what_was_found(errors, parts):
    sentence = verdict(**errors)
    for part in parts:
        assert part in sentence
    assert sentence.count(".") - len(re.findall(r"\d\.\d", sentence)) == 1, "one sentence"


def test_one_seed_gives_no_verdict():
    sentence, _ = verdict_of([row("only", [1.0], spec=MethodSpec(method="local-knn"))], "toys", "%")
    assert "one seed allows no interval and no test" in sentence


@pytest.mark.parametrize(
    ("method", "value", "message"),
    [
        ("local-exponential", -1.0, "decay must be >= 0"),
        ("local-exponential", math.nan, "decay must be >= 0 .* got nan"),
        ("local-threshold", "wide", "radius must be >= 0 .* got 'wide'"),
        ("local-knn", 2.5, "n_neighbors must be a whole number"),
    ],
)
def test_wrong_parameters_are_named(method, value, message):
    with pytest.raises(ValueError, match=message):
        check_parameter(method, value)
    assert check_parameter("local-knn", 3.0) == 3


def test_a_batch_that_does_not_fit_is_refused(prepared):
    training = TRAINING.model_copy(update={"pairs": "batch", "batch_size": 64})
    with pytest.raises(ArgumentError, match=r"7\d training samples are too few"):
        candidates("local-threshold", prepared, training, fixed={}, kept_shares=(0.1,))
    with pytest.raises(ArgumentError, match="use --pairs set"):
        candidates("local-knn", prepared, training, fixed={"local-knn": 3}, kept_shares=(0.1,))
    grid = candidates("local-knn", prepared, TRAINING, fixed={"local-knn": 3.0}, kept_shares=())
    assert {spec.parameter for spec in grid} == {3.0}


def test_methods_without_a_graph_are_judged_against_vanilla_training():
    def row(label, d=None, p=None):
        return Row(
            label=label, method=label, spec=MethodSpec(method=label), control_of=None, chosen="", errors=[1.0, 2.0],
            validation_errors=[1.0, 2.0], error=Mean(1.5, 1.0, 2.0), p_holm={} if d is None else {"vanilla": p},
            differences={} if d is None else {"vanilla": d}, train_seconds=1.0, mixed_share=1.0,
            effective_sample_size=1.0, mean_weight=1.0, keys=[],
        )  # fmt: skip

    better, worse = Difference(-2.0, -2.5, -1.5, 0.001), Difference(2.0, 1.5, 2.5, 0.001)
    sentence, _ = verdict_of([row("vanilla"), row("regmixup", better, 0.01), row("cutmix", worse, 0.01)], "pets", "%")
    assert sentence == "On pets, regmixup is better than vanilla training, cutmix is worse than vanilla training."
    sentence, _ = verdict_of([row("vanilla"), row("regmixup", better, 0.5)], "pets", "%")
    assert sentence == "On pets, no method is shown to differ from vanilla training."
    assert "nothing was compared" in verdict_of([row("vanilla")], "pets", "%")[0]
