"""What test_distributed.py starts with torchrun: each rank does its part and writes down what came out.

    torchrun --nproc_per_node 2 ranks_script.py OUT EXAMPLES

Nothing is compared here: that is done in the one process that has the results of both ranks.
"""

import os
import runpy
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from localmixup import CompleteGraph, ExponentialGraph, KNNGraph, LocalMixup, ThresholdGraph, cutmix, mix_sequences
from localmixup.distributed import DistributedLocalMixup, mean_over_ranks
from localmixup.graphs.adaptive import AdaptiveExponentialGraph
from localmixup.integrations._ranks import gather_rows

SEED = 7
N = 12
# how many of the N samples each rank has
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
    chosen = dict(CASES[case])
    # it has a state, so each mix needs its own
    chosen["graph"] = chosen["graph"] or AdaptiveExponentialGraph()
    return chosen


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


def one_batch(mix, ddp, x, y, features=None):
    batch = mix(x, y, features=features)
    ddp.zero_grad()
    loss = batch.loss(F.cross_entropy, ddp(batch.inputs))
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
                one_batch(mix, ddp, mine(x, split), mine(y, split))
                for (x, y), split in zip(data(dtype=dtype), SPLITS, strict=True)
            ]
    return found


def gathered_by_features():
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    x, y = data()[0]
    features = x @ torch.arange(15.0, dtype=x.dtype).view(5, 3).sin()
    ddp = DistributedDataParallel(make_model())
    return one_batch(mix, ddp, mine(x, (4, 8)), mine(y, (4, 8)), mine(features, (4, 8)))


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
    """Boxes, and padded sequences, along a plan whose partners are on any rank."""
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
    batch = plan.batch_type(x, y, others, plan.lam, plan.weights)
    loss = batch.loss(F.cross_entropy, outputs)
    loss.backward()
    return {"global": mean_over_ranks(loss), "gradient": gradient_of(ddp)}


def accumulated():
    """Two batches under `no_sync`, as DDP's own documentation does it."""
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
    """Without gathering; and what one generator on each rank, and each rank's own mean, make of it."""
    found = {}
    for case in CASES:
        mix = DistributedLocalMixup(**options(case), seed=SEED)
        ddp = DistributedDataParallel(make_model())
        found[case] = [
            one_batch(mix, ddp, mine(x, split), mine(y, split)) for (x, y), split in zip(data(), SPLITS, strict=True)
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
    """Five batches in a row, and the last three again from what rank 0 saved after two."""
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
    """A rank that drew something by itself, between batches."""
    mix = DistributedLocalMixup(EXPONENTIAL, gather=True, seed=SEED)
    if dist.get_rank() == 1:
        torch.rand(5, generator=mix.generator)
    (x, y), *_ = data()
    return mix.plan(mine(x, (6, 6)), mine(y, (6, 6)))


def alone():
    """What a rank may do by itself: evaluate, and save."""
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
    """Batches that DataLoader workers mixed, on ranks whose loaders were seeded alike."""
    x, y = (torch.cat(parts) for parts in zip(*data(2, 16), strict=True))
    dataset = TensorDataset(x, y)
    found = {}
    for name, mix in {
        "plain": LocalMixup(EXPONENTIAL, generator=torch.Generator().manual_seed(SEED)),
        "ours": DistributedLocalMixup(EXPONENTIAL, seed=SEED, reduction="mean"),
        "main": DistributedLocalMixup(EXPONENTIAL, seed=SEED, reduction="mean"),
        "spawn": DistributedLocalMixup(EXPONENTIAL, seed=SEED),
    }.items():
        method, number = {"spawn": ("spawn", 1), "main": (None, 0)}.get(name, ("fork", 2))
        sampler = DistributedSampler(dataset, shuffle=False)
        loader = DataLoader(
            dataset, batch_size=4, sampler=sampler, num_workers=number, collate_fn=mix.collate_fn,
            multiprocessing_context=method, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        epochs = [list(loader) for _ in range(1 if name == "spawn" else 2)]
        found[name] = [[tuple(batch) for batch in batches] for batches in epochs]
        if name == "ours":
            batch, ddp = epochs[0][0], DistributedDataParallel(make_model())
            batch.loss(F.cross_entropy, ddp(batch.inputs), reduction="weighted_mean").backward()
            found["reduction"], found["gradient"] = batch.reduction, gradient_of(ddp)
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


def accelerated(accelerator, folder):
    """An epoch, its checkpoint, and the next epoch twice: gone on with, and from the checkpoint."""
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
    return {"first": first, "second": second, "again": epoch()}


def run_example(folder, name):
    return runpy.run_path(str(Path(folder) / f"{name}.py"))["main"](epochs=20)


def main():
    from accelerate import Accelerator

    folder, examples = Path(sys.argv[1]), sys.argv[2]
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    # torchrun's own store serves one group only, and that is the one of the DDP example, the last
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=size)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    found = {
        "size": accelerator.num_processes,
        "gathered": gathered(),
        "features": gathered_by_features(),
        "structures": structures(),
        "other mixing": other_mixing(),
        "hidden": hidden_layers(),
        "accumulated": accumulated(),
        "within": within_ranks(),
        "resumed": {gather: resumed(gather, folder) for gather in (False, True)},
        "drifted": drifted(),
        "alone": alone(),
        "rows": rows(),
        "workers": workers(),
        "accelerated": accelerated(accelerator, folder),
        "accelerate example": run_example(examples, "accelerate_loop"),
        "ddp example": run_example(examples, "ddp_loop"),
    }
    torch.save(found, folder / f"rank{rank}.pt")


if __name__ == "__main__":
    main()
