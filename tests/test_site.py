"""The site of the documentation: it builds without a warning, holds every public name, and leads from page to page."""

import importlib
import inspect
import re
import zlib
from pathlib import Path
from urllib.parse import unquote

import pytest
from built_site import build_site
from typer.testing import CliRunner

import localmixup
from localmixup.lab.cli.app import app

ROOT = Path(__file__).parent.parent
pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    return build_site(tmp_path_factory, worker_id)


@pytest.fixture(scope="module")
def pages(site):
    """The HTML of every page but the sample reports, which have tests of their own, and the one for wrong addresses."""
    others = {"samples", "404.html"}
    return {path: path.read_text() for path in site.rglob("*.html") if not {path.name, path.parent.name} & others}


def article(html):
    return html[html.index("<article") : html.index("</article>")]


def test_every_public_name_is_in_the_reference(site):
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]).decode()
    documented = {line.split(" ")[0] for line in inventory.splitlines()}
    wanted = {f"localmixup.{name}" for name in localmixup.__all__ if name != "__version__"}
    for package in ("geometry", "distributed", "lab"):
        module = importlib.import_module(f"localmixup.{package}")
        names = getattr(
            module, "__all__", [n for n, v in vars(module).items() if not n.startswith("_") and callable(v)]
        )
        wanted |= {f"localmixup.{package}.{name}" for name in names}
    for module in (localmixup.theory.line, localmixup.theory.ring, localmixup.theory.linear_model):
        wanted |= {
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        }
    assert wanted <= documented, wanted - documented
    assert len(wanted) > 60


def test_every_command_and_option_is_in_the_reference(site):
    text = (site / "commands.html").read_text()
    for command in (
        ["compare"],
        ["inspect"],
        ["demo"],
        ["theory"],
        *(["paper", c] for c in ("run", "report", "merge")),
    ):
        assert f"localmixup {' '.join(command)}</code>" in text
        said = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).output
        for option in set(re.findall(r"^  (--[a-z-]+)", said, re.MULTILINE)) - {"--help"}:
            assert f"<code>{option}</code>" in text, option


PAPERS = {
    "vanilla": "Statistical Learning Theory",
    "mixup": "1710.09412",
    "adamixup": "1809.02499",
    "c-mixup": "2210.05775",
    "k-mixup": "2106.02933",
    "regmixup": "2206.14502",
    "manifold-mixup": "1806.05236",
    "warping-mixup": "2311.01434",
    "cutmix": "1905.04899",
}


def test_every_method_that_compare_accepts_has_formula_and_citation(site):
    said = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "200"}).output
    offered = re.search(r"any of ([a-z0-9, \n-]+)\.", re.sub(r"\s+", " ", said).replace("- ", "-"))[1].split(", ")
    assert len(offered) > 10
    sections = dict(
        re.findall(r'<h2 id="([^"]+)">(.*?)(?=<h2|</article>)', (site / "methods.html").read_text(), re.DOTALL)
    )
    assert list(sections) == ["vanilla", "mixup", "local", *offered]
    formulas = {re.search(r"<code>(.*?)</code></pre>", section, re.DOTALL)[1] for section in sections.values()}
    assert len(formulas) == len(sections)
    for name, section in sections.items():
        assert PAPERS.get(name, "10.1016/j.sigpro.2024.109395") in section.partition("Cite: ")[2], name


def test_links_of_the_site_lead_somewhere(site, pages):
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', html)) for path, html in pages.items()}
    for path, html in pages.items():
        for target in re.findall(r'<a [^>]*href="([^"]*)"', html):
            if "://" in target or target.startswith("mailto:"):
                continue
            file, _, anchor = unquote(target).partition("#")
            to = (path.parent / file).resolve() if file else path
            to = to / "index.html" if to.is_dir() else to
            assert to.exists(), f"{path.name}: {target}"
            assert not anchor or to not in anchors or anchor in anchors[to] or anchor == "__skip", f"{path}: {target}"


def test_no_page_is_a_dead_end(pages):
    ends = [
        path.name
        for path, html in pages.items()
        if not re.findall(r'<a (?![^>]*headerlink)[^>]*href="(?!https?:|#|mailto:)([^"]+)"', article(html))
    ]
    assert not ends


def test_the_site_needs_no_network(site, pages):
    for path, html in pages.items():
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]*rel=\"(?:stylesheet|preconnect|icon)\"[^>]*href=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]*href=\"([^\"]+)\"[^>]*rel=\"(?:stylesheet|preconnect|icon)\"", html)
        assert loaded
        assert not [target for target in loaded if "//" in target], path
    assert "var __index" in (site / "search" / "search_index.js").read_text()[:100]
    assert "assets/iframe-worker.js" in (site / "index.html").read_text()  # search from a file


def test_the_samples_are_reports_of_the_commands(site):
    for name, words in {
        "inspect-digits.html": "Is mixup safe on digits",
        "inspect-diabetes.html": "Is mixup safe on diabetes.csv",
        "compare-digits.html": "digits: ",
        "benchmark.html": "28 data sets",
        "paper.html": "Local Mixup",
    }.items():
        page = (site / "samples" / name).read_text()
        assert words in page
        assert len(page) < 1_500_000
        assert inspect.cleandoc(page).startswith("<!doctype html>")
        if name != "benchmark.html":
            assert page.count("<table>") == page.count("<caption>")


def test_the_pictures_of_the_reports_show_what_the_reports_say(site):
    screenshots = load("screenshots")
    for name, (sample, parts, _) in screenshots.SHOTS.items():
        page = (site / "samples" / sample).read_text()
        assert (screenshots.IMAGES / f"{name}.png").exists()
        shown = (screenshots.IMAGES / f"{name}.txt").read_text()
        # the words are the same; numbers may differ a little from machine to machine
        assert re.sub(r"\d", "", screenshots.first_screen(page)) == re.sub(r"\d", "", shown)
        marked = screenshots.marked(page, parts)
        assert [f'content: "{k}"' in marked for k in range(1, 5)] == [True, True, True, False]


def test_each_item_of_the_paper_shows_one_table_and_folds_the_rest(site):
    page = (site / "samples" / "paper.html").read_text()
    sections = re.split(r'<h2 id="', page[page.index('<h2 id="reading"') :])[2:]
    assert len(sections) > 10
    for section in sections:
        shown = re.sub(r"<details.*?</details>\s*(?=<h2|$)", "", section, flags=re.DOTALL)
        assert shown.count("<table>") <= 1, section[:40]
    assert len(re.findall(r'<details class="long">', page)) >= 3


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_the_repository_become_links_of_the_site():
    link = load("pages").site_link
    assert link("../examples/a.py", "docs/guide.md", "guide.md", "https://host/r") == "gallery/a.md"
    assert link("../docs/speed.md#x", "results/README.md", "results.md", "https://host/r") == "speed.md#x"
    assert link("../src/a.py", "docs/guide.md", "guide.md", "https://host/r/") == "https://host/r/blob/main/src/a.py"
    for kept in ("#here", "https://host/a#b", "mailto:a@b.c"):
        assert link(kept, "docs/guide.md", "guide.md", "https://host/r") == kept


def test_headings_become_tabs():
    text = load("pages").as_tabs("### One\n\na\n\n    b\n\n### Two\nc\n")
    assert text.splitlines() == [
        '=== "One"',
        "",
        "    a",
        "",
        "        b",
        "",
        '=== "Two"',
        "",
        "    c",
        "",
    ]


@pytest.mark.parametrize(
    "path",
    [
        # those that train take longer
        path if path.stem.startswith("draw") else pytest.param(path, marks=pytest.mark.slow)
        for path in load("gallery").drawing_scripts()
    ],
    ids=lambda path: path.stem,
)
def test_scripts_of_the_gallery_draw_what_is_shown(path):
    gallery = load("gallery")
    picture, printed = gallery.run(path)
    assert picture.startswith(b"\x89PNG")
    shown = (gallery.SHOWN / f"{path.stem}.txt").read_text()
    # the words are the same; numbers may differ a little from machine to machine
    assert re.sub(r"\d", "", printed) == re.sub(r"\d", "", shown)
    assert len(picture) > 0.5 * (gallery.SHOWN / f"{path.stem}.png").stat().st_size
