"""Tables on consoles of any width."""

import io
import re

import pytest

from localmixup.lab.cli import tables
from localmixup.lab.cli.console import PlainConsole

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
