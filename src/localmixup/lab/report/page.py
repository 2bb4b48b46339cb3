"""Write one page: a single HTML file that needs no network. Its one script copies code and unfolds for printing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from localmixup.lab.files import write_file
from localmixup.lab.handover import terms_of
from localmixup.lab.text import plain


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page from a template of this folder.

    The file appears under its name only when it is complete. Control characters in names are written out.

    Args:
        path: path of the HTML file.
        template: file name of the template.
        values: values for the template. Everything but figures is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("localmixup.lab.report", ""), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["marked"] = marked
    environment.globals["terms_of"] = terms_of
    environment.filters["count"] = "{:,}".format
    write_file(path, _unbroken(plain(environment.get_template(template).render(**values))))


def _unbroken(html: str) -> str:
    """Keep numbers and their units on one line, except in code."""
    parts = re.split(r"(<(?:pre|style|script)\b.*?</(?:pre|style|script)>)", html, flags=re.DOTALL)
    parts[::2] = [re.sub(r"(?<=\d) (?=(?:%|points)(?!\w))", "\u00a0", part) for part in parts[::2]]
    return "".join(parts)


def marked(text: str) -> Markup:
    """Return a line of Markdown as HTML. It may hold code, strong and emphasised words.

    Args:
        text: the line.

    >>> marked("**a < b** in `code`, *really*")
    Markup('<strong>a &lt; b</strong> in <code>code</code>, <em>really</em>')
    """
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    html = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html)
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html))
