"""`LocalMixup`: one object in the training loop. It draws a plan, mixes the batch and weighs the loss (eq. 3)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate, get_worker_info

from localmixup import _partners
from localmixup._batch import MixedBatch, MixPlan
from localmixup._distances import norm_scale
from localmixup._inputs import batch_size, joined, ones_like_rows, unmixed
from localmixup._interpolate import (
    Difference,
    between,
    check_apart,
    check_mixable,
    interpolate,
    is_dense_in_rows,
    map_tensors,
    tensors_in,
)
from localmixup._notice import Notice
from localmixup._random import DrawingModule, next_generator
from localmixup._settings import CHECKS, PAPER, RECOMMENDED, SETTINGS, SIMILAR, checked_weights
from localmixup._validate import ArgumentError, refuse_unknown
from localmixup.graphs.base import LocalityGraph
from localmixup.graphs.distance import DistanceGraph
from localmixup.graphs.registry import graph_from_config, graph_to_config, read_config, settings_of, to_plain

if TYPE_CHECKING:
    from typing import Never


class _Draw(NamedTuple):
    """What was drawn for a batch.

    Attributes:
        plan: the plan.
        difference: of the pairs, if it can be used to mix; else None.
        lam: as drawn, shape `(n,)`, or `(1,)` for all samples.
        moves: which samples are mixed, shape `(n,)`; None for all.
        rows: indices of the samples that may be mixed, if they are known; else None.
    """

    plan: MixPlan
    difference: Difference | None
    lam: Tensor
    moves: Tensor | None
    rows: Tensor | None


class LocalMixup(DrawingModule):
    """Local Mixup (Baena, Drumetz, Gripon, 2024): mix each sample with a partner, weighed by how near the two are.

    `LocalMixup()` is the recommended recipe: a few samples of each batch are mixed, each with the nearest of a few
    others. It needs no unit, no calibration and no pass over the data. `LocalMixup(graph)` is eq. (3) of the paper with
    that graph. `repr` shows what is in force.

    A module without parameters: in `.eval()` mode batches pass unmixed, with weights 1. If hardly any of the first
    pairs counts, or all of them do although the graph is meant to be local, it warns once.

    Args:
        graph: from `localmixup.graphs`, or an object with `matrix(features)` and `pair_weights(features, partner)`.
            None: the recommended recipe, whose other settings are then the defaults.
        mixup_alpha: `lam ~ Beta(mixup_alpha, mixup_alpha)`, > 0. 1 is uniform, small values mix little, `inf` gives
            1/2 always. Default: 1.
        prob: share of the samples that are mixed at all, in [0, 1]. The others pass unchanged and count 1. How often
            and how locally are two questions: the graph answers the second. Default: 1 with a graph, 0.15 without.
        per_sample: draw one `lam` for each sample instead of one for the batch. Default: no.
        pairing: who meets whom. Default: `"permutation"` with a graph, `"neighbors"` without.
            `"permutation"`: a random permutation of the batch (the paper).
            `"flip"`: sample i with sample n - 1 - i; in a shuffled batch the same distribution, with less work.
            `"roll"`: sample i with sample i - 1, as in torchvision; nobody meets itself in a batch of two or more.
            `"within_class"`, `"between_class"`: a random sample of the same class, or of another one. Without such a
            sample, the sample meets itself, stays unchanged and counts 1.
            `"neighbors"`: drawn with probability proportional to the row of W, the sample itself included; counts 1.
        outside: what to do with pairs the graph considers too far apart.
            `"discard"`: they count W, eq. (3).
            `"unmix"`: with probability 1 - W the sample stays unchanged and counts 1, so that the batch keeps its size
            and the ends of the range are exactly vanilla training and mixup.
        generator: source of all draws. With one, the same state gives the same plan, and no global random state is
            touched. In a DataLoader worker it is split among the workers. Not for use inside `torch.compile`.

    Attributes:
        reasons: why `localmixup.recommend` took it, in sentences; else empty.

    Raises:
        ValueError: an argument is out of range.

    >>> from localmixup import ThresholdGraph
    >>> LocalMixup()
    LocalMixup(NearestOfGraph(n_candidates=4, metric='euclidean'), mixup_alpha=1, prob=0.15, per_sample=False, \
pairing='neighbors', outside='discard')
    >>> mix = LocalMixup(ThresholdGraph(radius=2.0), generator=torch.Generator().manual_seed(0))
    >>> batch = mix(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([0, 1, 1]))
    >>> batch.loss(torch.nn.CrossEntropyLoss(), torch.zeros(3, 2))
    tensor(0.6931)
    """

    reasons: tuple[str, ...] = ()
    graph: LocalityGraph
    mixup_alpha: float
    prob: float
    per_sample: bool
    pairing: str

    def __init__(
        self,
        graph: LocalityGraph | None = None,
        *,
        mixup_alpha: float | None = None,
        prob: float | None = None,
        per_sample: bool | None = None,
        pairing: str | None = None,
        outside: str = "discard",
        generator: torch.Generator | None = None,
        **unknown: Never,
    ) -> None:
        super().__init__()
        refuse_unknown(type(self).__name__, unknown, [*SETTINGS, "generator"], SIMILAR)
        self._notice = Notice()
        given = {
            "graph": graph, "mixup_alpha": mixup_alpha, "prob": prob, "per_sample": per_sample, "pairing": pairing,
        }  # fmt: skip
        defaults = RECOMMENDED if graph is None else PAPER
        for name, value in given.items():
            setattr(self, name, defaults[name] if value is None else value)
        self.outside = outside
        self.generator = generator
        self._worker_generator: tuple[int, torch.Generator] | None = None

    def extra_repr(self) -> str:
        """Return the settings, for `repr`."""
        return (
            f"{self.graph!r}, mixup_alpha={self.mixup_alpha:g}, prob={self.prob:g}, per_sample={self.per_sample}, "
            f"pairing={self.pairing!r}, outside={self.outside!r}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Check settings, also those that are changed between batches. Other attributes are set unchanged."""
        if name in CHECKS:
            value = CHECKS[name](value)
        if name == "graph":
            self._modules.pop(name, None)  # so that a graph that is a module can be replaced by one that is not
        super().__setattr__(name, value)

    if TYPE_CHECKING:

        def __call__(self, x: Any, y: Any, features: Any = None, *, inplace: bool = False) -> MixedBatch:
            """Mix a batch; see `forward`."""

    def to_config(self) -> dict[str, Any]:
        """Return the settings as plain values, for JSON. The generator's state is in `state_dict()` instead.

        Raises:
            ValueError: the graph or its metric is an object of the user's own.

        >>> from localmixup import CompleteGraph
        >>> LocalMixup(CompleteGraph(), prob=0.5).to_config()["prob"]
        0.5
        """
        settings = {name: to_plain(getattr(self, name)) for name in SETTINGS if name != "graph"}
        return {"graph": graph_to_config(self.graph), **settings}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any] | str | os.PathLike[str], generator: torch.Generator | None = None
    ) -> LocalMixup:
        """Return the `LocalMixup` that `to_config` described.

        Args:
            config: the graph, and any of the settings; the others take their default. Or a JSON file that holds them,
                such as the `local_mixup.json` that `localmixup compare` and `localmixup inspect` write.
            generator: see the class.

        Raises:
            ValueError: an unknown setting, or one that is out of range; or a file that cannot be read.
        """
        settings = settings_of(read_config(config), SETTINGS, cls.__name__)
        graph = graph_from_config(settings.pop("graph")) if "graph" in settings else None
        return cls(graph, **settings, generator=generator)

    def set_extra_state(self, state: Tensor | None) -> None:
        """Restore the generator's state; see `DrawingModule`."""
        super().set_extra_state(state)
        self._worker_generator = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled; the generator of a worker is not."""
        return {**super().__getstate__(), "_worker_generator": None}

    def forward(self, x: Any, y: Any, features: Any = None, *, inplace: bool = False) -> MixedBatch:
        """Draw a plan for a batch and mix it.

        Args:
            x: inputs, shape `(n, ...)`, or a tuple or dict of such (one plan for all); floating point.
            y: targets: class indices, one-hot or soft labels, several labels, values, masks; first dimension n; or a
                tuple or dict of such.
            features: what distances are measured on, first dimension n. Default: the inputs.
            inplace: write the mixed inputs into `x`; otherwise the caller's tensors are not changed.

        Returns:
            The mixed batch. Inputs keep their dtype and memory format; weights are float32 (float64 for float64
            features).

        Raises:
            ValueError: inputs that cannot be mixed, or batch sizes or devices that differ; or `inplace` where an input
                is a target or another input as well.
        """
        n = batch_size(x, y, features)
        if not self.training:
            return unmixed(x, y, n)
        if inplace:
            check_apart(x, y)
        shared = features is None and isinstance(x, Tensor) and not (x.requires_grad and torch.is_grad_enabled())
        plan, difference, lam, moves, rows = self._draw(joined(x if features is None else features), y, shared=shared)
        if difference is None:
            if rows is None or not isinstance(x, Tensor):
                return plan.apply(x, y, inplace=inplace)
            mixed = interpolate(x, plan.partner, plan.lam, inplace=inplace, rows=rows)
            return plan._batch(mixed, y, plan.partner_of(y))
        return plan._batch(difference.mix(lam, moves, inplace=inplace), y, plan.partner_of(y))

    def plan(self, features: Any, y: Any = None) -> MixPlan:
        """Draw a plan; nothing is mixed yet. In `.eval()` mode the plan leaves everything unchanged.

        Args:
            features: what distances are measured on, shape `(n, ...)`: the inputs, or any embedding of them. Of a
                tuple or dict, all tensors together.
            y: targets; needed for pairing by class.

        Returns:
            Partners, mixing coefficients and weights, on the device of the features.

        Raises:
            ValueError: no features, or no classes although the pairing needs them.
        """
        features = joined(features)
        if not self.training:
            ones = ones_like_rows(features, features.shape[0])
            return MixPlan(torch.arange(features.shape[0], device=features.device), ones, ones)
        return self._draw(features, y, shared=False).plan

    def collate_fn(self, samples: list[Any]) -> MixedBatch:
        """Collate samples `(x, y)` and mix them: `DataLoader(data, collate_fn=mix.collate_fn)`, workers included.

        Args:
            samples: what the data set returns, pairs of input and target.
        """
        x, y = default_collate(samples)
        return self(x, y)

    def mix_pairs(self, x: Any, y: Any, partner_x: Any, partner_y: Any) -> MixedBatch:
        """Mix pairs that `PairSampler` drew: only `lam` is drawn here, and every pair counts 1.

        Who is mixed is up to the sampler (its `mixed_share`), not to `prob`; only `prob=0` passes everything unmixed.

        Args:
            x: inputs of the samples, shape `(n, ...)`, or a tuple or dict of such.
            y: their targets.
            partner_x: inputs of the partners, like `x`.
            partner_y: targets of the partners, like `y`.

        Raises:
            ValueError: batch sizes or structures that differ.
        """
        n = batch_size((x, partner_x), (y, partner_y), None)
        own_inputs, other_inputs = tensors_in(x, "inputs"), tensors_in(partner_x, "inputs of the partners")
        if len(own_inputs) != len(other_inputs):
            raise ArgumentError(
                f"inputs of the partners must have the structure of the inputs, got {len(other_inputs)} tensors for "
                f"{len(own_inputs)}"
            )
        for own, other in zip(own_inputs, other_inputs, strict=True):
            check_mixable(own)
            if own.shape != other.shape or own.dtype != other.dtype:
                raise ArgumentError(
                    f"inputs and those of the partners must be alike, got {own.dtype} of shape {tuple(own.shape)} and "
                    f"{other.dtype} of shape {tuple(other.shape)}"
                )
        ones = ones_like_rows(own_inputs[0], n)
        if not self.training or self.prob == 0:
            return MixedBatch(x, y, y, ones, ones)
        lam = self._draw_lam(n, ones, *self._random(ones.device)).expand(n)
        mixed = iter([between(own, other, lam) for own, other in zip(own_inputs, other_inputs, strict=True)])
        return MixedBatch(map_tensors(lambda _: next(mixed), x, "inputs"), y, partner_y, lam, ones)

    def collate_pairs(self, samples: list[Any]) -> MixedBatch:
        """Collate what `PairDataset` returns and mix it: `DataLoader(..., collate_fn=mix.collate_pairs)`.

        Args:
            samples: pairs of samples, `((x, y), (partner_x, partner_y))` each.

        Raises:
            ValueError: the samples are not pairs, because the data set is not a `PairDataset`.
        """
        first = samples[0]
        if not (isinstance(first, tuple) and len(first) == 2 and all(isinstance(end, (tuple, list)) for end in first)):
            raise ArgumentError(
                "samples must be pairs ((x, y), (partner_x, partner_y)): use DataLoader(PairDataset(data), "
                f"batch_sampler=PairSampler(...), collate_fn=mix.collate_pairs), got {type(first).__name__}"
            )
        (x, y), (partner_x, partner_y) = default_collate(samples)
        return self.mix_pairs(x, y, partner_x, partner_y)

    # ---- drawing -----------------------------------------------------------------------------------------------

    def _draw(self, features: Tensor, y: Any, *, shared: bool) -> _Draw:
        """Draw partners, `lam` and weights.

        Args:
            features: shape `(n, ...)`.
            y: targets.
            shared: whether the features are what will be mixed, so that the difference of the pairs serves twice.

        Returns:
            The plan, and what can be used to mix without a second look at the features.
        """
        if features.requires_grad:
            features = features.detach()
        n = features.shape[0]
        generator, device = self._random(features.device)
        by_row = self.pairing == "neighbors"
        if by_row:
            uniform = self._draw_uniform(n, features, generator, device)
        else:
            partner = self._draw_partners(features, y, n, generator, device)
        lam = self._draw_lam(n, features, generator, device)
        unmixing = self._draw_unmixing(n, features, generator, device)
        weights = rows = None
        if by_row:
            partner, rows = self._draw_neighbors(features, uniform, unmixing[1])
            weights = ones_like_rows(features, n)
            unmixing = None, None  # these pairs all count 1, and samples that stay are their own partners already
        difference = None
        if shared and self._measures_what_it_mixes(features):
            found = Difference(features, partner, flipped=self.pairing == "flip")
            difference = None if found.out_of_range else found
        if weights is None:
            weights = self._weights_of(features, partner, difference)
        plan, moves = self._plan_of(partner, lam.expand(n), weights, unmixing)
        if not self._notice.done:
            self._notice.look_at(self, features, partner, weights)
        return _Draw(plan, difference, lam, moves, rows)

    def _weights_of(self, features: Tensor, partner: Tensor, difference: Difference | None) -> Tensor:
        graph = self.graph
        if difference is None:
            with torch.no_grad():  # a graph of the user's own may have parameters
                weights = graph.pair_weights(features, partner)
            return weights if type(graph).__module__.startswith("localmixup.") else checked_weights(graph, weights)
        assert isinstance(graph, DistanceGraph)
        distances = difference.distances
        if graph.metric != "euclidean":
            distances = distances * (norm_scale(graph.metric, features[:1].numel()) or 1.0)
        return graph.weights_of_pairs(distances, partner)

    def _measures_what_it_mixes(self, x: Tensor) -> bool:
        """Return whether one difference can serve both the distance and the mixing."""
        return (
            isinstance(self.graph, DistanceGraph)
            and self.graph.metric in ("euclidean", "rms")
            and self.pairing != "neighbors"
            and x.dtype in (torch.float32, torch.float64)
            and x.ndim > 1
            and is_dense_in_rows(x)
            and not torch.compiler.is_compiling()
        )

    def _random(self, device: torch.device) -> tuple[torch.Generator | None, torch.device]:
        """Return the generator to draw from and the device of its draws."""
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
            self._worker_generator = (worker.seed, next_generator(self.generator, worker.seed % 2**63))
        return self._worker_generator[1], self._worker_generator[1].device

    def _draw_partners(
        self, features: Tensor, y: Any, n: int, generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        if self.pairing == "flip":
            return _partners.flip(n, device=features.device)
        if self.pairing == "roll":
            return _partners.roll(n, device=features.device)
        if self.pairing == "permutation":
            partner = _partners.permutation(n, device=device, generator=generator)
            return partner if generator is None else partner.to(features.device)
        by_class = _partners.within_class if self.pairing == "within_class" else _partners.between_class
        partner = by_class(_partners.classes_of(y, n).to(device), generator=generator)
        return partner.to(features.device)

    def _draw_uniform(
        self, n: int, features: Tensor, generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        """Draw what decides on the partner of each sample, as many numbers as the graph needs."""
        count = getattr(self.graph, "n_uniform", 1)
        shape = (n,) if count == 1 else (n, count)
        return _partners.draw_uniform(shape, device=device, generator=generator, dtype=torch.float64).to(
            features.device
        )

    @torch.no_grad()
    def _draw_neighbors(self, features: Tensor, uniform: Tensor, prob: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the partners, of samples that stay unmixed themselves; and the indices of the others, if known."""
        graph: Any = self.graph
        if not isinstance(graph, LocalityGraph):  # of the user's own
            draw = getattr(graph, "draw_partners", None)
            own: Tensor = (
                LocalityGraph.draw_partners(graph, features, uniform) if draw is None else draw(features, uniform)
            )
            if prob is not None:
                own = torch.where(prob < self.prob, own, torch.arange(len(prob)).to(own.device))
            return own, None
        if prob is None:
            return graph.draw_partners(features, uniform), None
        itself = torch.arange(len(prob), device=prob.device)
        if features.device.type != "cpu" or torch.compiler.is_compiling():  # reading a value makes a GPU wait
            return torch.where(prob < self.prob, graph.draw_partners(features, uniform), itself), None
        rows = (prob < self.prob).nonzero().squeeze(1)
        if len(rows):
            itself.index_copy_(0, rows, graph.draw_partners(features, uniform.index_select(0, rows), rows))
        return itself, rows

    def _draw_lam(self, n: int, features: Tensor, generator: torch.Generator | None, device: torch.device) -> Tensor:
        dtype = torch.float64 if features.dtype == torch.float64 else torch.float32
        count = n if self.per_sample else 1
        lam = _partners.draw_lam(count, self.mixup_alpha, dtype=dtype, device=device, generator=generator)
        return lam if generator is None else lam.to(features.device)

    def _draw_unmixing(
        self, n: int, features: Tensor, generator: torch.Generator | None, device: torch.device
    ) -> tuple[Tensor | None, Tensor | None]:
        """Draw what decides, against W and against `prob`, which samples stay unchanged."""

        def draw() -> Tensor:
            return _partners.draw_uniform((n,), dtype=torch.float32, device=device, generator=generator)

        outside = draw().to(features.device) if self.outside == "unmix" else None
        prob = draw().to(features.device) if self.prob < 1 else None
        return outside, prob

    def _plan_of(
        self, partner: Tensor, lam: Tensor, weights: Tensor, unmixing: tuple[Tensor | None, Tensor | None]
    ) -> tuple[MixPlan, Tensor | None]:
        """Return the plan, and which samples are mixed; None for all."""
        outside, prob = unmixing
        moves = None if outside is None else outside < weights
        if prob is not None:
            moves = prob < self.prob if moves is None else moves & (prob < self.prob)
        if moves is None and self.pairing in ("permutation", "flip", "roll"):
            return MixPlan(partner, lam, weights), None
        itself = torch.arange(len(partner), device=partner.device)
        lam = torch.where(partner == itself, 1.0, lam)
        if moves is None:
            return MixPlan(partner, lam, weights), partner != itself
        partner, lam = torch.where(moves, partner, itself), torch.where(moves, lam, 1.0)
        weights = torch.ones_like(weights) if outside is not None else torch.where(moves, weights, 1.0)
        return MixPlan(partner, lam, weights), moves
