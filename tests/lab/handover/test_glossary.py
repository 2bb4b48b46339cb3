"""The glossary: the page of the documentation, and the part of it in each report."""

import re
from pathlib import Path

import jinja2
import pytest

from localmixup._validate import ArgumentError
from localmixup.lab.handover import glossary_page, terms_of
from localmixup.lab.inspection.verdict import word_for
from localmixup.lab.report.page import marked

PAGE = Path(__file__).parents[3] / "docs" / "glossary.md"


def test_the_page_of_the_documentation_is_up_to_date():
    """If it is not: python -c "from localmixup.lab.handover import *; print(glossary_page(), end='')" > docs/glossary.md."""
    assert PAGE.read_text(encoding="utf-8") == glossary_page()


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("command", ["compare", "inspect"])
def test_every_term_is_explained_once_and_in_sentences(command, task):
    terms = terms_of(command, task)
    words = [term.word for term in terms]
    assert len(set(words)) == len(words)
    assert {"Mixup", "Local mixup", "Score" if command == "inspect" else "Test error"} <= set(words)
    for term in terms:
        assert term.meaning.endswith(".")
        assert term.word[0].isupper()


def test_other_commands_and_tasks_are_refused():
    with pytest.raises(ArgumentError, match="command must be one of 'compare', 'inspect'"):
        terms_of("paper", "regression")
    with pytest.raises(ArgumentError, match="task must be one of 'classification', 'regression'"):
        terms_of("compare", "ranking")


@pytest.mark.parametrize("command", ["compare", "inspect"])
def test_pages_of_a_regression_say_nothing_of_classes_and_those_of_classes_nothing_of_quantities(command):
    for task, foreign in (("regression", r"class|label|ROC"), ("classification", r"quantit|target|square error")):
        text = " ".join(f"{term.word}. {term.meaning}" for term in terms_of(command, task))
        assert re.findall(foreign, text) == []


def test_the_bounds_of_the_score_are_those_of_the_verdict():
    for task in ("classification", "regression"):
        (score,) = (term.meaning for term in terms_of("inspect", task) if term.word == "Score")
        safe, harmful = map(float, re.search(r"Up to ([\d.]+) is safe, ([\d.]+) and more is harmful", score).groups())
        assert [word_for(safe + step, task) for step in (0, 1e-6)] == ["safe", "unclear"]
        assert [word_for(harmful - step, task) for step in (0, 1e-6)] == ["harmful", "unclear"]


def test_a_report_holds_its_terms_folded():
    environment = jinja2.Environment(loader=jinja2.PackageLoader("localmixup.lab.report", ""), autoescape=True)
    environment.filters["marked"] = marked
    template = environment.from_string('{% from "glossary.html.j2" import glossary %}{{ glossary(terms) }}')
    html = template.render(terms=terms_of("compare", "classification"))
    assert html.strip().startswith('<details id="glossary"><summary>What the words mean</summary>')
    assert html.count("<li>") == len(terms_of("compare", "classification"))
    assert "<code>local_mixup.json</code>" in html
