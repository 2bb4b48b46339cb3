"""Section 5.3: mixup within classes only and between classes only, and the shares of both on the spirals."""

from __future__ import annotations

from localmixup.lab.paper.bench import Bench
from localmixup.lab.paper.figure4 import distances
from localmixup.lab.paper.images import panels_of
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.reading import ArmResult, Reading, groups, reported, sign_sentence, table_of
from localmixup.lab.paper.section import Reported, Section
from localmixup.lab.runs.spec import FindingSpec, MethodSpec

_VALUES = {"within classes": "intra_class_only", "between classes": "inter_class_only"}


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

    def run(self, bench: Bench) -> None:
        """Both on CIFAR-10, and the shares on both readings of the spirals."""
        for name in ("spirals", "spirals-gaussian"):
            data = bench.data(name).spec
            spec = FindingSpec(item=self.name, protocol=bench.protocol, scale=bench.scale, panel=name, data=data)
            bench.find(spec, lambda name=name: distances(bench.data(name)))  # type: ignore[misc]
        for panel in panels_of(bench, self.name, ("cifar10",)):
            training = panel.training()
            arms = panel.baselines(training)
            arms.append(panel.arm("within classes", MethodSpec(method="within-class"), training))
            arms.append(panel.arm("between classes", MethodSpec(method="between-class"), training))
            panel.train(arms)

    def section(self, reading: Reading) -> Section:
        """Errors, and the shares."""
        tables, sentences = [], []
        stated = reported()["inter_intra_cifar10_error_percent"]
        mixup_value = reported()["table1_error_percent"]["mixup"]["cifar10"][0]
        for (protocol, scale, panel), group in groups(reading.of(self.name)).items():
            table = table_of(group, _value, full_runs=self.full_runs(panel))
            tables.append(table)
            for label, key in _VALUES.items():
                if (d := table.difference(label, "mixup")) is not None:
                    words = sign_sentence(f"{label} against mixup", stated[key] - mixup_value, d)
                    sentences.append(f"{panel}, {protocol} ({scale}): {words}")
        seen = set()
        for finding in reading.found(self.name):
            if finding.spec.panel in seen:
                continue
            seen.add(finding.spec.panel)
            at = finding.value["radii"].index(0.5)
            within = finding.value["same_class"][at]
            sentences.append(
                f"{finding.spec.panel}: at a radius of 0.5 (which keeps {100 * finding.value['kept'][at]:.1f} % of the "
                f"pairs) {100 * within:.1f} % of the pairs are within a class and {100 * (1 - within):.1f} % between "
                f"classes; the least share within a class at any of {len(finding.value['radii'])} radii is "
                f"{100 * min(finding.value['same_class']):.1f} %. The paper says 30 % and 70 %: "
                + ("the two are swapped." if within > 0.6 else "not found here.")
            )
        if tables:
            sentences.append(
                "Locality: neither is a local graph; they show what a restriction of the pairs by class does."
            )
        return Section(self.name, self.title, self.claim, tables, [], [], sentences, self.missing(reading))


def _value(result: ArmResult) -> Reported | None:
    if result.arm.label == "mixup":
        return Reported(*reported()["table1_error_percent"]["mixup"]["cifar10"])
    if result.arm.label == "vanilla":
        return Reported(*reported()["table1_error_percent"]["baseline"]["cifar10"])
    return Reported(reported()["inter_intra_cifar10_error_percent"][_VALUES[result.arm.label]], float("nan"))
