"""Help texts for terminals of any width: no word is broken, and a narrow one gets descriptions below their options."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

# typer has its own copy of click or imports it, depending on its version
_Context: Any = TyperCommand.context_class
_Formatter: Any = _Context.formatter_class

_WIDEST_TERM = 30  # a longer one has its description on the next line
_NARROWEST = 24  # columns of a description beside its option
_SPACE = 2  # between both


class Formatter(_Formatter):  # type: ignore[misc]
    """Writes a help text into the columns of the terminal. Only examples, which are to be pasted, may be longer."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how the command is called."""
        args = re.sub(r"\{(\w+)(\.\.\.)?\}\.\.\.", r"\1...", args)  # some versions of typer write {ITEM...}...
        self._write(f"{prefix or 'Usage: '}{prog} {args}", hang=4)

    def write_text(self, text: str) -> None:
        """Write paragraphs; the lines of one that begins with a backspace character stay as they are."""
        for k, paragraph in enumerate(text.split("\n\n")):
            if k:
                self.write_paragraph()
            if paragraph.startswith("\b\n"):
                for line in paragraph.splitlines()[1:]:
                    self.write(f"{'':{self.current_indent}}{line}\n")
            else:
                self._write(paragraph)

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = _WIDEST_TERM, col_spacing: int = _SPACE) -> None:
        """Write options, arguments or commands with their descriptions."""
        terms = [term.partition(" <")[0] for term, _ in rows]  # without a type of Python, such as <list[str]>
        column = min(max(map(len, terms), default=0), col_max) + col_spacing
        longest = max((len(word) for _, text in rows for word in text.split()), default=0)
        beside = self.width - self.current_indent - column >= max(_NARROWEST, longest)
        for term, (_, text) in zip(terms, rows, strict=True):
            if beside and len(term) <= column - col_spacing:
                self._write(text, first=term.ljust(column), hang=column)
            else:
                self._write(term, hang=4)
                hang = column if beside else 4
                self._write(text, first=" " * hang, hang=hang)

    def _write(self, text: str, *, first: str = "", hang: int = 0) -> None:
        """Write words after `first`, with `hang` spaces before all lines but the first, and the indent before all."""
        before, after = " " * self.current_indent + first, " " * (self.current_indent + hang)
        lines = textwrap.wrap(
            text, max(self.width, len(after) + 1), initial_indent=before, subsequent_indent=after,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        for line in lines or [before.rstrip()]:
            self.write(f"{line}\n")


class HelpContext(_Context):  # type: ignore[misc]
    """The context of a command whose help text `Formatter` writes."""

    formatter_class = Formatter


class Command(TyperCommand):
    """A command whose help text fits into the terminal."""

    context_class = HelpContext

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; a mistake in them knows its command, so that its message can name the help."""
        try:
            return super().parse_args(ctx, args)
        except Exception as mistake:
            if getattr(mistake, "ctx", ctx) is None:
                mistake.ctx = ctx  # type: ignore[attr-defined]
            raise
