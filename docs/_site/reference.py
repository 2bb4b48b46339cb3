"""The reference pages: the public names from their docstrings, the commands from their parser, the methods.

What is public is read from the package itself, so that no name can be forgotten.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).resolve().parent.parent.parent / "src"
sys.path.insert(0, str(SOURCE))

CORE = {
    "mixing": ("Mixing", ("_mixup", "_batch", "geometry", "_validate")),
    "graphs": ("Graphs", ("graphs",)),
    "sampling": ("Pairs of the whole training set", ("sampling",)),
    "extras": ("Hidden layers, features, CutMix, sequences, schedules", ("extras",)),
}
"""Pages of the names of `localmixup`: title, and the rooms of the package that they come from."""

SAYS = {
    "mixing": "The object in the training loop, and what it returns.",
    "graphs": "Which pairs may be mixed, and how much each counts.",
    "sampling": "Pairs of near samples of the whole training set instead of a batch.",
    "extras": "Mixing beyond the inputs of a batch.",
    "geometry": "What mixup does to a data set. Import it as `localmixup.geometry`.",
    "theory": "The paper's closed forms. Import them as `localmixup.theory`.",
    "distributed": "Local Mixup over several processes. Import it as `localmixup.distributed`.",
    "integrations": "One module for each framework.",
    "lab": "The two commands as functions, for notebooks and scripts.",
}
TITLES = {
    "geometry": "Geometry of a data set",
    "theory": "Theory",
    "distributed": "Several processes",
    "integrations": "Frameworks",
    "lab": "The lab",
}
_MODULE = "    options: { show_root_heading: true, show_root_full_path: true, members: true, heading_level: 2 }"
_OWN = _MODULE.replace("members: true, ", "")  # without what the module imports


def on_files(files: Files, config: Any) -> Files:
    """Add the reference pages."""
    for page, text in pages().items():
        files.append(File.generated(config, page, content=text))
    return files


def pages() -> dict[str, str]:
    """Return the Markdown of every reference page by its path."""
    found = {f"api/{name}.md": api_page(name, names) for name, names in public_names().items()}
    lines = ["# Public names", "", "Everything that can be imported, with arguments, shapes, units and errors.", ""]
    for name in public_names():
        lines += [f"- [{title_of(name)}]({name}.md): {SAYS[name]}"]
    lines += [
        "",
        "The [commands](../commands.md) and the [methods to compare](../methods.md) have their own pages.",
        "",
    ]
    return found | {"api/index.md": "\n".join(lines), "commands.md": commands_page(), "methods.md": methods_page()}


def title_of(page: str) -> str:
    """Return the title of a page of public names."""
    return CORE[page][0] if page in CORE else TITLES[page]


def public_names() -> dict[str, list[str]]:
    """Return the full names that each page of public names has to hold."""
    import localmixup

    home = {name: module.partition(".")[0] for name, module in localmixup._HOME.items()}
    found = {
        page: [f"localmixup.{name}" for name, room in home.items() if room in rooms]
        for page, (_, rooms) in CORE.items()
    }
    found["sampling"].append("localmixup.sampling.pairs.PairSummary")  # what PairSampler.describe returns
    found["geometry"] = [f"localmixup.geometry.{name}" for name in (*exported("geometry"), "plots")]
    found["theory"] = [f"localmixup.theory.{name}" for name in (*exported("theory"), "plots")]
    found["distributed"] = [f"localmixup.distributed.{name}" for name in exported("distributed")]
    found["integrations"] = sorted(
        f"localmixup.integrations.{path.stem}"
        for path in (SOURCE / "localmixup" / "integrations").iterdir()
        if not path.name.startswith("_")
    )
    found["lab"] = [f"localmixup.lab.{name}" for name in exported("lab")]
    found["lab"] += [f"localmixup.lab.functions.results.{name}" for name in ("ComparisonResult", "InspectionResult")]
    return found


def exported(package: str) -> list[str]:
    """Return the names that a package passes on: its `__all__`, or else what it imports under the same name."""
    tree = ast.parse((SOURCE / "localmixup" / package / "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return [a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname == a.name]


def api_page(page: str, names: list[str]) -> str:
    """Return a page of public names."""
    lines = [f"# {title_of(page)}", "", SAYS[page], ""]
    for name in names:
        lines += [f"::: {name}", ""]
        if name.endswith(".plots"):
            lines[-1:] = [_OWN, ""]
        elif page in ("theory", "integrations"):
            lines[-1:] = [_MODULE, ""]
    lines += ["All pages of the reference: [public names](index.md).", ""]
    return "\n".join(lines)


def commands_page() -> str:
    """Return the page of the commands, read from their parser."""
    import typer.main

    from localmixup.lab.cli.app import app

    lines = ["# Commands", "", "What `localmixup --help` and the help of each command say.", ""]
    for path, command in commands_of(typer.main.get_command(app), "localmixup"):
        lines += [f"## `{path}`", "", command.help or command.short_help or "", ""]
        lines += rows_of(command)
    lines += ["How the answers are found: [`compare`](compare.md), [`inspect`](inspect.md), [`paper`](paper.md).", ""]
    return "\n".join(lines)


def commands_of(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below a command, with the words that start it."""
    if not hasattr(command, "commands"):
        yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_of(below, f"{path} {name}")


def rows_of(command: Any) -> list[str]:
    """Return the table of the arguments and options of a command."""
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        is_argument = parameter.param_type_name == "argument"
        name = parameter.metavar or parameter.name.upper() if is_argument else ", ".join(parameter.opts)
        value = "" if is_argument or parameter.is_flag else parameter.metavar or ""
        default = parameter.default if isinstance(parameter.default, (str, int, float)) else ""
        default = "" if isinstance(parameter.default, bool) else default
        cells = [f"`{name}`", f"`{value}`" if value else "", f"`{default}`" if default != "" else "",
                 getattr(parameter, "help", "") or ""]  # fmt: skip
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return ["| name | value | default | |", "| --- | --- | --- | --- |", *rows, ""] if rows else []


def methods_page() -> str:
    """Return the page of the methods that can be compared, from their classes."""
    from localmixup.lab.cli.names import ALWAYS, METHODS

    lines = [
        "# Methods to compare",
        "",
        f"`localmixup compare DATA` compares {', '.join(f'`{name}`' for name in ALWAYS)}. `--methods A,B` adds others "
        "by the names that are headings here. [`compare`](compare.md) says how.",
        "",
        "`l` is the loss, `f` the network, `x~` its input, `w` the weight of a pair.",
        "",
    ]
    for name in (*ALWAYS, *METHODS):
        lines += method_entry(name)
    lines += ["What came of them on 28 data sets: [the benchmark](benchmark.md).", ""]
    return "\n".join(lines)


def method_entry(name: str) -> list[str]:
    """Return the paragraphs about a method by its name on the command line."""
    from localmixup.lab.methods import METHODS, Recipe

    method = METHODS.get(name, Recipe)  # "local" is a recipe that compare chooses
    title = "local mixup" if method is Recipe else method.title
    lines = [f"## {name}", "", f"In tables: *{title}*.", "", inspect.getdoc(method) or "", ""]
    lines += ["```", inspect.cleandoc(method.formula), "```", ""]
    return [*lines, f"Cite: {linked(method.citation)}", ""]


def linked(citation: str) -> str:
    """Return a citation whose DOI and number at arXiv are links."""
    citation = re.sub(r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", citation)
    return re.sub(r"doi:(10\.\S*\d)", r"[doi:\1](https://doi.org/\1)", citation)
