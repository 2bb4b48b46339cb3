"""The glossary: the page of the documentation, and the part of it in each report."""

from pathlib import Path

import jinja2
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.handover import glossary_page, terms_of
from localmixup.lab.report.page import marked

PAGE = Path(__file__).parents[3] / "docs" / "glossary.md"


def test_the_page_of_the_documentation_is_up_to_date():
    """If it is not: python -c "from localmixup.lab.handover import *; print(glossary_page(), end='')" > docs/glossary.md."""
    assert PAGE.read_text(encoding="utf-8") == glossary_page()


def test_every_term_is_explained_once_and_in_sentences():
    for command in ("compare", "inspect"):
        words = [term.word for term in terms_of(command)]
        assert len(set(words)) == len(words)
        for term in terms_of(command):
            assert term.meaning.endswith(".")
            assert term.word[0].isupper()
    with pytest.raises(ArgumentError, match="command must be one of 'compare', 'inspect'"):
        terms_of("paper")


def test_a_report_holds_its_terms_folded():
    environment = jinja2.Environment(loader=jinja2.PackageLoader("localmixup.lab.report", ""), autoescape=True)
    environment.filters["marked"] = marked
    template = environment.from_string('{% from "glossary.html.j2" import glossary %}{{ glossary(terms) }}')
    html = template.render(terms=terms_of("compare"))
    assert html.strip().startswith('<details id="glossary"><summary>What the words mean</summary>')
    assert html.count("<li>") == len(terms_of("compare"))
    assert "<code>local_mixup.json</code>" in html
