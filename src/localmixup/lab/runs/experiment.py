"""An experiment: arms, each a method trained on some data with many seeds, and findings, which are computed."""

from __future__ import annotations

from functools import cached_property

from localmixup.lab.runs.spec import DataSpec, Frozen, MethodSpec, RunSpec, TrainingSpec, key_of


class Arm(Frozen):
    """One line of a table or point of a figure: a method with its training on some data, run with many seeds.

    Attributes:
        item: the figure, table or command that wants it.
        protocol: which version of the experiment.
        scale: how large the experiment is.
        panel: part of the item, such as a data set and model.
        label: as printed.
        x: its place on the axis of a figure; None in a table.
        control_of: label of the arm that it is a control of; None for an arm of its own.
        data: which data.
        training: how it is trained.
        method: with which method.
    """

    item: str
    protocol: str
    scale: str
    panel: str
    label: str
    x: float | None = None
    control_of: str | None = None
    data: DataSpec
    training: TrainingSpec
    method: MethodSpec

    @cached_property
    def key(self) -> str:
        """The key of its line in the store."""
        return key_of(self)

    def run(self, seed: int) -> RunSpec:
        """Return one of its runs.

        Args:
            seed: of the run.
        """
        return RunSpec(data=self.data, training=self.training, method=self.method, seed=seed)


class FindingSpec(Frozen):
    """Something that is computed rather than trained: the numbers of a picture, a curve.

    Attributes:
        item: see `Arm`.
        protocol: see `Arm`.
        scale: see `Arm`.
        panel: see `Arm`.
        data: what it is computed from.
        settings: what it is computed with, by name, in the order of the names.
    """

    item: str
    protocol: str
    scale: str
    panel: str
    data: DataSpec | None = None
    settings: tuple[tuple[str, float | str], ...] = ()

    @cached_property
    def key(self) -> str:
        """The key of its line in the store."""
        return key_of(self)
