"""Two processes with gloo, compared with one process and with loops over single samples.

`_ranks_script.py` holds what the ranks do; the tests here compare what they found.
"""

import json
import pickle
import runpy

import pytest
import torch
import torch.nn.functional as F
from _ranks_script import (
    CASES,
    EXAMPLES,
    EXPONENTIAL,
    SEED,
    SPLITS,
    Hidden,
    data,
    gradient_of,
    make_model,
    options,
    reduction_of,
    run_once,
    sequences,
)  # fmt: skip
from torch.utils.data import DataLoader, TensorDataset

from localmixup import CompleteGraph, KNNGraph, LocalMixup, MixedBatch, ThresholdGraph, mix_sequences
from localmixup.distributed import DistributedLocalMixup, RankBatch, RankPlan, mean_over_ranks

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
hardly_a_pair = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of the two ranks found."""
    return run_once(tmp_path_factory)


def slow_loss(batches, outputs, reduction):
    """Eq. (3) over the samples of all ranks, one at a time; `outputs` are in the same order."""
    total, weight, count = torch.zeros((), dtype=outputs.dtype), 0.0, 0
    for batch in batches:
        for y, other, lam, w in zip(*(batch[k] for k in ("targets", "partner_targets", "lam", "weights")), strict=True):
            log_p = outputs[count].log_softmax(0)
            total = total - w * (lam * log_p[y] + (1 - lam) * log_p[other])
            weight, count = weight + float(w), count + 1
    if reduction == "sum":
        return total
    return total / (count if reduction == "mean" else max(weight, 1e-30))


def slow_loss_and_gradient(batches, reduction="weighted_mean"):
    model = make_model(batches[0]["inputs"].dtype)
    loss = slow_loss(batches, model(torch.cat([batch["inputs"] for batch in batches])), reduction)
    loss.backward()
    return loss.detach(), gradient_of(model)


def one_process(case=None, **changes):
    chosen = {**(options(case) if case else {"graph": EXPONENTIAL}), **changes}
    return LocalMixup(**chosen, generator=torch.Generator().manual_seed(SEED))


def both(ranks, *keys):
    found = list(ranks)
    for key in keys:
        found = [f[key] for f in found]
    return found


def close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


# ---- pairs across ranks --------------------------------------------------------------------------------------------


@hardly_a_pair
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_gathered_is_the_one_process_result(ranks, case, dtype):
    """Three batches with uneven splits, one of which leaves a rank without samples: plan, batch, loss, gradient."""
    mix, tolerance, reduction = one_process(case), TOLERANCE[dtype], reduction_of(case)
    for i, (x, y) in enumerate(data(dtype=dtype)):
        whole = mix(x, y)
        parts = both(ranks, "gathered", (case, dtype), i)
        assert [len(p["lam"]) for p in parts] == list(SPLITS[i])
        for name, value in whole._asdict().items():
            close(torch.cat([p[name] for p in parts]), value, tolerance)
        model = make_model(dtype)
        exact = whole.loss(F.cross_entropy, model(whole.inputs), reduction=reduction)
        if reduction == "none":
            close(torch.cat([p["loss"] for p in parts]), exact.detach(), 1e-6)
            continue
        loss, gradient = slow_loss_and_gradient(parts, reduction)
        # the error of a sum is that of 12 losses
        tolerance *= 12 if reduction == "sum" else 1
        for part in parts:
            close(part["global"], loss, tolerance)
            close(part["gradient"], gradient, tolerance)
        close(torch.stack([p["loss"] for p in parts]).mean(), loss, tolerance)
        exact.backward()
        close(parts[0]["gradient"], gradient_of(model), tolerance)


def test_pairs_do_cross_ranks(ranks):
    first, second = both(ranks, "structures", "partner")
    assert (first >= 5).any()
    assert (second < 0).any()
    whole = torch.cat([first, second + 5])
    assert sorted(whole.tolist()) == list(range(12))


def test_custom_features_are_gathered_too(ranks):
    x, y = data()[0]
    whole = one_process()(x, y, features=x @ torch.arange(15.0, dtype=x.dtype).view(5, 3).sin())
    parts = both(ranks, "features")
    for name, value in whole._asdict().items():
        close(torch.cat([p[name] for p in parts]), value)
    loss, gradient = slow_loss_and_gradient(parts)
    close(parts[1]["global"], loss)
    close(parts[1]["gradient"], gradient)


def test_a_model_that_fsdp2_splits_has_the_one_process_loss_and_gradient(ranks):
    parts = both(ranks, "sharded")
    model = make_model()
    assert sum(part["held"] for part in parts) == sum(p.numel() for p in model.parameters())
    assert all(part["held"] < sum(p.numel() for p in model.parameters()) for part in parts)
    x, y = data()[0]
    whole = one_process()(x, y)
    close(torch.cat([part["inputs"] for part in parts]), whole.inputs)
    loss, gradient = slow_loss_and_gradient(parts)
    for part in parts:
        close(part["global"], loss)
        close(part["gradient"], gradient)


def test_structures_and_plans(ranks):
    x, y = data()[0]
    # features are the inputs side by side
    whole = one_process()({"a": x, "b": x[:, :2]}, y)
    found = {
        name: torch.cat(both(ranks, "structures", name))
        for name in both(ranks, "structures")[0]
        if name != "mixed share"
    }
    close(found["a"], whole.inputs["a"])
    close(found["b"], whole.inputs["b"])
    assert torch.equal(found["partner y"], whole.partner_targets)
    assert torch.equal(found["partner one-hot"], F.one_hot(whole.partner_targets, 3).bool())
    plan = one_process().plan(x, y)
    close(found["applied"], plan.mix(x))
    assert torch.equal(found["applied"], found["written"])
    assert torch.equal(found["applied partner y"], y[plan.partner])
    for rank, rows in enumerate((slice(0, 5), slice(5, 12))):
        moved = plan.partner[rows] != torch.arange(12)[rows]
        expected = (plan.weights[rows] * moved).sum() / plan.weights[rows].sum()
        close(ranks[rank]["structures"]["mixed share"], expected)


def test_cutmix_and_sequences_cross_ranks_too(ranks):
    x, y = data()[0]
    plan = one_process().plan(x, y)
    found = {k: torch.cat(both(ranks, "other mixing", k)) for k in ("boxes", "lam", "sequences", "mask")}
    own = (found["boxes"] == torch.arange(12.0).view(12, 1, 1, 1)).flatten(1)
    theirs = (found["boxes"] == plan.partner.view(12, 1, 1, 1)).flatten(1)
    assert (own | theirs).all()
    close(own.double().mean(1), torch.where(plan.partner == torch.arange(12), 1.0, found["lam"]))
    assert not own.all()
    tokens, padding_mask = mix_sequences(plan, *sequences())
    close(found["sequences"], tokens, 1e-6)
    assert torch.equal(found["mask"], padding_mask)


def test_hidden_layers_are_mixed_with_gradients_to_the_rank_of_the_partner(ranks):
    x, y = data()[0]
    model = Hidden(one_process())
    outputs, others, plan = model(x, y)
    loss = plan._batch(x, y, others).loss(F.cross_entropy, outputs)
    loss.backward()
    for found in both(ranks, "hidden"):
        close(found["global"], loss.detach())
        close(found["gradient"], gradient_of(model))


def test_accumulated_gradients_are_those_of_the_mean_of_the_batches(ranks):
    mix, model = one_process(), make_model()
    for x, y in data()[:2]:
        batch = mix(x, y)
        (batch.loss(F.cross_entropy, model(batch.inputs)) / 2).backward()
    for found in both(ranks, "accumulated"):
        close(found, gradient_of(model))


def test_gathering_uses_the_generator_of_rank_0(ranks):
    (x, y), *_ = data()
    plan = one_process().plan(x, y)
    parts = both(ranks, "drifted")
    assert torch.equal(torch.cat([parts[0].partner, parts[1].partner + 6]), plan.partner)
    close(torch.cat([p.lam for p in parts]), plan.lam)


# ---- pairs within the rank -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_within_ranks_the_loss_is_that_of_the_global_batch(ranks, case):
    for i, split in enumerate(SPLITS):
        parts = both(ranks, "within", case, i)
        assert [len(p["lam"]) for p in parts] == list(split)
        for part, x in zip(parts, data()[i][0].split(split), strict=True):
            # a mixed sample lies between two of its own rank
            line = part["lam"][:, None, None] * x[:, None] + (1 - part["lam"])[:, None, None] * x[None]
            assert not len(x) or (line - part["inputs"][:, None]).abs().amax(2).amin(1).max() < 1e-12
        reduction = reduction_of(case)
        if reduction == "none":
            continue
        loss, gradient = slow_loss_and_gradient(parts, reduction)
        for part in parts:
            close(part["global"], loss)
            close(part["gradient"], gradient)


def test_ranks_draw_differently_but_plain_mixes_with_one_seed_do_not(ranks):
    trap = both(ranks, "within", "plain plan")
    assert torch.equal(trap[0].partner, trap[1].partner)
    assert torch.equal(trap[0].lam, trap[1].lam)
    ours = both(ranks, "within", "plan")
    assert not torch.equal(ours[0].partner, ours[1].partner)
    assert ours[0].lam[0] != ours[1].lam[0]
    pairs = both(ranks, "within", "pairs")
    assert pairs[0][0] != pairs[1][0]


def test_the_mean_of_each_rank_is_a_different_loss(ranks):
    """The mistake that `RankBatch.loss` prevents."""
    parts = both(ranks, "within", "plain")
    _, gradient = slow_loss_and_gradient(parts)
    assert (parts[0]["gradient"] - gradient).abs().max() > 1e-3


# ---- state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gather", [False, True])
def test_the_state_of_rank_0_resumes_both(ranks, gather):
    for whole, rest in both(ranks, "resumed", gather):
        assert len(rest) == 3
        for before, after in zip(whole[2:], rest, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    lams = [[batch[3][0].item() for batch in rest] for _, rest in both(ranks, "resumed", gather)]
    assert (lams[0] == lams[1]) == gather
    assert len(set(lams[1])) == 3


def test_one_rank_can_evaluate_and_save_alone(ranks):
    x, y = data()[0]
    found = ranks[0]["alone"]
    close(found["loss"], F.cross_entropy(make_model()(x), y).detach())
    assert torch.equal(found["partner"], torch.arange(12))
    assert torch.equal(found["unmixed"], x)
    assert found["keys"] == ["_extra_state"]


# ---- what is sent --------------------------------------------------------------------------------------------------


def test_rows_of_every_dtype(ranks):
    for name, value in ranks[0]["rows"]["all"].items():
        expected = torch.cat(both(ranks, "rows", "mine", name))
        assert value.dtype == expected.dtype
        assert torch.equal(value, expected)
        assert torch.equal(value, ranks[1]["rows"]["all"][name])
    assert len(expected) == 4
    assert ranks[1]["rows"]["nobody"] == (0, 4)


def test_rows_that_differ_are_an_error_on_every_rank(ranks):
    for rank, width, dtype in ((0, 3, "float32"), (1, 4, "float64")):
        shapes, dtypes = ranks[rank]["rows"]["messages"]
        common = "inputs must have rows of the same shape and dtype on every rank"
        assert shapes == f"{common}, got torch.float32 ({width},) on rank {rank}"
        assert dtypes == f"{common}, got torch.{dtype} (3,) on rank {rank}"


# ---- DataLoader workers --------------------------------------------------------------------------------------------


def lams_of(found, name):
    return [[batch[3][0].item() for batch in epoch] for epoch in found["workers"][name]]


def test_workers_of_each_rank_draw_for_themselves(ranks):
    trap = [lams_of(found, "plain") for found in ranks]
    assert trap[0] == trap[1]
    for name in ("ours", "main"):
        drawn = [lam for found in ranks for epoch in lams_of(found, name) for lam in epoch]
        # 2 ranks with 4 batches in each of 2 epochs
        assert len(drawn) == len(set(drawn)) == 16


def test_workers_without_the_process_group_know_their_rank(ranks):
    """As those that are spawned: the pickled module remembers the rank."""
    (x, y), *_ = data()
    drawn = []
    for found in ranks:
        mix = pickle.loads(found["workers"]["pickled"])
        generator = torch.Generator().manual_seed(0)
        loader = DataLoader(TensorDataset(x, y), 4, collate_fn=mix.collate_fn, num_workers=1, generator=generator)
        batches = list(loader)
        assert all(type(batch) is RankBatch for batch in batches)
        drawn += [float(batch.lam[0]) for batch in batches]
    assert len(set(drawn)) == 6


def test_batches_of_workers_have_the_global_loss(ranks):
    batches = [dict(zip(MixedBatch._fields, f["workers"]["ours"][0][0], strict=True)) for f in ranks]
    _, gradient = slow_loss_and_gradient(batches)
    for found in both(ranks, "workers"):
        close(found["gradient"], gradient)


def test_workers_cannot_gather(ranks):
    for collate, worker, pairs in both(ranks, "workers", "refused"):
        assert "gather must be False here, got True: collate_fn runs in DataLoader workers" in collate
        assert "got True: a DataLoader worker does not belong to the process group" in worker
        assert "gather must be False here, got True: these pairs already have their partners" in pairs


# ---- Accelerate ----------------------------------------------------------------------------------------------------


def test_accelerate_trains_as_one_process(ranks):
    """Two epochs of four batches with gradients accumulated over two, and the second epoch again from a checkpoint."""
    pytest.importorskip("accelerate")
    assert both(ranks, "size") == [2, 2]
    mix, model = one_process(), make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in ("first", "second"):
        losses = []
        for i, (x, y) in enumerate(data(4, 8)):
            batch = mix(x, y)
            loss = batch.loss(F.cross_entropy, model(batch.inputs))
            (loss / 2).backward()
            if i % 2:
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.detach())
        for found in both(ranks, "accelerated"):
            close(found[epoch][0], torch.cat([p.detach().flatten() for p in model.parameters()]))
            close(found[epoch][1], torch.stack(losses))
    for found in both(ranks, "accelerated"):
        assert all(torch.equal(a, b) for a, b in zip(found["again"], found["second"], strict=True))


@pytest.mark.parametrize("name", ["ddp", "accelerate"])
def test_the_examples_run_on_two_ranks(ranks, name):
    """`ddp_loop.py` and `accelerate_loop.py` train; which graph is better is not tested."""
    pytest.importorskip("accelerate")
    first, second = both(ranks, f"{name} example")
    assert first == second
    # chance is 50
    assert max(first.values()) < 40


@pytest.mark.parametrize("name", ["ddp_loop", "accelerate_loop"])
def test_the_examples_run_in_one_process(name, tmp_path, monkeypatch):
    pytest.importorskip("accelerate")
    monkeypatch.chdir(tmp_path)
    for variable in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(variable, "unset")  # so that what the example sets does not outlive this test
        monkeypatch.delenv(variable)
    errors = runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](epochs=10)
    # chance is 50
    assert max(errors.values()) < 40
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("gather", [False, True])
def test_a_radius_far_too_small_warns_once_on_each_rank(ranks, gather):
    for found in both(ranks, "warnings"):
        ((category, message),) = found[gather]
        assert category is UserWarning
        assert "count" in message


# ---- one process ---------------------------------------------------------------------------------------------------


@hardly_a_pair
@pytest.mark.parametrize("gather", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_without_a_group_it_is_local_mixup(case, gather):
    ours, plain = DistributedLocalMixup(**options(case), gather=gather, seed=SEED), one_process(case)
    for x, y in data():
        batch, expected = ours(x, y), plain(x, y)
        assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))
        outputs = make_model()(x)
        assert torch.equal(batch.loss(F.cross_entropy, outputs), expected.loss(F.cross_entropy, outputs))
    assert torch.equal(ours.plan(x, y).partner, plain.plan(x, y).partner)
    loss = torch.tensor(2.0, requires_grad=True)
    assert mean_over_ranks(loss) == 2.0
    assert not mean_over_ranks(loss).requires_grad


def test_loaders_and_pairs_of_one_process():
    (x, y), *_ = data()
    loaders = []
    for mix in (DistributedLocalMixup(EXPONENTIAL, seed=SEED), one_process()):
        generator = torch.Generator().manual_seed(0)
        loaders.append(
            DataLoader(TensorDataset(x, y), 4, collate_fn=mix.collate_fn, num_workers=1, generator=generator)
        )
        assert mix.mix_pairs(x, y, x, y).lam.shape == (12,)
    for batch, expected in zip(*loaders, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, expected, strict=True))


def test_config_copies_and_representation():
    mix = DistributedLocalMixup(KNNGraph(n_neighbors=2), gather=True, seed=5, prob=0.5)
    config = json.loads(json.dumps(mix.to_config()))
    assert config["gather"] is True
    assert config["seed"] == 5
    again = DistributedLocalMixup.from_config(config)
    assert again.to_config() == mix.to_config()
    assert repr(again) == repr(mix)
    assert "gather=True, seed=5" in repr(mix)
    plain = DistributedLocalMixup.from_config(LocalMixup(CompleteGraph()).to_config())
    assert not plain.gather
    x, y = data()[0]
    one, other = mix.plan(x, y), again.plan(x, y)
    assert torch.equal(one.partner, other.partner)
    mix, again = (pickle.loads(pickle.dumps(m)) for m in (mix, again))
    assert torch.equal(mix.plan(x, y).partner, again.plan(x, y).partner)
    assert type(pickle.loads(pickle.dumps(one))) is RankPlan
    generator = torch.Generator().manual_seed(3)
    assert DistributedLocalMixup.from_config(config, generator).generator is generator


def test_accelerate_moves_a_batch_and_keeps_its_type():
    operations = pytest.importorskip("accelerate.utils")
    mix, (x, y) = DistributedLocalMixup(EXPONENTIAL), data()[0]
    moved = operations.send_to_device(mix({"x": x}, y), torch.device("meta"))
    assert type(moved) is RankBatch
    assert moved.inputs["x"].device.type == moved.weights.device.type == "meta"
    assert type(operations.send_to_device(mix.plan(x, y), "cpu")) is RankPlan


def test_in_evaluation_nothing_is_mixed():
    mix, (x, y) = DistributedLocalMixup(ThresholdGraph(radius=0.0)).eval(), data()[0]
    batch = mix(x, y)
    assert type(batch) is MixedBatch
    assert torch.equal(batch.inputs, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gather": 1}, "gather must be True or False, got 1"),
        ({"gather": "features"}, "gather must be True or False, got 'features'"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"seed": None}, "seed must be a whole number >= 0"),
        ({"graph": ThresholdGraph}, "graph must be a graph"),
        ({"prob": 2}, "prob must be between 0 and 1"),
    ],
)
def test_errors_name_the_argument(change, message):
    with pytest.raises(ValueError, match=message):
        DistributedLocalMixup(**{"graph": CompleteGraph(), **change})


def test_unknown_settings_and_reductions_are_refused():
    x, y = data()[0]
    batch = DistributedLocalMixup(EXPONENTIAL)(x, y)
    with pytest.raises(ValueError, match="reduction must be one of"):
        batch.loss(F.cross_entropy, make_model()(x), reduction="average")
    with pytest.raises(ValueError, match=r"setting of DistributedLocalMixup must be one of .* did you mean 'gather'"):
        DistributedLocalMixup.from_config({"graph": {"name": "complete"}, "gathers": True})
