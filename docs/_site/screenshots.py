"""The annotated pictures of the first screens of the reports: `python docs/_site/screenshots.py` makes them again.

It writes the sample reports, opens them in Chromium and puts numbered marks into the margin. The text that a picture
shows is kept beside it; a test compares it with the report.
"""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

IMAGES = Path(__file__).resolve().parent.parent / "images"
SHOTS = {
    "report-inspect": ("inspect-digits.html", ["p.verdict", ":nth-child(1 of .code)", ":nth-child(2 of .code)"], 740),
    "report-compare": ("compare-digits.html", ["h1", "p.verdict", ":nth-child(1 of .code)"], 600),
}
"""The sample of each picture, what is marked, and the height in pixels."""

_STYLE = """
body { padding-left: 4rem; max-width: 68rem; } html { background: var(--page); }
%s { position: relative; overflow: visible; }
%s { position: absolute; left: -3rem; top: 50%%; transform: translateY(-50%%); width: 2rem; height: 2rem;
  border-radius: 50%%; background: #b94700; color: #fff; font: bold 1.1rem/2rem system-ui, sans-serif;
  text-align: center; }
"""


def first_screen(page: str) -> str:
    """Return the visible text of a report above its table of contents, one line for each element."""
    start = re.search(r"<main>(.*?)<h2", page, re.DOTALL)
    assert start
    above = re.sub(r"<details.*?</details>", "", start[1], flags=re.DOTALL)
    lines = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</(?:h1|p|pre)>", "\n", above))).splitlines()
    return "\n".join(line.rstrip().replace("\u00a0", " ") for line in lines if line.strip()) + "\n"


def marked(page: str, parts: list[str]) -> str:
    """Return a report with the numbers 1, 2, ... in the margin beside some of its parts.

    Args:
        page: the HTML.
        parts: CSS selectors of children of its `main`.
    """
    selectors = [f"main > {part}" for part in parts]
    style = _STYLE % (", ".join(selectors), ", ".join(f"{one}::before" for one in selectors))
    style += "".join(f'{one}::before {{ content: "{k}"; }}\n' for k, one in enumerate(selectors, start=1))
    return page.replace("</style>", style + "</style>", 1)


def shoot(page: str, height: int) -> bytes:
    """Return a page as Chromium draws it, as PNG, 1,000 pixels wide.

    Raises:
        RuntimeError: there is no Chromium.
    """
    from PIL import Image

    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    chromium = next((path for name in names if (path := shutil.which(name))), None)
    if chromium is None:
        raise RuntimeError(f"no Chromium; looked for {', '.join(names)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, target = Path(folder, "page.html"), Path(folder, "page.png")
        source.write_text(page)
        subprocess.run(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--blink-settings=preferredColorScheme=1", f"--user-data-dir={folder}/profile",
             f"--window-size=1000,{height}", f"--screenshot={target}", source.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        smaller = io.BytesIO()
        Image.open(target).convert("RGB").quantize(64).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


if __name__ == "__main__":
    from samples import samples

    pages = samples()
    for name, (sample, parts, height) in SHOTS.items():
        (IMAGES / f"{name}.png").write_bytes(shoot(marked(pages[sample], parts), height))
        (IMAGES / f"{name}.txt").write_text(first_screen(pages[sample]))
