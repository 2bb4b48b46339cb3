"""Write one page: a single HTML file that needs no network and runs no script."""

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
    write_file(path, plain(environment.get_template(template).render(**values)))


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
