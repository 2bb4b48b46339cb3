"""What a shell completes: names that options and arguments accept."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a completion with one of `names`.

    >>> one_of(["mlp", "lenet5", "resnet"])("le")
    ['lenet5']
    """
    known = list(names)

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return complete


def several_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a completion of a list with commas, with those of `names` that are not in it yet.

    >>> several_of(["mixup", "c-mixup", "cutmix"])("mixup,c")
    ['mixup,c-mixup', 'mixup,cutmix']
    """
    known = list(names)

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = [name.strip() for name in before.split(",")]
        return [f"{before}{comma}{name}" for name in known if name.startswith(last) and name not in given]

    return complete


def suites(incomplete: str) -> list[str]:
    """Complete the value of `benchmark --suite`."""
    from localmixup.lab.benchmark.suite import MEMBERS

    return several_of(["small", "all", *MEMBERS])(incomplete)
