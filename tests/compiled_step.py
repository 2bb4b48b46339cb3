"""Run as a program by test_loops.py: without the shape checks of the tests, which no compiler can see through."""

import torch
import torch.nn.functional as F

from localmixup import ExponentialGraph, LocalMixup


def main():
    x, y = torch.randn(32, 3, 4, 4), torch.randint(5, (32,))
    model = torch.nn.Linear(48, 5)
    for pairing in ("flip", "permutation"):
        for outside in ("discard", "unmix"):
            mix = LocalMixup(ExponentialGraph(0.1), pairing=pairing, outside=outside, per_sample=outside == "unmix")

            def step(x, y, mix=mix):
                batch = mix(x, y)
                return batch.loss(F.cross_entropy, model(batch.inputs.flatten(1))), batch

            torch.compiler.reset()
            loss, batch = torch.compile(step, fullgraph=True)(x, y)
            loss.backward()
            # whatever the compiled draw was, the batch must be what its lam and partner say
            partner = torch.arange(31, -1, -1) if pairing == "flip" else None
            if partner is None:
                gap = (batch.inputs - batch.lam.view(-1, 1, 1, 1) * x).flatten(1)
                ends = (1 - batch.lam)[:, None, None] * x.flatten(1)[None]
                partner = (gap[:, None] - ends).norm(dim=2).argmin(1)
            unmixed = batch.lam == 1
            lam = batch.lam.view(-1, 1, 1, 1)
            torch.testing.assert_close(batch.inputs, lam * x + (1 - lam) * x[partner], atol=1e-5, rtol=1e-5)
            if outside == "discard":
                d = (x - x[partner]).flatten(1).norm(dim=1)
                torch.testing.assert_close(batch.weights, torch.exp(-0.1 * d), atol=1e-5, rtol=1e-5)
                assert torch.equal(batch.partner_targets, y[partner])
            assert torch.equal(batch.inputs[unmixed], x[unmixed])
            print(pairing, outside, "ok", flush=True)


if __name__ == "__main__":
    main()
