"""Tables on consoles of any width."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from localmixup.lab.analysis.benchmark_contrasts import contrasts
from localmixup.lab.analysis.benchmarked import SetResult
from localmixup.lab.analysis.comparison import Comparison
from localmixup.lab.cli import tables
from localmixup.lab.cli.console import PlainConsole
from localmixup.lab.paper.claims import CLAIM_HEAD
from localmixup.lab.report import comparison_page, inspection_page

ROOT = Path(__file__).parents[3]

HEAD = ("method", "test error, %", "difference from vanilla", "negative log-likelihood")
ROWS = [
    ["vanilla", "8.33 ± 17.25", "", "0.1471"],
    ["control: mixed as often", "12.5 ± 9.01", "-2.78 (-14.73 to +9.17)", "0.1552"],
]


def printed(monkeypatch, width, *arguments, **options):
    stream = io.StringIO()
    console = PlainConsole(file=stream, width=width, markup=False, emoji=False, highlight=False)
    monkeypatch.setattr(tables, "console", console)
    tables.print_table(*arguments, **options)
    return stream.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_every_value_stands_whole_on_a_line(monkeypatch, width):
    text = printed(monkeypatch, width, HEAD, ROWS, title="pets", dim=[1])
    for row in ROWS:
        for value in row[1:]:
            assert value in text
        for word in row[0].split():
            assert word in text
    assert "…" not in text


def test_a_wide_console_gets_a_table_and_a_narrow_one_lists(monkeypatch):
    assert "────" in printed(monkeypatch, 80, HEAD, ROWS)
    narrow = printed(monkeypatch, 40, HEAD, ROWS)
    assert "────" not in narrow
    assert "\ncontrol: mixed as often\n  test error, %: 12.5 ± 9.01\n" in narrow


@pytest.mark.parametrize("width", [20, 40, 80])
def test_text_is_broken_between_words_only(monkeypatch, width):
    rows = [["figure4", "error against the radius", "1,000 runs of 2,000 updates", "paper*, controlled"]]
    text = printed(monkeypatch, width, ("item", "what", "full size", "protocols"), rows, text=True)
    assert set(re.findall(r"[\w,*]+", " ".join(rows[0]))) <= set(re.findall(r"[\w,*]+", text))


def from_page(name, title):
    """The head and the rows of a table of a page of the documentation, which a command wrote."""
    lines = (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith(f"| {title} |"))
    length = next(k for k, line in enumerate(lines[start:]) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start : start + length]]


def table_of(command):
    """The head and the rows of the table that a command prints, and whether all of it is text."""
    if command == "inspect":
        numbers = ["14.1 %", "0.44 %", "1.8 %", "100.0 %", "0.5 points"]
        rows = [["the recommended recipe (take this one)", *numbers], ["mixup of all samples", "98.4 %", *numbers[1:]]]
        return inspection_page.HEAD, rows, False
    if command == "inspect of a regression":
        row = ["the recommended recipe (the mildest, if you mix)", "14.1 %", "0.91", "100.0 %"]
        return inspection_page.HEAD_OF_TARGETS, [row], False
    if command == "compare":
        stored = json.loads((ROOT / "results" / "answers" / "digits" / "comparison.json").read_text())
        found = Comparison(**{**stored, "remarks": ()})
        return comparison_page.head(found)[:4], [comparison_page.cells(row, found)[:4] for row in found.rows], False
    if command == "benchmark":
        sets = json.loads((ROOT / "results" / "benchmark" / "benchmark.json").read_text())["sets"]
        table = contrasts([SetResult(**one) for one in sets])
        return table.head[:5], [row[:5] for row in table.rows], True
    if command == "paper report":
        head, _, *rows = from_page("reproduction.md", "item")
        assert tuple(head) == CLAIM_HEAD
        return head, rows, True
    head, _, *rows = from_page("theory.md", "statement")
    return head, rows, True


@pytest.mark.parametrize(
    "command", ["inspect", "inspect of a regression", "compare", "benchmark", "paper report", "theory"]
)
def test_no_word_and_no_number_of_the_tables_of_the_commands_is_cut_at_any_width(monkeypatch, command):
    head, rows, text = table_of(command)
    unlike = {max(column, key=len) for column in zip(*rows, strict=True)}  # each column's longest, and a few more
    rows = [row for k, row in enumerate(rows) if k < 4 or unlike & set(row)]
    words = {word for row in [head[1:], *rows] for cell in row for word in cell.split()}
    numbers = set() if text else {cell for row in rows for cell in row[1:]}
    forms = []
    for width in range(20, 121):
        output = printed(monkeypatch, width, head, rows, text=text)
        forms.append("────" in output)
        assert "…" not in output
        assert words <= {word.removesuffix(":") for word in output.split()} | set(output.split()), width
        assert all(any(number in line for line in output.splitlines()) for number in numbers), width
        if forms[-1]:
            assert max(map(len, output.splitlines())) <= width
    assert forms == sorted(forms)  # a list up to some width, and a table from there
    assert forms[-1]


def test_characters_that_take_two_columns_are_counted_as_two(monkeypatch):
    rows = [["数据集的名字 二", "1.25"], ["größe", "10.5"]]
    for width in range(24, 50):  # a table at each of them
        output = printed(monkeypatch, width, ("数据", "test error, %"), rows)
        assert "数据集的名字" in output
        assert max(cell_len(line) for line in output.splitlines()) <= width
