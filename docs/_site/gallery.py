"""One page for each script of `examples/`: what it shows, its picture, what it prints, and the script itself.

`python docs/_site/gallery.py [NAME...]` runs the tutorials and the scripts that draw, and keeps what they draw and
print, and how long they take.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
SHOWN = ROOT / "docs" / "images" / "gallery"
"""Pictures and outputs of the scripts, by their names. `python docs/_site/gallery.py` makes them again."""
TIMES = SHOWN / "seconds.json"
"""How long the scripts take, in seconds, by their names."""
PRINTING = ("transformers_text",)
"""Tutorials that draw nothing."""


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
        seconds = json.loads(TIMES.read_text())[path.stem]
        lines += [
            f"It takes about {rounded(seconds)} seconds on a CPU, and prints:",
            "",
            "```",
            (SHOWN / f"{path.stem}.txt").read_text().rstrip(),
            "```",
            "",
        ]
    lines += [f"The script, `examples/{path.name}`:", "", "```python", code.rstrip(), "```", ""]
    lines += ["[All examples](../gallery.md)", ""]
    return "\n".join(lines)


def rounded(seconds: float) -> int:
    """Return a time as people say it: to 5 seconds, and at least 5."""
    return max(5, 5 * round(seconds / 5))


def shown_scripts() -> list[Path]:
    """Return the scripts whose output is shown: those whose `main` returns a figure, and `PRINTING`."""
    draws = "def main() -> Figure:"
    return [path for path in sorted(EXAMPLES.glob("*.py")) if path.stem in PRINTING or draws in path.read_text()]


def run(path: Path) -> tuple[bytes, str]:
    """Run a script.

    Args:
        path: the script.

    Returns:
        Its picture as PNG, empty if it draws none, and what it printed; without the dictionaries of Transformers.
    """
    from PIL import Image

    printed, picture = io.StringIO(), io.BytesIO()
    with contextlib.redirect_stdout(printed):
        figure = runpy.run_path(str(path))["main"]()
    text = "".join(line for line in printed.getvalue().splitlines(keepends=True) if not line.startswith("{"))
    if path.stem in PRINTING:
        return b"", text
    figure.savefig(picture, format="png", dpi=110)
    smaller = io.BytesIO()
    Image.open(picture).convert("RGB").quantize(64).save(smaller, "PNG", optimize=True)
    return smaller.getvalue(), text


if __name__ == "__main__":
    times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    for script in shown_scripts():
        if len(sys.argv) == 1 or script.stem in sys.argv[1:]:
            begun = time.perf_counter()
            picture, printed = run(script)
            times[script.stem] = round(time.perf_counter() - begun, 1)
            if picture:
                (SHOWN / f"{script.stem}.png").write_bytes(picture)
            (SHOWN / f"{script.stem}.txt").write_text(printed)
            TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n")
            print(f"{script.stem}: {times[script.stem]:.0f} s")
