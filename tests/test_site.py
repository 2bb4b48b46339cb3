"""The site of the documentation: it builds without a warning, holds every public name, and leads from page to page."""

import importlib
import inspect
import re
import sys
import zlib
from pathlib import Path
from urllib.parse import unquote

import pytest
import typer.main
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
    documented = documented_names(site)
    wanted = {f"localmixup.{name}" for name in localmixup.__all__ if name != "__version__"}
    for package in ("geometry", "distributed", "lab"):
        module = importlib.import_module(f"localmixup.{package}")
        names = getattr(
            module, "__all__", [n for n, v in vars(module).items() if not n.startswith("_") and callable(v)]
        )
        wanted |= {f"localmixup.{package}.{name}" for name in names}
    modules = ("theory.line", "theory.ring", "theory.linear_model", "theory.plots", "geometry.plots")
    for module in (importlib.import_module(f"localmixup.{name}") for name in modules):
        wanted |= {
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
        }
    assert wanted <= documented, wanted - documented
    assert len(wanted) > 60


def paths_of(command, path=()):
    """The words after `localmixup` of every command that does something."""
    if not hasattr(command, "commands"):
        yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from paths_of(below, (*path, name))


def test_what_public_names_return_is_in_the_reference(site):
    """A class of the package that a method or function returns is documented, however it is imported."""
    wanted = set()
    for name in documented_names(site):
        path, _, last = name.rpartition(".")
        # modules of frameworks, which need not be installed, are documented with all that they hold
        owner = None if path.startswith("localmixup.integrations") or "." not in path else resolve(path)
        found = None if owner is None else inspect.getattr_static(owner, last, None)
        function = getattr(found, "fget", getattr(found, "__func__", found))
        if inspect.isfunction(function):
            known = vars(sys.modules[function.__module__])
            for word in re.findall(r"\w+", str(function.__annotations__.get("return", ""))):
                kind = known.get(word)
                if inspect.isclass(kind) and kind.__module__.startswith("localmixup.") and word[0] != "_":
                    wanted.add(word)
    assert len(wanted) > 15
    missing = wanted - {name.rpartition(".")[2] for name in documented_names(site)}
    assert not missing


def documented_names(site):
    inventory = zlib.decompress((site / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]).decode()
    return {line.split(" ")[0] for line in inventory.splitlines()}


def resolve(path):
    """Return the module or class of that name."""
    module, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return getattr(resolve(module), name, None)  # None: a name that only type checkers import


def test_every_command_and_option_is_in_the_reference(site):
    text = (site / "commands.html").read_text()
    commands = list(paths_of(typer.main.get_command(app)))
    assert ("benchmark",) in commands
    assert ("paper", "list") in commands
    for command in commands:
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
    """Among the last things that a page says is a link to another page."""
    ends = []
    for path, html in pages.items():
        said = re.sub(r"<aside.*", "", article(html), flags=re.DOTALL)
        last = "".join(re.findall(r"<(?:p|li|tr|dd|pre)\b.*?(?=<(?:p|li|tr|dd|pre)\b|$)", said, re.DOTALL)[-4:])
        if not re.search(r'<a (?![^>]*headerlink)[^>]*href="(?!https?:|#|mailto:)[^"]+"', last):
            ends.append(path.name)
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


def test_every_tutorial_shows_its_output_and_its_time(site):
    text = (ROOT / "docs" / "gallery.md").read_text()
    tutorials = re.findall(r"examples/(\w+)\.py\) \|", text[: text.index("## Pictures")])
    assert len(tutorials) == 4
    for name in tutorials:
        page = (site / "gallery" / f"{name}.html").read_text()
        assert re.search(r"It takes about \d+ seconds on a CPU, and prints:", page)
        printed = (ROOT / "docs" / "images" / "gallery" / f"{name}.txt").read_text()
        assert len(printed.splitlines()) >= 2
        assert printed.splitlines()[0] in page


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


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")
@pytest.mark.parametrize(
    "path",
    [
        # those that train take longer
        path if path.stem.startswith("draw") else pytest.param(path, marks=pytest.mark.slow)
        for path in load("gallery").shown_scripts()
    ],
    ids=lambda path: path.stem,
)
def test_scripts_of_the_gallery_draw_and_print_what_is_shown(path):
    gallery = load("gallery")
    picture, printed = gallery.run(path)
    shown = (gallery.SHOWN / f"{path.stem}.txt").read_text()
    # the words are the same; numbers may differ a little from machine to machine
    assert re.sub(r"\d", "", printed) == re.sub(r"\d", "", shown)
    if path.stem in gallery.PRINTING:
        return
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 0.5 * (gallery.SHOWN / f"{path.stem}.png").stat().st_size
