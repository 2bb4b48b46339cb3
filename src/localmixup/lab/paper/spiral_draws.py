"""Figure 4 again: smaller radii, all 1,600 rows, and other draws of the spirals, at equal updates."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from localmixup.lab.analysis.statistics import Difference, holm, paired
from localmixup.lab.analysis.wording import difference_text, effect, locality, signed
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.generators import spirals
from localmixup.lab.paper.bench import Bench, Loaded
from localmixup.lab.paper.figure4 import COUNTED
from localmixup.lab.paper.item import Item
from localmixup.lab.paper.protocols import PROTOCOLS, SCALES
from localmixup.lab.paper.reading import Group, Reading, paper_table
from localmixup.lab.paper.section import Answer, PaperTable, Section
from localmixup.lab.paper.spirals import READINGS
from localmixup.lab.report.figure import Figure, Series, chart
from localmixup.lab.runs.events import Event
from localmixup.lab.runs.experiment import Arm
from localmixup.lab.runs.spec import MethodSpec, TrainingSpec

RADII = (0.06, 0.13, 0.25, 0.5, 1.0, 2.0)
DRAWS = 10
"""Number of other draws of each reading of the spirals."""

ENDS = ("vanilla", "mixup")


class SpiralDraws(Item):
    """Figure 4 where another draw, a small radius or more rows could tell something else."""

    name = "spiral-draws"
    title = "Figure 4 on other draws of the spirals, with smaller radii and all 1,600 rows"
    claim = "that of figure 4, for which the paper has one draw and no radius below 0.5"
    size = f"200 or 40 runs of every radius on the draw of figure 4, and 10 on each of {DRAWS} other draws"
    protocols = ("controlled",)

    def run(self, bench: Bench) -> Generator[Event, None, None]:
        """Run all radii on the draw of figure 4 and on the others, for both readings of the spirals.

        All draws are trained with the same seeds.
        """
        most = SCALES[bench.scale].spiral_runs
        for panel, divisor in PROTOCOLS["controlled"].spirals.panels:
            reading, runs = READINGS[panel], bench.runs or max(1, most // (5 * divisor))
            yield from bench.train((loaded := bench.data(panel)), arms(bench, panel, loaded), runs)
            for draw in range(1, DRAWS + 1):
                name = f"{panel}, draw {draw}"
                points = spirals(reading=reading, seed=draw)
                loaded = bench.data(DataSet(name, "table", *points, class_names=("first", "second")))
                yield from bench.train(loaded, arms(bench, name, loaded), bench.runs or max(1, most // 100))

    def full_runs(self, panel: str) -> int:
        """Return 200 or 40 on the draw of figure 4, which is fewer on the easy reading, and 10 on another draw."""
        divisors = dict(PROTOCOLS["controlled"].spirals.panels)
        return 200 // divisors[panel] if panel in divisors else 10

    def section(self, reading: Reading) -> Section:
        """Return a table for the draw of figure 4, and the differences over the other draws."""
        tables, figures, sentences, answers = [], [], [], []
        groups = reading.groups(self.name)
        for group in groups:
            if group.panel in READINGS and set(ENDS) <= set(group.by_label):
                paper = paper_table(group.results, full_runs=self.full_runs(group.panel), notes=[_NOTE])
                tables.append(paper)
                sentences.append(_beside_ends(group, paper))
        for scale in sorted({group.scale for group in groups}):
            for panel in READINGS:
                draws = [g for g in groups if g.scale == scale and g.panel.startswith(f"{panel}, draw")]
                draws = [g for g in draws if {*ENDS, *map(_label, RADII)} <= set(g.by_label)]
                if len(draws) > 1:
                    sentences += _over_draws(panel, draws)
                    figures.append(_figure(panel, draws))
                    if scale != "smoke":
                        answers += _answers(panel, draws, full=scale == "full")
        return self.reported(reading, sentences, tables=tables, figures=figures, answers=answers)


_NOTE = (
    f"{COUNTED} pairs of the whole set in an update, one of them a sample with itself, at every radius: so mixup is "
    "the control at the same mixed share. No row is held out, and no radius is chosen."
)


def _label(radius: float) -> str:
    return f"radius {radius:g}"


def arms(bench: Bench, panel: str, loaded: Loaded) -> list[Arm]:
    """Return both ends and all radii, with pairs of the whole set, of which as many count at every radius.

    In a batch that is drawn at random, a radius of 0.13 leaves one pair in 250: pairs are drawn from the graph instead,
    in proportion to the weights of eq. (3).

    Args:
        bench: tells protocol and scale.
        panel: name of the data.
        loaded: the data.
    """
    protocol = PROTOCOLS["controlled"].spirals
    updates = protocol.updates or 0
    training = TrainingSpec(
        model=protocol.model,
        pairs="set",
        updates=max(5, updates // 1000) if bench.scale == "smoke" else updates,
        batch_size=COUNTED,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="constant",
        weight_decay=0.0,
        validation_share=0.0,
        curve_points=1,
        regions=False,
    )
    share = 1 - 1 / COUNTED
    methods = {"vanilla": MethodSpec(method="vanilla"), "mixup": MethodSpec(method="mixup", mixed_share=share)}
    for radius in RADII:
        methods[_label(radius)] = MethodSpec(method="local-threshold", parameter=radius, mixed_share=share)
    place = {"item": SpiralDraws.name, "protocol": bench.protocol, "scale": bench.scale, "panel": panel}
    return [
        Arm(**place, label=label, x=method.parameter, data=loaded.spec, training=training, method=method)
        for label, method in methods.items()
    ]


def _beside_ends(group: Group, paper: PaperTable) -> str:
    """Every radius against both ends."""
    words = [paper.table.against_both(label) for label in map(_label, RADII)]
    return f"{group.where}, all 1,600 rows: {'; '.join(words)}."


def _means(draws: Sequence[Group], label: str) -> list[float]:
    return [draw.by_label[label].mean("test_error") for draw in draws]


def _compared(draws: Sequence[Group], end: str) -> dict[str, Difference]:
    """Every radius and the other end against an end, over the draws; p-values corrected by Holm."""
    labels = [*map(_label, RADII), *(name for name in ENDS if name != end)]
    found = [paired(_means(draws, label), _means(draws, end)) for label in labels]
    p_values = holm([d.p for d in found])
    return {label: d._replace(p=p) for label, d, p in zip(labels, found, p_values, strict=True)}


def _over_draws(panel: str, draws: Sequence[Group]) -> list[str]:
    """The differences over the draws, and what they say about locality."""
    first = draws[0]
    runs = min(len(r.records) for draw in draws for r in draw.results)
    where = f"{panel}, {first.protocol} ({first.scale}), {len(draws)} other draws with {runs} runs each"
    vanilla, mixup = _compared(draws, "vanilla"), _compared(draws, "mixup")
    words = "; ".join(f"{label} {difference_text(d)}" for label, d in vanilla.items())
    better = [label for label, d in vanilla.items() if effect(d) < 0]
    told = f"better is shown of {', '.join(better)}" if better else "none is shown to be better"
    found = [f"{where}, against vanilla training: {words}: {told}."]
    near = _label(0.5)
    found.append(
        f"{where}, locality: {near} against mixup, which mixes as many samples, {difference_text(mixup[near])}: "
        f"{locality(mixup[near])}. Draws differ: the error without mixing is between "
        f"{min(_means(draws, 'vanilla')):.1f} and {max(_means(draws, 'vanilla')):.1f} %."
    )
    return found


def _answers(panel: str, draws: Sequence[Group], *, full: bool) -> list[Answer]:
    """The claims of figure 4, over the draws. No radius is chosen: the claim holds if it holds at any of them."""
    size, found = "" if full else "; not at full size", []
    for end, name in (("mixup", "mixup"), ("vanilla", "vanilla training")):
        compared = _compared(draws, end)
        best = min(map(_label, RADII), key=lambda label: compared[label].mean)
        d = compared[best]
        told = {-1: "holds", 1: "the opposite holds"}.get(effect(d), "not shown")
        ours = f"{best}: {signed(d.mean)} points ({signed(d.low)} to {signed(d.high)})"
        found.append(Answer(f"a radius is better than {name}: {panel}, {len(draws)} draws", "lower", ours, told + size))
    return found


def _figure(panel: str, draws: Sequence[Group]) -> Figure:
    labels = ["vanilla", *map(_label, RADII), "mixup"]
    at = [0.0, *RADII, 4.0]
    series = []
    for draw in draws:
        base = draw.by_label["vanilla"].mean("test_error")
        values = [draw.by_label[label].mean("test_error") - base for label in labels]
        series.append(Series(draw.panel.removeprefix(f"{panel}, "), at, values, kind="dashed"))
    title = f"{panel}: error minus that of vanilla training, for every draw ({draws[0].scale})"
    name = f"spiral-draws-{panel}-{draws[0].protocol}-{draws[0].scale}"
    return chart(name, title, "radius (0 is vanilla training, 4 stands for mixup)", "difference, points", series)
