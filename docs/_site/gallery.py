"""One page for each script of `examples/`: what it shows, its picture, what it prints, and the script itself.

`python docs/_site/gallery.py [NAME...]` runs the scripts that draw and keeps what they draw and print.
"""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
SHOWN = ROOT / "docs" / "images" / "gallery"
"""Pictures and outputs of the scripts, by their names. `python docs/_site/gallery.py` makes them again."""


def on_files(files: Any, config: Any) -> Any:
    """Add the page of every script."""
    from mkdocs.structure.files import File

    for path in sorted(EXAMPLES.glob("*.py")):
        files.append(File.generated(config, f"gallery/{path.stem}.md", content=page_of(path)))
    return files


def page_of(path: Path) -> str:
    """Return the page of a script."""
    code = path.read_text()
    about = ast.get_docstring(ast.parse(code)) or ""
    first, _, rest = about.partition("\n")
    lines = [f"# {first.removesuffix('.')}", "", rest.strip(), ""]
    if (SHOWN / f"{path.stem}.png").exists():
        lines += [f"![{first}](../images/gallery/{path.stem}.png)", ""]
    if (SHOWN / f"{path.stem}.txt").exists():
        lines += ["It prints:", "", "```", (SHOWN / f"{path.stem}.txt").read_text().rstrip(), "```", ""]
    lines += [f"The script, `examples/{path.name}`:", "", "```python", code.rstrip(), "```", ""]
    lines += ["[All examples](../gallery.md)", ""]
    return "\n".join(lines)


def drawing_scripts() -> list[Path]:
    """Return the scripts whose `main` returns a figure."""
    return [path for path in sorted(EXAMPLES.glob("*.py")) if "def main() -> Figure:" in path.read_text()]


def run(path: Path) -> tuple[bytes, str]:
    """Run a script that draws.

    Args:
        path: the script.

    Returns:
        Its picture as PNG, and what it printed.
    """
    from PIL import Image

    printed, picture = io.StringIO(), io.BytesIO()
    with contextlib.redirect_stdout(printed):
        figure = runpy.run_path(str(path))["main"]()
    figure.savefig(picture, format="png", dpi=110)
    smaller = io.BytesIO()
    Image.open(picture).convert("RGB").quantize(64).save(smaller, "PNG", optimize=True)
    return smaller.getvalue(), printed.getvalue()


if __name__ == "__main__":
    for script in drawing_scripts():
        if len(sys.argv) == 1 or script.stem in sys.argv[1:]:
            begun = time.perf_counter()
            picture, printed = run(script)
            (SHOWN / f"{script.stem}.png").write_bytes(picture)
            (SHOWN / f"{script.stem}.txt").write_text(printed)
            print(f"{script.stem}: {time.perf_counter() - begun:.0f} s")
