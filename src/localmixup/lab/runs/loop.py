"""The one training loop of the lab: a stack of runs in, what each leaves behind out.

Every update takes a batch, computes the loss of every run, and steps the optimiser. The runs of a stack share nothing
but the calls: each has its own weights, draws and split of the data, and ends up as it would alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from localmixup._validate import ArgumentError
from localmixup.lab.data.prepared import Prepared
from localmixup.lab.methods import Batch
from localmixup.lab.methods.base import shares
from localmixup.lab.models import build_model
from localmixup.lab.runs.draws import Run, batches, inputs_on, of_stack
from localmixup.lab.runs.evaluate import corrupted_errors, errors, regions, test
from localmixup.lab.runs.network import Network, stack
from localmixup.lab.runs.optimizers import build_optimizer, rate_shares
from localmixup.lab.runs.outcome import Outcome
from localmixup.lab.runs.spec import RunSpec
from localmixup.lab.runs.standards import together

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_COMPILED_UPDATES = 2000  # on a GPU, a network for images that is trained for longer is compiled first


def train(specs: Sequence[RunSpec], prepared: Prepared, *, device: str = "cpu") -> list[Outcome]:
    """Train a stack of runs and measure each.

    A run ends up as it does alone, up to rounding.

    Args:
        specs: the runs, for all of which `localmixup.lab.runs.engine.stack_key` is the same.
        prepared: the data of these runs, standardised and with the test set split off.
        device: `"cpu"` or `"cuda"`.

    Returns:
        What each run leaves behind, in the order of `specs`.

    Raises:
        ArgumentError: a setting is not known.
    """
    settings = specs[0].training
    where = torch.device(device)
    inputs, targets = inputs_on(where, prepared, settings.standardise), prepared.y.to(where)
    runs = [Run(spec, prepared, inputs, targets) for spec in specs]
    network, companion = _networks(runs, prepared)
    trained = nn.ModuleList([network] if companion is None else [network, companion]).to(where)
    if inputs.x.ndim == 4:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if where.type == "cuda" and settings.updates >= _COMPILED_UPDATES:
            for layer in network.layers:
                layer.compile()
    shares_of_rate, optimizer = rate_shares(settings), build_optimizer(settings, trained.parameters())
    rates = [group["lr"] for group in optimizer.param_groups]
    scaler = torch.amp.GradScaler(where.type, enabled=settings.precision == "fp16")
    autocast = torch.autocast(where.type, dtype=_DTYPES.get(settings.precision), enabled=settings.precision != "no")

    method, watch = runs[0].method, _Watch(network, runs, prepared)
    for update, batch in enumerate(_batches(runs, network), start=1):
        with autocast:
            batch = method.seen_by(network, batch)
            losses, weights = method.losses(network, batch)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * shares_of_rate[update - 1]
        optimizer.zero_grad()
        scaler.scale(losses.sum()).backward()  # type: ignore[no-untyped-call]
        scaler.step(optimizer)
        scaler.update()
        watch.losses.append(losses.detach())
        watch.shares.append(batch.shares if weights is None else shares(batch.moved, weights, batch.size))
        if watch.is_due(update):
            watch.look(update)
    watch.restore_best()
    return _outcomes(runs, prepared, network, watch, sum(p.numel() for p in trained.parameters() if p.requires_grad))


def _outcomes(
    runs: Sequence[Run], prepared: Prepared, network: Network, watch: _Watch, parameters: int
) -> list[Outcome]:
    """Measure the trained networks, and put together what each run leaves behind."""
    settings, seeds = runs[0].training, [run.spec.seed for run in runs]
    test_rows, standards = torch.stack([run.test_rows for run in runs]), watch.standards
    tested = test(network, prepared, test_rows, judges=settings.resample == "judge", standards=standards)
    measured = {name: corrupted_errors(network, name, seeds, prepared) for name in settings.measure}
    kept = regions(network, prepared, standards) if settings.regions and prepared.x.shape[1:] == (2,) else None
    # in eq. (3) a sample counts as much as its weight, so the updates are averaged by their mean weight
    weight, moved, ess = torch.stack(watch.shares).mean(dim=0).cpu().T.tolist()
    return [
        Outcome(
            validation_error=watch.validation_errors[r],
            test_error=tested[r].error,
            train_seconds=watch.seconds / len(runs),
            mixed_share=moved[r] / max(weight[r], 1e-12),
            ess_ratio=ess[r],
            mean_weight=weight[r],
            curve=[(update, of_runs[r], errors_of_runs[r]) for update, of_runs, errors_of_runs in watch.curve],
            regions=None if kept is None else kept[r],
            train_errors=[of_runs[r] for of_runs in watch.train_errors],
            measured={name: of_runs[r] for name, of_runs in measured.items()},
            parameters=parameters // len(runs),
            scores=tested[r].scores,
            row_losses=tested[r].row_losses,
        )
        for r in range(len(runs))
    ]


def _networks(runs: Sequence[Run], prepared: Prepared) -> tuple[Network, nn.Module | None]:
    """Make the networks of the runs, and what their method trains beside them."""
    models = []
    for run in runs:
        torch.manual_seed(run.spec.seed)
        models.append(build_model(run.spec.training.model, tuple(prepared.x.shape[1:]), prepared.outputs))
    # after the only model of a run, since it goes on drawing where that one's weights ended
    companion = runs[0].method.companion(models[0], prepared.x[runs[0].rows[:2]])
    if companion is not None and len(runs) > 1:
        raise ArgumentError(f"runs of {runs[0].spec.method.method} must be trained alone, got {len(runs)} in a stack")
    return stack(models), companion


def _batches(runs: Sequence[Run], network: Network) -> Iterator[Batch]:
    """Yield the batch of every update, drawn a chunk at a time."""
    first, updates = runs[0], runs[0].training.updates
    scale = torch.tensor([run.spec.method.loss_scale for run in runs], device=first.targets.device)
    inputs, targets = of_stack(runs)
    drop = network.rows_are_independent and first.method.drops
    for start in range(0, updates, first.chunk):
        draws = [run.draw(min(first.chunk, updates - start), drop=drop) for run in runs]
        yield from batches(draws, inputs, targets, scale, first.size)


class _Watch:
    """Follows the runs of a stack: losses, errors on the way, and the best weights."""

    def __init__(self, network: Network, runs: Sequence[Run], prepared: Prepared) -> None:
        self.network, self.prepared, self.settings = network, prepared, runs[0].training
        self.rows = torch.stack([run.rows for run in runs])
        own = [run.standard for run in runs if run.standard is not None]
        self.standards = together(own, prepared, runs[0].targets.device) if own else None
        self.x = prepared.x if prepared.raw is None or self.standards is None else prepared.raw
        self.validation_rows = torch.stack([run.validation_rows for run in runs])
        settings = self.settings
        self.every = max(-(-self.rows.shape[1] // settings.batch_size), -(-settings.updates // settings.curve_points))
        self.losses: list[Tensor] = []
        self.shares: list[Tensor] = []
        self.seconds, self.started = 0.0, time.perf_counter()
        self.curve: list[tuple[int, list[float], list[float]]] = []
        self.train_errors: list[list[float]] = []
        self.validation_errors: list[float] = []
        self.best: dict[str, Tensor] = {}

    def is_due(self, update: int) -> bool:
        """Return whether the runs are evaluated after this update."""
        return update % self.every == 0 or update == self.settings.updates

    def look(self, update: int) -> None:
        """Evaluate the runs, which does not count as training time."""
        self.seconds += time.perf_counter() - self.started
        mean_losses = torch.stack(self.losses).float().mean(dim=0).tolist()
        self.losses.clear()
        found = errors(self.network, self.x, self.prepared.y, self.prepared, self.validation_rows, self.standards)
        self.curve.append((update, mean_losses, found))
        if self.settings.train_error:
            of_training = errors(self.network, self.x, self.prepared.y, self.prepared, self.rows, self.standards)
            self.train_errors.append(of_training)
        if self.settings.keep == "last" or not self.validation_errors:
            self.validation_errors = found
        if self.settings.keep == "best":
            self._keep_if_better(found)
        self.started = time.perf_counter()

    def _keep_if_better(self, found: list[float]) -> None:
        better = [new < old or not self.best for new, old in zip(found, self.validation_errors, strict=True)]
        self.validation_errors = [min(pair) for pair in zip(self.validation_errors, found, strict=True)]
        for name, value in self.network.state_dict().items():
            if not self.best or name not in self.best:
                self.best[name] = value.clone()
            elif self.network.runs == 1:
                self.best[name] = value.clone() if better[0] else self.best[name]
            else:
                self.best[name][better] = value[better]

    def restore_best(self) -> None:
        """Give the networks the weights of their lowest validation error, where these are to be kept."""
        if self.best:
            self.network.load_state_dict(self.best)
