"""Run as a program by test_loops.py: without the shape checks of the tests, which no compiler can see through.

The backend runs the traced graph as it is: what is tested is that a step is one graph, not what a code generator makes
of it.
"""

import torch
import torch.nn.functional as F

from localmixup import ExponentialGraph, KNNGraph, LocalMixup

NEAREST = KNNGraph(n_neighbors=3)


def main():
    x, y = torch.randn(32, 3, 4, 4), torch.randint(5, (32,))
    model = torch.nn.Linear(48, 5)
    weighted = torch.nn.CrossEntropyLoss(weight=torch.rand(5) + 0.5)
    criteria = {"flip": F.cross_entropy, "roll": F.cross_entropy, "permutation": weighted}
    for pairing, criterion in criteria.items():
        for outside in ("discard", "unmix"):
            mix = LocalMixup(ExponentialGraph(0.1), pairing=pairing, outside=outside, per_sample=outside == "unmix")

            def step(x, y, mix=mix, criterion=criterion):
                batch = mix(x, y)
                return batch.loss(criterion, model(batch.inputs.flatten(1))), batch

            torch.compiler.reset()
            loss, batch = torch.compile(step, fullgraph=True, backend="aot_eager")(x, y)
            loss.backward()
            torch.testing.assert_close(loss, batch.loss(criterion, model(batch.inputs.flatten(1))))
            # whatever the compiled draw was, the batch must be what its lam and partner say
            partner = torch.arange(31, -1, -1) if pairing == "flip" else torch.arange(32).roll(1)
            if pairing == "permutation":
                gap = (batch.inputs - batch.lam.view(-1, 1, 1, 1) * x).flatten(1)
                ends = (1 - batch.lam)[:, None, None] * x.flatten(1)[None]
                partner = (gap[:, None] - ends).norm(dim=2).argmin(1)
            lam = batch.lam.view(-1, 1, 1, 1)
            torch.testing.assert_close(batch.inputs, lam * x + (1 - lam) * x[partner], atol=1e-5, rtol=1e-5)
            if outside == "discard":
                d = (x - x[partner]).flatten(1).norm(dim=1)
                torch.testing.assert_close(batch.weights, torch.exp(-0.1 * d), atol=1e-5, rtol=1e-5)
                assert torch.equal(batch.partner_targets, y[partner])
            unmixed = batch.lam == 1
            assert torch.equal(batch.inputs[unmixed], x[unmixed])
            print(pairing, outside, "ok", flush=True)
    for name, mix, nearest in (
        ("recommended", LocalMixup(), None),
        ("nearest 3", LocalMixup(NEAREST, prob=0.5, pairing="neighbors"), 3),
    ):
        torch.compiler.reset()
        step = torch.compile(lambda x, y, mix=mix: mix(x, y), fullgraph=True, backend="aot_eager")
        for n in (64, 40, 7, 1):  # the last batch of an epoch is smaller
            x, y = torch.randn(n, 6), torch.arange(n)
            batch = step(x, y)
            partner = batch.partner_targets  # the targets are the rows
            lam = batch.lam[:, None]
            torch.testing.assert_close(batch.inputs, lam * x + (1 - lam) * x[partner])
            if nearest:
                others = torch.cdist(x, x).fill_diagonal_(torch.inf).argsort(dim=1)[:, :nearest]
                assert ((others == partner[:, None]).any(dim=1) | (partner == y)).all()
        print(name, "ok", flush=True)
    mix = LocalMixup(KNNGraph(share=0.2), generator=torch.Generator())
    try:
        torch.compile(mix, fullgraph=True, backend="eager")(x, y)
    except Exception as error:
        print(
            "generator refused" if "generator cannot be used inside torch.compile" in str(error) else error, flush=True
        )


if __name__ == "__main__":
    main()
