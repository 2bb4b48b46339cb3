"""The site in a real browser: it asks nobody, its search works from a file, and everybody can read every page."""

import re

import browser
import pytest
from built_site import build_site

if not browser.REQUIRED:
    pytest.importorskip("mkdocs")
pytestmark = browser.needs_browser


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    return build_site(tmp_path_factory, worker_id)


def test_a_page_asks_for_nothing_but_files(site, tmp_path):
    assert browser.requests_of(site / "index.html") == []
    asks = tmp_path / "asks.html"
    asks.write_text("<!doctype html><script>fetch('https://localmixup.invalid/stars')</script>")
    assert browser.requests_of(asks) == ["https://localmixup.invalid/stars"]


def test_the_search_answers_without_a_server(site):
    document = browser.dom((site / "index.html").as_uri() + "?q=threshold", wait=15_000)
    assert int(re.search(r"(\d+) matching documents", document)[1]) > 5


def test_a_telephone_shows_the_verdict_of_every_claim(site):
    page = site / "samples" / "paper.html"
    cells = """[...inside.querySelectorAll(".claims tbody tr")].map(row => {
        const at = part => part.getBoundingClientRect();
        const [item, claim, , , verdict] = row.children;
        return [at(verdict).left, at(verdict).right, at(claim).top - at(verdict).top, at(claim).left - at(verdict).left];
    })"""
    narrow, wide = (browser.evaluate(page, cells, width) for width in (400, 1280))
    assert len(narrow) == len(wide) > 20
    for left, right, below, _ in narrow:
        assert left >= 0
        assert right <= 400
        assert below > 0  # the verdict stands above the claim
    assert all(before < 0 for *_, before in wide)


@browser.needs_axe
def test_axe_finds_nothing_on_pages_of_every_kind(site):
    browser.assert_readable(
        [site / name for name in ("index.html", "404.html", "changelog.html", "commands.html")], "dark"
    )


@browser.needs_axe
@pytest.mark.slow
@pytest.mark.parametrize("scheme", browser.SCHEMES)
def test_axe_finds_nothing_on_any_page(site, scheme):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    browser.assert_readable(pages, scheme)
