"""Tailoring Mixup to Data for Calibration, "similarity-kernel mixup" (Bouniot, Mozharovskyi, d'Alché-Buc, 2025).

Every pair is mixed, near ones more: the law of `lam` depends on the distance. The formula is
that of the authors' code.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Tensor

from localmixup._distances import distances_between
from localmixup._validate import ArgumentError, check_choice, check_number
from localmixup.lab.methods.base import Batch
from localmixup.lab.methods.mixup import Mixup
from localmixup.lab.runs.network import Network
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec


class WarpingMixup(Mixup):
    """Mixup whose coefficients depend on the similarity of the pair.

    Near pairs are mixed half and half, and of far ones one end is left.

    Partners are of the batch, or random ones of the set. There is one `u` per batch, from `Beta(mixup_alpha,
    mixup_alpha)`: uniform at 1, as in the paper.

    The options are `tau_max`, `tau_std`, and `features`, which says what h is: `"inputs"`, or `"penultimate"`, the
    inputs of the head, computed in a separate pass without gradients in training mode (batch normalisation counts it,
    as in the authors' code). For regression the paper has a second kernel, on the targets, which is not implemented.
    """

    title = "warping mixup"
    formula = """
        dbar_ij = |h_i - h_j|^2 / (its mean over the batch),  tau_ij = tau_max exp((1 - dbar_ij) / (2 tau_std^2))
        lam_ij = the quantile u of Beta(tau_ij, tau_ij),  x~ = lam_ij x_i + (1 - lam_ij) x_j
        L = mean over pairs (i, j) of  lam_ij l(f(x~), y_i) + (1 - lam_ij) l(f(x~), y_j)
    """
    citation = (
        "Bouniot, Mozharovskyi, d'Alché-Buc. Tailoring Mixup to Data for Calibration. ICLR 2025. arXiv:2311.01434"
    )
    OPTIONS: ClassVar[dict[str, float | str]] = {"tau_max": 1.0, "tau_std": 0.25, "features": "inputs"}

    def __init__(self, spec: MethodSpec, training: TrainingSpec, task: str, generator: torch.Generator) -> None:
        super().__init__(spec, training, task, generator)
        self.tau_max, self.tau_std = (check_number(k, self.options[k], low=0) for k in ("tau_max", "tau_std"))
        if self.tau_std == 0 or self.tau_max == 0:
            raise ArgumentError(f"tau_max and tau_std must be > 0, got {self.tau_max} and {self.tau_std}")
        self.features = check_choice("features", self.options["features"], ("inputs", "penultimate"))

    def losses(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return the loss of the pairs of every run, mixed by their similarity."""
        own, other = batch.inputs, batch.partner_inputs
        if self.features == "penultimate":
            with torch.no_grad():
                own, other = network.part(0, -1)(torch.cat([own, other], dim=1)).chunk(2, dim=1)
        squares = distances_between(own.flatten(0, 1), other.flatten(0, 1)).square().view_as(batch.lam)
        lam = warped(squares, batch.lam, self.tau_max, self.tau_std).to(batch.lam.dtype)
        return super().losses(network, batch._replace(lam=lam))


def warped(squares: Tensor, uniform: Tensor, tau_max: float, tau_std: float) -> Tensor:
    """Return coefficients of pairs by their distance: quantiles of `Beta(tau, tau)`, in float64.

    Args:
        squares: squared distance of each pair, shape `(..., n)`; n pairs make a batch.
        uniform: which quantile, in [0, 1], in the same shape.
        tau_max: tau of a pair at the mean of the squares of its batch, > 0.
        tau_std: how fast tau falls with the distance, in the unit of that mean, > 0.

    Returns:
        Values in [0, 1], in the same shape. Where all pairs coincide, as if their distance were zero.

    >>> warped(torch.tensor([0.5, 1.5]), torch.tensor([0.25, 0.25]), tau_max=1.0, tau_std=0.25).round(decimals=3)
    tensor([0.4680, 0.0000], dtype=torch.float64)
    """
    values = squares.detach().cpu().double().numpy()
    relative = values / np.maximum(values.mean(axis=-1, keepdims=True), np.finfo(values.dtype).tiny)
    with np.errstate(over="ignore"):
        tau = tau_max * np.exp((1 - relative) / (2 * tau_std**2))
    # beyond these the quantiles are 1/2, or 0 and 1, to all digits
    quantiles = betaincinv(*(tau.clip(1e-12, 1e12),) * 2, uniform.detach().cpu().double().numpy())
    return torch.from_numpy(quantiles).to(squares.device)
