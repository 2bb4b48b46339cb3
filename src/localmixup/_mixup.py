"""`LocalMixup`: one object in the training loop. It draws a plan, mixes the batch and weighs the loss (eq. 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from localmixup import _partners as partners
from localmixup._batch import PLANS, MixedBatch, MixPlan
from localmixup._distances import as_features, norm_scale
from localmixup._interpolate import between, check_mixable, interpolate_and_measure, map_tensors, tensors_in
from localmixup._random import DrawingModule
from localmixup._settings import SETTINGS, checked
from localmixup._validate import ArgumentError
from localmixup.graphs.base import DistanceGraph, LocalityGraph
from localmixup.graphs.registry import graph_from_config, graph_to_config, settings_of, to_plain

_NO_DRAWS = (None, None)


class LocalMixup(DrawingModule):
    """Local Mixup (Baena, Drumetz, Gripon, 2024): mix each sample with a partner, weighed by how near the two are.

    A module without parameters: in `.eval()` mode batches pass unmixed, with weights 1.

    Args:
        graph: from `localmixup.graphs`, or an object with `matrix(features)` and `pair_weights(features, partner)`.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0. 1 is uniform, small values mix little, `inf` gives
            1/2 always.
        prob: share of the samples that are mixed at all, in [0, 1]; the others pass untouched and count 1. How often
            and how locally are two questions: the graph answers the second.
        per_sample: draw one `lam` a sample rather than one a batch.
        pairing: who meets whom.
            `"permutation"`: a random permutation of the batch (the paper).
            `"flip"`: sample i with sample n - 1 - i; in a shuffled batch the same law, at half the distances.
            `"within_class"`, `"between_class"`: a random sample of the same class, or of another. Where there is none
            (a class with one sample; one class only) the sample meets itself, stays as it is and counts 1.
            `"neighbors"`: drawn with probability proportional to the row of W, the sample itself included; counts 1.
        outside: what becomes of a pair in as far as the graph leaves it out.
            `"discard"`: it counts W, eq. (3).
            `"unmix"`: with probability 1 - W the sample stays as it is and counts 1, so that the batch keeps its size
            and the ends of the range are exactly vanilla training and mixup.
        reduction: of `MixedBatch.loss`: `"weighted_mean"`, sum(w l) / sum(w); `"mean"`, sum(w l) / n, eq. (3) up to a
            constant; `"sum"`; `"none"`.
        generator: source of all draws; with one, the same state gives the same plan and no global random state is
            touched. In a DataLoader worker it is split among the workers. Not for use inside `torch.compile`.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> mix = LocalMixup(ThresholdGraph(radius=2.0), generator=torch.Generator().manual_seed(0))
    >>> batch = mix(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([0, 1, 1]))
    >>> batch.loss(torch.nn.functional.cross_entropy, torch.zeros(3, 2))
    tensor(0.6931)
    """

    def __init__(
        self,
        graph: LocalityGraph,
        *,
        mixup_alpha: float = 1.0,
        prob: float = 1.0,
        per_sample: bool = False,
        pairing: str = "permutation",
        outside: str = "discard",
        reduction: str = "weighted_mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.mixup_alpha = mixup_alpha
        self.prob = prob
        self.per_sample = per_sample
        self.pairing = pairing
        self.outside = outside
        self.reduction = reduction
        self.generator = generator
        self._plan_type = PLANS[self.reduction]
        self._worker_generator: tuple[int, torch.Generator] | None = None

    def extra_repr(self) -> str:
        """The settings, for `repr`."""
        return (
            f"{self.graph!r}, mixup_alpha={self.mixup_alpha:g}, prob={self.prob:g}, per_sample={self.per_sample}, "
            f"pairing={self.pairing!r}, outside={self.outside!r}, reduction={self.reduction!r}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Settings may be changed between batches: they are checked, and what was made from them is made anew."""
        value = checked(name, value)
        if name == "graph":
            self._modules.pop(name, None)  # a module gives way to a graph that is none
        super().__setattr__(name, value)
        if name in SETTINGS and "_plan_type" in self.__dict__:
            self._plan_type = PLANS[self.reduction]

    def to_config(self) -> dict[str, Any]:
        """The settings as plain values, for JSON. The generator is no setting: its state is in `state_dict()`.

        Raises:
            ValueError: the graph, or its metric, is an object of one's own.

        >>> LocalMixup(CompleteGraph(), prob=0.5).to_config()["prob"]
        0.5
        """
        settings = {name: to_plain(name, getattr(self, name)) for name in SETTINGS if name != "graph"}
        return {"graph": graph_to_config(self.graph), **settings}

    @classmethod
    def from_config(cls, config: dict[str, Any], generator: torch.Generator | None = None) -> LocalMixup:
        """The `LocalMixup` that `to_config` described.

        Args:
            config: the graph, and any of the settings; the others take their default.
            generator: see the class.

        Raises:
            ValueError: an unknown setting, or one that is missing or out of range.
        """
        settings = settings_of(config, SETTINGS, cls.__name__)
        return cls(graph_from_config(settings.pop("graph", None)), **settings, generator=generator)

    def set_extra_state(self, state: Tensor | None) -> None:
        """Let the generator go on where a saved one stopped; see `DrawingModule`."""
        super().set_extra_state(state)
        self._worker_generator = None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: no native code, and the generator of a worker stays there."""
        return {**super().__getstate__(), "_worker_generator": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Undo `__getstate__`."""
        super().__setstate__(state)

    def forward(self, x: Any, y: Any, features: Any = None, *, inplace: bool = False) -> MixedBatch:
        """Draw a plan for a batch and mix it.

        Args:
            x: inputs, shape `(n, ...)`, or a tuple or dict of such (one plan for all); floating point.
            y: targets: class indices, one-hot or soft labels, several labels, values, masks; first dimension n; or a
                tuple or dict of such.
            features: what distances are measured on, first dimension n. Default: the inputs, flattened.
            inplace: write the mixed inputs into `x`; otherwise nothing of the caller's is changed.

        Returns:
            The mixed batch; inputs keep their dtype, weights are float32 (float64 for float64 features).

        Raises:
            ValueError: inputs that cannot be mixed, or batch sizes that differ.
        """
        n = _batch_size(x, y)
        if not self.training:
            ones = _lam_like(x, n)
            return self._plan_type.batch_type(x, y, y, ones, ones)
        if features is None and self._one_pass(x):
            return self._mix_in_one_pass(x, y, inplace)
        plan = self.plan(x if features is None else features, y)
        return plan.apply(x, y, inplace=inplace)

    def plan(self, features: Any, y: Any = None) -> MixPlan:
        """Draw a plan; nothing is mixed yet. In `.eval()` mode the plan that leaves everything as it is.

        Args:
            features: what distances are measured on, shape `(n, ...)`: the inputs, or any embedding of them; of a
                tuple or dict, all tensors together.
            y: targets; needed for pairing by class.

        Returns:
            Partners, mixing coefficients and weights, on the device of the features.

        Raises:
            ValueError: no features, or no classes where the pairing needs them.
        """
        features = _joined(features)
        n = features.shape[0]
        if not self.training:
            itself = torch.arange(n, device=features.device)
            ones = _lam_like(features, n)
            return self._plan_type(itself, ones, ones)
        with torch.no_grad():
            features = features.detach()
            partner, weights = self._partners(features, y, n)
            lam = self._lam(n, features)
            unmixed = self._draws_of_unmixing(n, features)
            if weights is None:
                weights = self.graph.pair_weights(features, partner)
            return self._finish(partner, lam, weights, unmixed)

    def collate_fn(self, samples: list[Any]) -> MixedBatch:
        """Collate samples `(x, y)` and mix them: `DataLoader(data, collate_fn=mix.collate_fn)`, workers included.

        Args:
            samples: what the data set returns, pairs of input and target.
        """
        x, y = default_collate(samples)
        batch: MixedBatch = self(x, y)
        return batch

    def mix_pairs(self, x: Any, y: Any, partner_x: Any, partner_y: Any) -> MixedBatch:
        """Mix pairs that `PairSampler` drew: only `lam` is drawn here, and every pair counts 1.

        Args:
            x: inputs of the samples, shape `(n, ...)`, or a tuple or dict of such.
            y: their targets.
            partner_x: inputs of the partners, like `x`.
            partner_y: targets of the partners, like `y`.

        Raises:
            ValueError: batch sizes or structures that differ.
        """
        n = _batch_size((x, partner_x), (y, partner_y))
        for own, other in zip(tensors_in(x, "inputs"), tensors_in(partner_x, "inputs"), strict=True):
            check_mixable(own)
            if own.shape != other.shape or own.dtype != other.dtype:
                raise ArgumentError(
                    f"inputs and those of the partners must be alike, got {own.dtype} of shape {tuple(own.shape)} and "
                    f"{other.dtype} of shape {tuple(other.shape)}"
                )
        ones = _lam_like(x, n)
        if not self.training:
            return self._plan_type.batch_type(x, y, y, ones, ones)
        lam = self._lam(n, ones)
        pairs = zip(tensors_in(x, "inputs"), tensors_in(partner_x, "inputs"), strict=True)
        mixed = iter([between(own, other, lam) for own, other in pairs])
        inputs = map_tensors(lambda _: next(mixed), x, "inputs")
        return self._plan_type.batch_type(inputs, y, partner_y, lam, ones)

    def collate_pairs(self, samples: list[Any]) -> MixedBatch:
        """Collate what `PairDataset` returns and mix it: `DataLoader(..., collate_fn=mix.collate_pairs)`.

        Args:
            samples: pairs of samples, `((x, y), (partner_x, partner_y))` each.
        """
        (x, y), (partner_x, partner_y) = default_collate(samples)
        return self.mix_pairs(x, y, partner_x, partner_y)

    # ---- drawing -----------------------------------------------------------------------------------------------

    def _random(self, device: torch.device) -> tuple[torch.Generator | None, torch.device]:
        """The generator to draw from and the device on which its draws appear."""
        if self.generator is None:
            return None, device
        if torch.compiler.is_compiling():
            raise RuntimeError(
                "a generator cannot be used inside torch.compile: use generator=None, or compile plan.apply"
            )
        worker = get_worker_info()
        if worker is None:
            return self.generator, self.generator.device
        # every worker holds a copy of the generator: without this all of them would draw the same plans
        if self._worker_generator is None or self._worker_generator[0] != worker.seed:
            own = int(torch.randint(2**62, (), generator=self.generator))
            self._worker_generator = (worker.seed, torch.Generator().manual_seed((own ^ worker.seed) % 2**63))
        return self._worker_generator[1], self._worker_generator[1].device

    def _partners(self, features: Tensor, y: Any, n: int) -> tuple[Tensor, Tensor | None]:
        generator, device = self._random(features.device)
        if self.pairing == "permutation":
            partner = partners.permutation(n, device=device, generator=generator)
        elif self.pairing == "flip":
            partner = partners.flip(n, device=features.device)
        elif self.pairing == "neighbors":
            matrix = self.graph.matrix(features).to(device)
            partner = partners.neighbors(matrix, generator=generator) if n else torch.arange(0, device=device)
            return partner.to(features.device), matrix.new_ones(n).to(features.device)
        else:
            by_class = partners.within_class if self.pairing == "within_class" else partners.between_class
            partner = by_class(partners.classes_of(y, n).to(device), generator=generator)
        return partner.to(features.device), None

    def _lam(self, n: int, features: Tensor) -> Tensor:
        generator, device = self._random(features.device)
        dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
        count = n if self.per_sample else 1
        lam = partners.draw_lam(count, self.mixup_alpha, dtype=dtype, device=device, generator=generator)
        return lam.to(features.device).expand(n)

    def _draws_of_unmixing(self, n: int, features: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Uniform draws that decide, against W and against `prob`, which samples stay as they are."""
        generator, device = self._random(features.device)
        outside = prob = None
        if self.outside == "unmix":
            outside = torch.rand(n, device=device, generator=generator).to(features.device)
        if self.prob < 1:
            prob = torch.rand(n, device=device, generator=generator).to(features.device)
        return outside, prob

    def _moves(self, weights: Tensor, draws: tuple[Tensor | None, Tensor | None], rows: slice) -> Tensor | None:
        """Which samples are mixed; None for all."""
        outside, prob = draws
        moves = None if outside is None else outside[rows] < weights
        if prob is not None:
            often = prob[rows] < self.prob
            moves = often if moves is None else moves & often
        return moves

    def _finish(
        self, partner: Tensor, lam: Tensor, weights: Tensor, draws: tuple[Tensor | None, Tensor | None]
    ) -> MixPlan:
        if draws != _NO_DRAWS or self.pairing not in ("permutation", "flip"):
            itself = torch.arange(len(partner), device=partner.device)
            lam = torch.where(partner == itself, 1.0, lam)
            moves = self._moves(weights, draws, slice(None))
        else:
            moves = None
        if moves is not None:
            partner, lam = torch.where(moves, partner, itself), torch.where(moves, lam, 1.0)
            weights = torch.ones_like(weights) if self.outside == "unmix" else torch.where(moves, weights, 1.0)
        return self._plan_type(partner, lam, weights)

    # ---- the fast path -----------------------------------------------------------------------------------------

    def _one_pass(self, x: Any) -> bool:
        """Whether one difference can serve both the distance and the mixing."""
        return (
            isinstance(x, Tensor)
            and not torch.compiler.is_compiling()
            and x.device.type == "cpu"
            and x.dtype in (torch.float32, torch.float64)
            and x.ndim > 1
            and x.is_contiguous()
            and isinstance(self.graph, DistanceGraph)
            and self.graph.metric in ("euclidean", "rms")
            and self.pairing != "neighbors"
            and not (x.requires_grad and torch.is_grad_enabled())
        )

    def _mix_in_one_pass(self, x: Tensor, y: Any, inplace: bool) -> MixedBatch:
        graph, n = self.graph, x.shape[0]
        assert isinstance(graph, DistanceGraph)
        partner, _ = self._partners(x, y, n)
        lam = self._lam(n, x)
        draws = self._draws_of_unmixing(n, x)
        scale = (norm_scale(graph.metric, x[0].numel()) or 1.0) if n else 1.0

        def weigh(distances: Tensor, rows: slice) -> Tensor:
            weights = graph.of_distance(distances if scale == 1 else distances * scale)
            if graph.mixes_duplicates:
                return weights
            return weights.masked_fill_(partner[rows] == torch.arange(rows.start, rows.stop), 1.0)

        def keep(distances: Tensor, rows: slice) -> Tensor:
            moves = self._moves(weigh(distances, rows), draws, rows)
            assert moves is not None
            return moves

        mixed, distances = interpolate_and_measure(
            x,
            partner,
            lam if self.per_sample or not n else lam[0].item(),
            keep=None if draws == _NO_DRAWS else keep,
            flip=self.pairing == "flip",
            inplace=inplace,
        )
        plan = self._finish(partner, lam, weigh(distances, slice(0, n)), draws)
        return plan.batch_type(mixed, y, plan.partner_of(y), plan.lam, plan.weights)


def _batch_size(x: Any, y: Any) -> int:
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.ndim and y.ndim and x.shape[0] == y.shape[0]:
        return x.shape[0]
    tensors = [*tensors_in(x, "inputs"), *tensors_in(y, "targets")]
    sizes = {tuple(t.shape[:1]) for t in tensors}
    if len(sizes) != 1 or sizes == {()}:
        shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
        raise ArgumentError(f"inputs and targets must have the same first dimension, the batch, got shapes {shapes}")
    return int(sizes.pop()[0])


def _joined(features: Any) -> Tensor:
    """One tensor of features; several are flattened and put side by side."""
    if isinstance(features, Tensor):
        if features.ndim == 0:
            raise ArgumentError("features must have shape (n, ...), one row a sample, got a scalar")
        return features
    tensors = tensors_in(features, "features")
    if not tensors:
        raise ArgumentError("features must hold at least one tensor, got none")
    return torch.cat([as_features(t) for t in tensors], dim=1)


def _lam_like(x: Any, n: int) -> Tensor:
    first = tensors_in(x, "inputs")[0]
    return torch.ones(n, device=first.device, dtype=torch.float64 if first.dtype == torch.float64 else torch.float32)
