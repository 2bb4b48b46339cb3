"""The page, rebuilt from the shipped stores."""

from contextlib import closing
from pathlib import Path

import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.paper import ITEMS
from localmixup.lab.paper.claims import claims
from localmixup.lab.paper.reading import Reading
from localmixup.lab.paper.report import as_markdown, write
from localmixup.lab.paper.stores import opened
from localmixup.lab.runs.store import Store

ROOT = Path(__file__).parents[3]


def test_the_documented_command_writes_the_shipped_page_again():
    """Every number and sentence of docs/reproduction.md comes from the stores in results/paper."""
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    with opened([str(ROOT / "results" / "paper")]) as store:
        reading = Reading(store)
    sections = [item.section(reading) for item in ITEMS.values()]
    assert as_markdown(sections, reading, "reproduction") == page
    # the first table says what the sentences of the sections say
    table = claims(sections)
    assert len(table) > 20
    text = {section.item: " ".join(section.sentences).replace("95 % ", "") for section in sections}
    for item, _, _, ours, _ in table:
        if item in ("table1", "adamixup", "figure6", "classes"):
            assert ours.rstrip(")") in text[item], ours
    verdicts = {claim: verdict for _, claim, _, _, verdict in table}
    assert verdicts["mixup is better than vanilla training: spirals-gaussian"] == "the opposite holds"
    assert verdicts["Q(D) of vanilla training and of mixup on CIFAR-10"] == "holds"
    # the paper's network was run by its own protocol only, and stands beside the most telling one
    assert verdicts["Local Mixup is better than mixup: cifar10, lenet5"] == "not shown; not at full size"
    assert verdicts["Local Mixup is better than vanilla training: cifar10, resnet18"].startswith("the opposite holds")
    drawn = {f"{figure.name}.png" for section in sections for figure in section.figures}
    assert {path.name for path in (ROOT / "docs" / "reproduction").glob("*.png")} == drawn


def test_a_folder_without_stores_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"there are no \.sqlite or \.sqlite\.xz files"), opened([str(tmp_path)]):
        pass


def test_an_empty_store_makes_a_page_that_says_so(tmp_path):
    with closing(Store("sqlite://")) as store:
        sections = write(store, tmp_path / "paper.html", tmp_path / "reproduction.md")
    assert all(section.missing for section in sections)
    assert "not run" in (tmp_path / "reproduction.md").read_text()
