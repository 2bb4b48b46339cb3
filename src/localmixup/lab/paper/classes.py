"""Section 5.3: mixup within classes only and between classes only, and the shares of both on the spirals."""

from __future__ import annotations

from collections.abc import Generator

from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.figure4 import distances
from localmixup.lab.paper.images import panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import Reading, paper_table, reported, sign_sentence
from localmixup.lab.paper.section import Reported, Section
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.spec import MethodSpec


class Classes(Item):
    """Within and between classes."""

    name = "classes"
    title = "Section 5.3: mixup within and between classes"
    claim = (
        "within classes only (4.7) and between classes only (4.5) are both worse than mixup (4.13) on CIFAR-10; on the "
        "spirals Local Mixup mixes 30 % within and 70 % between classes"
    )
    size = "ResNet-18 on CIFAR-10"
    protocols = ("paper", "controlled")

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run both on CIFAR-10, and compute the shares on both readings of the spirals."""
        for name in ("spirals", "spirals-gaussian"):
            loaded = bench.data(name)
            yield from bench.find(self.name, loaded, lambda loaded=loaded: distances(loaded))  # type: ignore[misc]
        for panel in (yield from panels_of(bench, self.name, ("cifar10",))):
            training = panel.training()
            arms = panel.baselines(training)
            arms.append(panel.arm("within classes", MethodSpec(method="within-class"), training))
            arms.append(panel.arm("between classes", MethodSpec(method="between-class"), training))
            yield from panel.train(arms)

    def section(self, reading: Reading) -> Section:
        """Return the errors and the shares."""
        tables, sentences = [], []
        stated = _stated()
        for group in reading.groups(self.name):
            table = paper_table(group.results, stated, full_runs=self.full_runs(group.panel))
            tables.append(table)
            for label in ("within classes", "between classes"):
                if table.table.difference(label, "mixup") is not None:
                    gap = stated[label].mean - stated["mixup"].mean
                    sentences.append(f"{group.where}: {sign_sentence(table.table, label, 'mixup', gap)}")
        shares = {finding.spec.panel: finding.value for finding in reversed(reading.found(self.name))}
        for panel, value in sorted(shares.items()):
            at = value["radii"].index(0.5)
            within = value["same_class"][at]
            sentences.append(
                f"{panel}: at a radius of 0.5 (which keeps {100 * value['kept'][at]:.1f} % of the pairs) "
                f"{100 * within:.1f} % of the pairs are within a class and {100 * (1 - within):.1f} % between classes; "
                f"the smallest share within a class at any of {len(value['radii'])} radii is "
                f"{100 * min(value['same_class']):.1f} %. The paper says 30 % and 70 %: "
                + ("the two are swapped." if within > 0.6 else "not found here.")
            )
        if tables:
            sentences.append(
                "Locality: neither is a local graph; they show what a restriction of the pairs by class does."
            )
        return self.reported(reading, sentences, tables=tables)


def _stated() -> dict[str, Reported]:
    table1, by_class = reported()["table1_error_percent"], reported()["inter_intra_cifar10_error_percent"]
    return {
        "vanilla": Reported(*table1["baseline"]["cifar10"]),
        "mixup": Reported(*table1["mixup"]["cifar10"]),
        "within classes": Reported(by_class["intra_class_only"]),
        "between classes": Reported(by_class["inter_class_only"]),
    }
