"""What each of two ranks does for the tests of several processes; the tests compare the results.

`run_once` starts one process that imports everything once and then forks the two ranks, with the environment variables
that torchrun would set. The ranks save what they found.

    python _ranks_script.py OUT EXAMPLES
"""

import contextlib
import importlib.util
import os
import pickle
import runpy
import socket
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from filelock import FileLock
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph, cutmix, mix_sequences
from localmixup.distributed import DistributedLocalMixup, mean_over_ranks
from localmixup.distributed._collectives import gather_rows
from localmixup.graphs import AdaptiveExponentialGraph

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"


def run_once(tmp_path_factory):
    """Return what the ranks found. They run once per session, even if the tests are spread over several processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ranks"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            (folder / "cwd").mkdir()
            environment = {k: v for k, v in os.environ.items() if k != "LOCALMIXUP_CHECK_SHAPES"}
            environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
            done = subprocess.run(
                [sys.executable, __file__, str(folder), str(EXAMPLES)],
                capture_output=True, text=True, cwd=folder / "cwd", env=environment, timeout=400, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-5000:]
            assert not list((folder / "cwd").iterdir()), "the ranks left files behind"
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in (0, 1)]


SEED = 7
N = 12
# the number of samples on each rank
SPLITS = [(7, 5), (12, 0), (6, 6)]
EXPONENTIAL = ExponentialGraph(decay=0.5)
CASES = {
    "permutation": {"graph": EXPONENTIAL},
    "flip": {"graph": ThresholdGraph(radius=3.0), "pairing": "flip", "reduction": "mean"},
    "within_class": {"graph": KNNGraph(n_neighbors=4), "pairing": "within_class", "per_sample": True},
    "between_class": {"graph": ExponentialGraph(0.7, metric="cosine"), "pairing": "between_class", "reduction": "sum"},
    "neighbors": {"graph": EXPONENTIAL, "pairing": "neighbors"},
    "unmix": {"graph": EXPONENTIAL, "outside": "unmix", "prob": 0.7, "per_sample": True},
    "prob": {"graph": ThresholdGraph(radius=3.0), "prob": 0.6},
    "adaptive": {"graph": None},
    "nothing counts": {"graph": ThresholdGraph(radius=1e-9), "pairing": "flip"},
    "unreduced": {"graph": EXPONENTIAL, "reduction": "none"},
}


def options(case):
    chosen = {name: value for name, value in CASES[case].items() if name != "reduction"}
    # each mix needs a new one, because it has a state
    chosen["graph"] = chosen["graph"] or AdaptiveExponentialGraph()
    return chosen


def reduction_of(case):
    return CASES[case].get("reduction", "weighted_mean")


def data(batches=3, n=N, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(batches * n, 5, generator=generator, dtype=torch.float64).to(dtype)
    y = torch.randint(3, (batches * n,), generator=generator)
    return list(zip(x.split(n), y.split(n), strict=True))


def make_model(dtype=torch.float64):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)


def mine(tensor, split):
    rank = dist.get_rank()
    return tensor[split[0] :] if rank else tensor[: split[0]]


def gradient_of(model):
    return torch.cat([p.grad.flatten().clone() for p in model.parameters()])


def one_batch(mix, ddp, x, y, features=None, reduction="weighted_mean"):
    batch = mix(x, y, features=features)
    ddp.zero_grad()
    loss = batch.loss(F.cross_entropy, ddp(batch.inputs), reduction=reduction)
    kept = {**batch._asdict(), "loss": loss.detach()}
    if loss.ndim == 0:
        loss.backward()
        kept |= {"gradient": gradient_of(ddp), "global": mean_over_ranks(loss)}
    return kept


def gathered():
    found = {}
    for dtype in (torch.float64, torch.float32):
        for case in CASES:
            mix = DistributedLocalMixup(**options(case), gather=True, seed=SEED)
            ddp = DistributedDataParallel(make_model(dtype))
            found[case, dtype] = [
                one_batch(mix, ddp, mine(x, split), mine(y, split), reduction=reduction_of(case))
                for (x, y), split in zip(data(dtype=dtype), SPLITS, strict=True)
            ]
    return found


def gathered_by_features():
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    x, y = data()[0]
    features = x @ torch.arange(15.0, dtype=x.dtype).view(5, 3).sin()
    ddp = DistributedDataParallel(make_model())
    return one_batch(mix, ddp, mine(x, (4, 8)), mine(y, (4, 8)), mine(features, (4, 8)))


def sharded():
    """One batch with a model whose parameters FSDP2 splits over the ranks."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model, mesh = make_model(), init_device_mesh("cpu", (2,))
    for layer in (model[0], model[2], model):
        fully_shard(layer, mesh=mesh)
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    x, y = (mine(part, SPLITS[0]) for part in data()[0])
    batch = mix(x, y)
    loss = batch.loss(F.cross_entropy, model(batch.inputs))
    loss.backward()
    held = sum(p.to_local().numel() for p in model.parameters())
    gradient = torch.cat([p.grad.full_tensor().flatten() for p in model.parameters()])
    return {**batch._asdict(), "global": mean_over_ranks(loss), "gradient": gradient, "held": held}


def structures():
    """Dicts of inputs, several targets, `inplace`; plans applied by hand."""
    x, y = data()[0]
    x, y = mine(x, (5, 7)), mine(y, (5, 7))
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    both = mix({"a": x, "b": x[:, :2]}, (y, F.one_hot(y, 3).bool()))
    plan = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED).plan(x, y)
    written = x.clone()
    applied = plan.apply(written, y, inplace=True)
    return {
        "a": both.inputs["a"],
        "b": both.inputs["b"],
        "partner y": both.partner_targets[0],
        "partner one-hot": both.partner_targets[1],
        "partner": plan.partner,
        "mixed share": plan.mixed_share,
        "applied": applied.inputs,
        "written": written,
        "applied partner y": applied.partner_targets,
    }


def other_mixing():
    """CutMix and padded sequences with a plan whose partners are on any rank."""
    x, y = data()[0]
    plan = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED).plan(mine(x, (5, 7)), mine(y, (5, 7)))
    images = mine(torch.arange(12.0).view(12, 1, 1, 1).expand(12, 1, 8, 8), (5, 7))
    boxes = cutmix(plan, images, mine(y, (5, 7)), torch.Generator().manual_seed(dist.get_rank()))
    tokens, padding_mask = sequences()
    mixed, mask = mix_sequences(plan, mine(tokens, (5, 7)), mine(padding_mask, (5, 7)))
    return {"boxes": boxes.inputs, "lam": boxes.lam, "sequences": mixed, "mask": mask}


def sequences():
    tokens = torch.randn(12, 6, 3, generator=torch.Generator().manual_seed(5))
    return tokens, torch.arange(6) >= torch.arange(12)[:, None] % 6 + 1


class Hidden(nn.Module):
    def __init__(self, mix):
        super().__init__()
        self.mix, self.layers = mix, make_model()

    def forward(self, x, y):
        hidden = self.layers[0](x)
        plan = self.mix.plan(hidden, y)
        return self.layers[1:](plan.mix(hidden)), plan.partner_of(y), plan


def hidden_layers():
    x, y = data()[0]
    ddp = DistributedDataParallel(Hidden(DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)))
    x, y = mine(x, (5, 7)), mine(y, (5, 7))
    outputs, others, plan = ddp(x, y)
    loss = plan._batch(x, y, others).loss(F.cross_entropy, outputs)
    loss.backward()
    return {"global": mean_over_ranks(loss), "gradient": gradient_of(ddp)}


def accumulated():
    """Accumulate the gradients of two batches with `no_sync`, as in the documentation of DDP."""
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    ddp = DistributedDataParallel(make_model())
    (x1, y1), (x2, y2), _ = data()
    with ddp.no_sync():
        batch = mix(mine(x1, SPLITS[0]), mine(y1, SPLITS[0]))
        (batch.loss(F.cross_entropy, ddp(batch.inputs)) / 2).backward()
    batch = mix(mine(x2, SPLITS[2]), mine(y2, SPLITS[2]))
    (batch.loss(F.cross_entropy, ddp(batch.inputs)) / 2).backward()
    return gradient_of(ddp)


def within_ranks():
    """Mix without gathering, and for comparison with a plain `LocalMixup` on each rank."""
    found = {}
    for case in CASES:
        mix = DistributedLocalMixup(**options(case), seed=SEED)
        ddp = DistributedDataParallel(make_model())
        found[case] = [
            one_batch(mix, ddp, mine(x, split), mine(y, split), reduction=reduction_of(case))
            for (x, y), split in zip(data(), SPLITS, strict=True)
        ]
    x, y = data()[0]
    plain = LocalMixup(EXPONENTIAL, generator=torch.Generator().manual_seed(SEED))
    ddp = DistributedDataParallel(make_model())
    found["plain"] = one_batch(plain, ddp, mine(x, SPLITS[2]), mine(y, SPLITS[2]))
    plan = LocalMixup(EXPONENTIAL, generator=torch.Generator().manual_seed(SEED)).plan(mine(x, SPLITS[2]))
    found["plain plan"] = plan
    mix = DistributedLocalMixup(EXPONENTIAL, seed=SEED)
    found["plan"] = mix.plan(mine(x, SPLITS[2]))
    found["pairs"] = DistributedLocalMixup(CompleteGraph(), seed=SEED).mix_pairs(x, y, x.flip(0), y.flip(0)).lam
    return found


def resumed(gather, folder):
    """Mix five batches, and then the last three again from the state that rank 0 saved after two."""
    batches = data(5, 8)
    mix = DistributedLocalMixup(EXPONENTIAL, gather=gather, seed=SEED)
    whole = []
    path = folder / f"mix-{gather}.pt"
    for i, (x, y) in enumerate(batches):
        if i == 2 and dist.get_rank() == 0:
            torch.save(mix.state_dict(), path)
        whole.append(mix(mine(x, (4, 4)), mine(y, (4, 4))))
    dist.barrier()
    again = DistributedLocalMixup(EXPONENTIAL, gather=gather, seed=99)
    again.load_state_dict(torch.load(path))
    rest = [again(mine(x, (4, 4)), mine(y, (4, 4))) for x, y in batches[2:]]
    return [tuple(b) for b in whole], [tuple(b) for b in rest]


def drifted():
    """Gather although one rank has drawn something on its own between batches."""
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    if dist.get_rank() == 1:
        torch.rand(5, generator=mix.generator)
    (x, y), *_ = data()
    return mix.plan(mine(x, (6, 6)), mine(y, (6, 6)))


def alone():
    """Evaluate and save on one rank only."""
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED).eval()
    if dist.get_rank() == 1:
        return None
    x, y = data()[0]
    batch = mix(x, y)
    loss = batch.loss(F.cross_entropy, make_model()(batch.inputs)).detach()
    return {"loss": loss, "partner": mix.plan(x, y).partner, "keys": list(mix.state_dict()), "unmixed": batch.inputs}


def rows():
    rank = dist.get_rank()
    values = {
        "bool": torch.tensor([True, False, True]),
        "int": torch.arange(6).view(3, 2) + 10 * rank,
        "half": torch.tensor([[1.5], [2.5], [3.5]], dtype=torch.float16) + rank,
        "bfloat": torch.tensor([[1.5], [2.5], [3.5]], dtype=torch.bfloat16) + rank,
        "complex": torch.tensor([1j, 2j, 3j]) + rank,
        "no columns": torch.zeros(3, 0),
        "strided": (torch.arange(6.0).view(2, 3) + 10 * rank).T,
    }
    kept = {name: value[: 3 - 2 * rank] for name, value in values.items()}
    messages = []
    for wrong in (torch.zeros(2, 3 + rank), torch.zeros(2, 3, dtype=(torch.float32, torch.float64)[rank])):
        try:
            gather_rows(wrong, "inputs")
        except ValueError as error:
            messages.append(str(error))
    nobody, _ = gather_rows(torch.zeros(0, 4), "inputs")
    return {"mine": kept, "all": gather_rows(kept, "values")[0], "messages": messages, "nobody": nobody.shape}


def workers():
    """Mix in DataLoader workers, on ranks whose loaders have the same seed."""
    x, y = (torch.cat(parts) for parts in zip(*data(2, 16), strict=True))
    dataset = TensorDataset(x, y)
    found = {}
    for name, mix in {
        "plain": LocalMixup(EXPONENTIAL, generator=torch.Generator().manual_seed(SEED)),
        "ours": DistributedLocalMixup(EXPONENTIAL, seed=SEED),
        "main": DistributedLocalMixup(EXPONENTIAL, seed=SEED),
    }.items():
        loader = DataLoader(
            dataset, batch_size=4, sampler=DistributedSampler(dataset, shuffle=False), collate_fn=mix.collate_fn,
            num_workers=0 if name == "main" else 2, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        epochs = [list(loader) for _ in range(2)]
        found[name] = [[tuple(batch) for batch in batches] for batches in epochs]
        if name == "ours":
            batch, ddp = epochs[0][0], DistributedDataParallel(make_model())
            batch.loss(F.cross_entropy, ddp(batch.inputs)).backward()
            found["gradient"] = gradient_of(ddp)
    # for a worker that is started without the process group
    found["pickled"] = pickle.dumps(DistributedLocalMixup(EXPONENTIAL, seed=SEED))
    refused = []
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True)
    loader = DataLoader(dataset, collate_fn=lambda samples: mix(*map(torch.stack, zip(*samples, strict=True))),
                        num_workers=1, multiprocessing_context="fork")  # fmt: skip
    for wrong in (lambda: mix.collate_fn([dataset[0]]), lambda: next(iter(loader)), lambda: mix.mix_pairs(x, y, x, y)):
        try:
            wrong()
        except ValueError as error:
            refused.append(str(error))
    found["refused"] = refused
    return found


def warnings_of_a_radius_too_small():
    """Return the warnings of ten batches in which hardly a pair counts, with and without gathering."""
    found = {}
    for gather in (False, True):
        mix = DistributedLocalMixup(ThresholdGraph(radius=1e-9), gather=gather, seed=SEED)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for x, y in data(10, 40):
                mix(mine(x, (20, 20)), mine(y, (20, 20)))
        found[gather] = [(warning.category, str(warning.message)) for warning in caught]
    return found


def accelerated(folder, examples):
    """Train for an epoch, save a checkpoint, and train the next epoch twice: directly, and from the checkpoint."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    x, y = (torch.cat(parts) for parts in zip(*data(4, 8), strict=True))
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer, loader = accelerator.prepare(
        model, optimizer, DataLoader(TensorDataset(x, y), batch_size=4, shuffle=False)
    )
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    accelerator.register_for_checkpointing(mix)

    def epoch():
        losses = []
        for source, targets in loader:
            with accelerator.accumulate(model):
                batch = mix(source, targets)
                loss = batch.loss(F.cross_entropy, model(batch.inputs))
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            losses.append(accelerator.reduce(loss.detach(), "mean"))
        return torch.cat([p.detach().flatten().clone() for p in model.parameters()]), torch.stack(losses)

    first = epoch()
    accelerator.save_state(str(folder / "checkpoint"))
    second = epoch()
    accelerator.load_state(str(folder / "checkpoint"))
    return {
        "size": accelerator.num_processes,
        "accelerated": {"first": first, "second": second, "again": epoch()},
        "accelerate example": run_example(examples, "accelerate_loop"),
    }


def run_example(folder, name):
    return runpy.run_path(str(Path(folder) / f"{name}.py"))["main"](epochs=15)


def frameworks(folder):
    """Let the tests of Lightning and of transformers train on the ranks, as far as these are installed."""
    sys.path.insert(0, str(HERE / "integrations"))
    found = {}
    for name in ("lightning", "transformers"):
        if importlib.util.find_spec(name):
            found[name] = importlib.import_module(f"test_{name}").train_on_ranks(folder)
    return found


def run_rank(rank, port, folder, examples):
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "MASTER_ADDR": "localhost"}
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "tests"}
    os.environ.update({**shared, **own})
    torch.set_num_threads(1)
    # another store than that of the environment, which the DDP example uses for its own group at the end
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    found = {
        "gathered": gathered(),
        "features": gathered_by_features(),
        "structures": structures(),
        "sharded": sharded(),
        "other mixing": other_mixing(),
        "hidden": hidden_layers(),
        "accumulated": accumulated(),
        "within": within_ranks(),
        "resumed": {gather: resumed(gather, folder) for gather in (False, True)},
        "drifted": drifted(),
        "alone": alone(),
        "rows": rows(),
        "workers": workers(),
        "warnings": warnings_of_a_radius_too_small(),
        **frameworks(folder),
    }
    if importlib.util.find_spec("accelerate"):
        found |= accelerated(folder, examples)
    if dist.is_initialized():  # the end of training with Accelerate destroys the group
        dist.destroy_process_group()
    found["ddp example"] = run_example(examples, "ddp_loop")
    torch.save(found, folder / f"rank{rank}.pt")


def main():
    folder, examples = Path(sys.argv[1]), Path(sys.argv[2])
    for name in ("accelerate", "lightning", "transformers"):
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    ranks = []
    for rank in (0, 1):
        ranks.append(os.fork())
        if ranks[-1] == 0:
            status = 1
            try:
                run_rank(rank, port, folder, examples)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
    for _ in ranks:
        _, status = os.wait()
        if status:  # the other rank may wait for this one forever
            for process in ranks:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, 9)
            sys.exit("a rank failed")


if __name__ == "__main__":
    main()
