"""Pages of the site that stand outside `docs/` in the repository, and links between all of them.

In the repository every link leads to a file, so that the pages can be read on a code host. Here a link to a file that
is a page of the site becomes a link to that page, and any other becomes a link to the repository. Between the lines
`<!-- tabs -->` and `<!-- end of tabs -->` each heading becomes a tab.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "results/README.md": "results.md",
}
"""Files outside `docs/` and the pages that they become."""

STANDS_FOR = {"README.md": "index.md", "CITATION.cff": "citing.md", "src/localmixup/lab/methods": "methods.md"}
"""Files and folders whose content another page has."""

MORE = {
    "benchmark.md": "Next: [what else was measured](results.md), or [compare on your own data](compare.md).",
    "changelog.md": "Next: [what every version keeps](promises.md).",
    "contributing.md": "Next: [what the library must keep doing](promises.md).",
    "elsewhere.md": "Next: [how to](how-to.md), or [common mistakes](mistakes.md).",
    "frameworks.md": "Next: the page of your framework, [how to](how-to.md), or [common mistakes](mistakes.md).",
    "functions.md": "Next: [what is on the pages](reports.md), or [what the functions read](what-it-reads.md).",
    "lightning.md": "Next: [several processes](distributed.md), or [how to](how-to.md).",
    "reproduction.md": "How these runs are made: [the paper, reproduced and controlled](paper.md).",
    "results.md": "Next: [the benchmark](benchmark.md), or [the paper's claims](reproduction.md).",
    "what-it-reads.md": "Next: [`inspect`](inspect.md), or [`compare`](compare.md).",
}
"""Last lines of pages that end without a link, some of which are written by a command."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_TABS = re.compile(r"<!-- tabs -->\n(.*?)<!-- end of tabs -->\n?", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside `docs/`."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links lead to pages of the site, and make tabs of what is between the marks."""
    here = page.file.src_uri
    source = next((name for name, target in PAGES.items() if target == here), f"docs/{here}")
    markdown = _LINK.sub(
        lambda found: found[1] + site_link(found[2], source, here, config.repo_url) + found[3], markdown
    )
    return _TABS.sub(lambda found: as_tabs(found[1]), markdown) + f"\n\n{MORE.get(here, '')}\n"


def site_link(link: str, source: str, page: str, repository: str) -> str:
    """Return where a link of a file of the repository leads on the site.

    Args:
        link: as it is written, relative to its file.
        source: the file that holds it, relative to the root of the repository.
        page: the page of the site that the file becomes.
        repository: address of the repository, with a slash at its end or without.
    """
    path, mark, anchor = link.partition("#")
    if not path or "://" in path or path.startswith(("mailto:", "/")):
        return link
    target = os.path.normpath(os.path.join(os.path.dirname(source), path)).replace(os.sep, "/")
    placed = place_of(target)
    if placed is None:
        return f"{repository.rstrip('/')}/blob/main/{target}{mark}{anchor}"
    return os.path.relpath(placed, os.path.dirname(page) or ".").replace(os.sep, "/") + mark + anchor


def place_of(target: str) -> str | None:
    """Return the path on the site of a file of the repository; None if it is not there."""
    if target in PAGES:
        return PAGES[target]
    if target in STANDS_FOR:
        return STANDS_FOR[target]
    if target.startswith("examples/") and target.endswith(".py"):
        return f"gallery/{Path(target).stem}.md"
    return target.removeprefix("docs/") if target.startswith("docs/") else None


def as_tabs(text: str) -> str:
    """Return sections with headings of the third level as tabs."""
    parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)[1:]
    lines = []
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        lines.append(f'=== "{title}"\n')
        lines += [f"    {line}" if line else "" for line in body.strip().splitlines()]
        lines.append("")
    return "\n".join(lines) + "\n"
