"""Pages read as a browser reads them, and comparisons and inspections that need no training."""

import base64
import re
import zlib
from functools import cache
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np

from localmixup import CompleteGraph, LocalMixup
from localmixup.geometry import LipschitzCurve, Witness, class_regions, class_shapes, intrusion, target_gap
from localmixup.graphs.fit import sample_distances
from localmixup.lab.analysis.comparison import Candidate, ComparedArm, Comparison
from localmixup.lab.analysis.decisions import Decision
from localmixup.lab.analysis.questions import Contrast
from localmixup.lab.analysis.statistics import Mean, mean_of
from localmixup.lab.data.dataset import DataSet
from localmixup.lab.data.prepared import prepare
from localmixup.lab.inspection import Inspection
from localmixup.lab.inspection.suggestions import suggestions_for_classes, suggestions_for_targets
from localmixup.lab.inspection.verdict import verdict_on_classes, verdict_on_targets
from localmixup.lab.methods.recipe import recipe_spec
from localmixup.lab.runs.spec import DataSpec, TrainingSpec

NASTY = "</title></script><script>alert(1)</script><!-- $x^ & \"b\" 'c'"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "em", "b", "code", "ul", "li", "a", "div", "span", "details",
    "summary", "pre", "main", "script", "caption", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "strong", "dl", "dt", "dd",
    "svg", "g", "defs", "path", "use", "text", "clippath", "rect", "image",
}  # fmt: skip


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        ids: all ids, in order.
        tags: names of all elements.
        links: values of all attributes that name a resource.
        texts: all text.
        tables: of each figure, the cells of its table, row by row, by the id of the figure.
    """

    def __init__(self, html):
        super().__init__()
        self.ids, self.tags, self.links, self.texts, self.tables = [], set(), [], [], {}
        self._figure, self._cell = None, False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "xlink:href", "action", "data") if name in found]
        assert not any(name.startswith("on") for name in found)
        if tag == "figure":
            self._figure = found["id"].removeprefix("figure-")
            self.tables[self._figure] = []
        if tag == "tr" and self._figure:
            self.tables[self._figure].append([])
        self._cell = tag in ("td", "th")
        if self._cell and self._figure:
            self.tables[self._figure][-1].append("")

    def handle_endtag(self, tag):
        self._cell = False
        if tag == "figure":
            self._figure = None

    def handle_data(self, data):
        data = data.replace("\xa0", " ")  # numbers and units stay on one line
        self.texts.append(data)
        if self._cell and self._figure:
            self.tables[self._figure][-1][-1] += data

    def handle_comment(self, data):
        raise AssertionError(f"the page has a comment: {data}")


def read_page(path):
    """Read a page and check what holds for every page: valid, self-contained, with its own script only, small."""
    html = path.read_text(encoding="utf-8")
    page = Page(html)
    assert page.tags <= TAGS
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in html
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    assert len(scripts) == 1
    assert "alert" not in scripts[0]
    drawn = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawn) == len(page.tables)
    for svg in drawn:
        assert ElementTree.fromstring(svg).get("role") == "img"
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "prefers-color-scheme: dark" in html
    assert len(html) < 500_000
    return page


def compared(label, errors, spec, *, kind="arm", settings="so local", against=None):
    values = {"nll": 0.25, "brier": 0.125}
    return ComparedArm(
        label=label, kind=kind, settings=settings, spec=spec, errors=errors, error=mean_of(errors), scores=values,
        against_vanilla=against, mixed_share=0.5, train_seconds=1.25, keys=[f"{label}-{k}" for k in range(len(errors))],
    )  # fmt: skip


def made_contrast(question, one, other, unit, values):
    return Contrast(
        question=question, one=one, other=other, unit=unit, values=values, mean=values[0] - values[1], low=-4.0, high=-1.0,
        confidence=0.975, p=0.004, margin=0.5, better=0.9, equal=0.1, worse=0.0, detectable=1.5, limit=1.0, needed=20,
    )  # fmt: skip


def make_comparison(name="blobs", *, unit="%", use="local mixup"):
    """A comparison of three arms with made-up errors, and its records."""
    local, front = LocalMixup().to_config(), LocalMixup(CompleteGraph(), prob=0.25).to_config()
    nothing = LocalMixup(CompleteGraph(), prob=0).to_config()
    specs = {"vanilla": nothing, "mixup": front, "local mixup": local}
    errors = {"vanilla": [10.0, 11.0, 12.5], "mixup": [0.0, 1.0, 9.0], "local mixup": [7.0, 8.0, 9.0]}
    difference = Mean(-3.17, -4.0, -2.0)
    rows = [
        compared(label, errors[label], recipe_spec(config), against=None if label == "vanilla" else difference)
        for label, config in specs.items()
    ]
    rows.append(
        compared("control: at the same share", [9.0, 9.5, 9.25], recipe_spec(front), kind="control", against=difference)
    )
    candidates = [
        Candidate(label=label, settings=settings, spec=recipe_spec(local), validation_error=error, chosen=chosen, keys=[f"choose {settings}-{k}" for k in range(3)])
        for label, settings, error, chosen in (
            ("vanilla", "no mixing", 11.0, True), ("local mixup", "wide", 12.0, False), ("local mixup", "near", 8.0, True),
            ("local mixup", "diverged", float("inf"), False),
        )
    ]  # fmt: skip
    locality = made_contrast("locality", "local mixup", "vanilla", unit, (8.0, 11.17))
    contrasts = {"locality": locality, "mixup": made_contrast("mixup", "mixup", "vanilla", unit, (3.33, 11.17))}
    if unit == "%":
        contrasts["calibration"] = made_contrast("calibration", "local mixup", "vanilla", "nll", (0.2, 0.3))
    headline = {"unclear": "Cannot tell"}.get(use, f"Use {use}")
    comparison = Comparison(
        decision=Decision(
            use=use, headline=headline, why=f"Because of {name}.", contrast="locality", compared=("local mixup", "vanilla"),
            probability={"better": 0.9, "equal": 0.1, "worse": 0.0}, difference=(-3.17, -4.0, -1.0), detectable=1.5, front="mixup",
        ),
        recipe=nothing if use == "unclear" else specs[use], front=front, contrasts=contrasts, attribution="Nearness helps.", remarks=["LocalMixup() as it stands is the local mixup of this table."],
        controls={"control: at the same share": difference}, rows=rows, candidates=candidates, unit=unit, decimals=2,
        task="classification" if unit == "%" else "regression", data=DataSpec(name=name, fingerprint="x"),
        training=TrainingSpec(model="mlp", updates=20), resamples=3, sizes={"train": 77, "choose": 19, "test": 24},
        own_test_set=False, notes=[name], versions={"torch": "2"},
    )  # fmt: skip
    square = (np.arange(120 * 120) % 2).astype(np.uint8).tobytes()
    outcome = SimpleNamespace(
        curve=[(10, 1.0, 40.0), (20, 0.5, 30.0)],
        regions=base64.b64encode(zlib.compress(square)).decode(),
    )
    records = {key: SimpleNamespace(outcome=outcome) for row in rows for key in row.keys}
    for candidate in candidates:
        for key, error in zip(candidate.keys, (0.0, 1.0, 2.0), strict=True):
            error *= candidate.validation_error if error else 1.0
            records[key] = SimpleNamespace(outcome=SimpleNamespace(**vars(outcome), validation_error=error))
    return comparison, records


@cache
def images():
    """Small grey images of two classes that differ in brightness."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = np.clip(rng.normal(100, 40, size=(60, 1, 6, 6)) + 25 * y[:, None, None, None], 0, 255).astype(np.uint8)
    return DataSet("images", "image", x, y.astype(np.int64), class_names=("a", NASTY, "c"))


def staircase(prepared):
    """A made-up curve of Q(D) from the nearest two samples of different classes."""
    distances = np.linalg.norm(prepared.x.flatten(1).numpy()[:, None] - prepared.x.flatten(1).numpy(), axis=2)
    distances[prepared.y.numpy()[:, None] == prepared.y.numpy()] = np.inf
    i, j = np.unravel_index(distances.argmin(), distances.shape)
    ends = np.array([distances[i, j], distances[i, j] / 2])
    with np.errstate(divide="ignore"):
        value = 1 / ends
    first, second = np.full((2, 2), i), np.full((2, 2), j)
    return LipschitzCurve(
        "segment", np.array([0.0, 0.5]), ends, value, Witness(first, np.zeros(2), second, np.zeros(2))
    )


def make_inspection(data):
    """Inspect a data set without reading a file."""
    prepared = prepare(data, hold_out=False)
    features = prepared.x.flatten(1)
    classes = prepared.y.numpy() if data.task == "classification" else None
    report = regions = target_report = curve = None
    if classes is not None:
        report = intrusion(features, classes, n_samples=500, exhaustive=False)
        regions = class_regions(features, classes, n_samples=500)
        verdict = verdict_on_classes(regions)
        suggestions = suggestions_for_classes(report, regions, batch_size=32)
        curve = staircase(prepared)
    else:
        target_report = target_gap(features, prepared.y.numpy(), n_samples=500)
        verdict, suggestions = verdict_on_targets(target_report), suggestions_for_targets(target_report, batch_size=32)
    settings = {"mixup_alpha": 1.0, "batch_size": 32, "n_nearest": 1, "n_samples": 500, "seed": 0}
    everything = np.arange(len(features))
    return Inspection(
        data, everything, prepared.x, prepared.y.numpy(), prepared.scale.numpy(), features, "the inputs", True,
        sample_distances(features, classes), report, regions, target_report, verdict, suggestions.recipes, suggestions.mixup,
        curve, everything, class_shapes(features, classes, loops=False), settings,
    )  # fmt: skip


@cache
def rings():
    """A ring around a disc: mixing within the ring intrudes on the disc."""
    rng = np.random.default_rng(0)
    angle, y = rng.uniform(0, 2 * np.pi, 160), np.arange(160) % 2
    length = np.where(y == 0, 3 + rng.uniform(0, 0.3, 160), np.sqrt(rng.uniform(0, 1.5, 160)))
    x = np.column_stack([length * np.cos(angle), length * np.sin(angle)]).astype(np.float32)
    return make_inspection(DataSet(NASTY, "table", x, y.astype(np.int64), class_names=("disc $", NASTY)))
