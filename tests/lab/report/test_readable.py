"""Everybody can read the pages: WCAG 2.2 AA by axe, narrow and wide, light and dark, in a real browser."""

import re

import browser
import pytest
from browser import needs_axe, needs_browser
from made_up_pages import make_comparison, rings

from localmixup.lab.data.prepared import prepare
from localmixup.lab.report.comparison_page import write_comparison
from localmixup.lab.report.inspection_page import write_inspection
from localmixup.lab.report.page import _unbroken


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    found = rings()
    write_inspection(folder / "inspection.html", found)
    comparison, records = make_comparison()
    write_comparison(folder / "comparison.html", comparison, records, found.data, prepare(found.data))
    return folder


@needs_browser
@needs_axe
@pytest.mark.parametrize("scheme", browser.SCHEMES)
def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(pages, scheme):
    browser.assert_readable([pages / "inspection.html", pages / "comparison.html"], scheme)


@needs_browser
def test_every_code_block_has_a_button_that_copies_it(pages, tmp_path):
    html = (pages / "comparison.html").read_text()
    blocks = html.count('<div class="code">')
    assert blocks >= 1
    copied = """<script>addEventListener("load", () => {
        const keep = async text => document.body.setAttribute("data-copied", text);
        Object.defineProperty(navigator, "clipboard", {value: {writeText: keep}});
        document.querySelector(".code button").click(); });</script></body>"""
    page = tmp_path / "page.html"
    page.write_text(html.replace("</body>", copied))
    document = browser.dom(page.as_uri(), wait=1000)
    assert len(re.findall(r'<button type="button">Cop', document)) == blocks
    assert document.count(">Copied</button>") == 1
    assert "batch.loss" in re.search(r'data-copied="([^"]*)"', document)[1]


@needs_browser
def test_printed_pages_are_unfolded(pages, tmp_path):
    out = tmp_path / "page.pdf"
    browser.run_chromium(f"--print-to-pdf={out}", (pages / "inspection.html").as_uri())
    folded = len(re.findall(rb"/Type\s*/Page\b", out.read_bytes()))
    page = tmp_path / "page.html"
    page.write_text(re.sub(r"<script>.*?</script>", "", (pages / "inspection.html").read_text(), flags=re.DOTALL))
    browser.run_chromium(f"--print-to-pdf={out}", page.as_uri())
    assert folded > len(re.findall(rb"/Type\s*/Page\b", out.read_bytes()))


def test_numbers_keep_their_units():
    html = "<p>0.98 % of 3 points, 5 %o</p><pre>1 % x</pre><td>4 %</td>"
    assert _unbroken(html) == "<p>0.98\u00a0% of 3\u00a0points, 5 %o</p><pre>1 % x</pre><td>4\u00a0%</td>"
