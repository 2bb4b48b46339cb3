"""The page: rebuilt from the shipped stores, and from a store of a few items."""

import re
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from localmixup._validate import ArgumentError
from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.report import as_markdown, write
from localmixup.lab.paper.stores import opened
from localmixup.lab.runs.store import Store

ROOT = Path(__file__).parents[3]
FEW = ("figure4", "table1", "figure6")


def test_the_documented_command_writes_the_shipped_page_again():
    """Every number and sentence of docs/reproduction.md comes from the stores in results/paper."""
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    with opened([str(ROOT / "results" / "paper")]) as store:
        reading = Reading(store)
    sections = [item.section(reading) for item in ITEMS.values()]
    assert as_markdown(sections, reading, "reproduction") == page
    drawn = {f"{figure.name}.png" for section in sections for figure in section.figures}
    assert {path.name for path in (ROOT / "docs" / "reproduction").glob("*.png")} == drawn


def test_a_folder_without_stores_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"there are no \.sqlite or \.sqlite\.xz files"), opened([str(tmp_path)]):
        pass


@pytest.fixture
def few(smoke):
    """A store with the controlled arms of a few items, and the findings."""
    store = Store("sqlite://")
    for arm, runs in smoke.store.arms():
        if arm.item in FEW and arm.protocol == "controlled" and arm.panel in ("spirals", "cifar10", "adamixup-mnist"):
            store.add_arm(arm, runs)
            for record in smoke.store.get(arm.run(seed) for seed in range(runs)).values():
                store.add(record.spec, record.outcome)
    for finding in smoke.store.findings():
        if finding.spec.panel == "spirals":
            store.add_finding(finding.spec, finding.value)
    with closing(store):
        yield store


def test_the_page_holds_every_item_and_needs_no_network(tmp_path, few):
    page, markdown = tmp_path / "paper.html", tmp_path / "docs" / "reproduction.md"
    sections = write(few, page, markdown)
    assert [s.item for s in sections] == list(ITEMS)
    html, text = page.read_text(), markdown.read_text()
    for item in ITEMS.values():
        assert f'id="{item.name}"' in html
        assert f"## {item.title}" in text
    body = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', body)
    assert "not at full size" in body
    assert body.count("NOT full size: scale smoke") == sum(len(s.tables) for s in sections)
    assert "controlled: not run" in body
    # the paper's value and ours stand in one line
    assert re.search(r"\| mixup \|  \| 4\.13 ± 0\.03 \| \d+\.\d+", text)
    names = re.findall(r"\]\((reproduction/[^)]+\.png)\)", text)
    assert "reproduction/figure4-spirals-controlled-smoke.png" in names
    for name in names:
        with Image.open(markdown.parent / name) as picture:
            assert picture.width > 300


def test_an_empty_store_makes_a_page_that_says_so(tmp_path):
    with closing(Store("sqlite://")) as store:
        sections = write(store, tmp_path / "paper.html", tmp_path / "reproduction.md")
    assert all(section.missing for section in sections)
    assert "not run" in (tmp_path / "reproduction.md").read_text()
