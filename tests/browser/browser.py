"""Open a page in headless Chromium and ask axe whether everybody can read it."""

import functools
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES = {"dark": 0, "light": 1}

_RUN = """
<script>{axe}</script>
<script>addEventListener("load", async () => {{
  for (const part of document.querySelectorAll("details")) part.open = true;
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
  const found = await axe.run(document, {{runOnly: {{type: "tag", values: rules}}, resultTypes: ["violations"]}});
  const told = found.violations.map(v => [v.id, v.impact, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary]);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const report = document.createElement("pre"); report.id = "axe-report";
  report.textContent = encodeURIComponent(JSON.stringify({{violations: told, passed: found.passes.length, wide}}));
  document.body.append(report);
}});</script>
"""


@functools.cache
def chromium():
    """Return the command of Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def run_chromium(*arguments):
    """Run Chromium without a window, and return what it printed."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *arguments]
        command.insert(1, f"--user-data-dir={profile}")
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=240).stdout


def dom(url, width=1280, scheme="light", wait=20_000):
    """Return the document of a page after its scripts have run for `wait` milliseconds of its own time."""
    return run_chromium(
        f"--window-size={width},900", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--virtual-time-budget={wait}", "--dump-dom", url,
    )  # fmt: skip


def axe(page, width=1280, scheme="light"):
    """Check a page with everything unfolded.

    Args:
        page: path of the HTML file.
        width: of the window, in pixels, at least 500.
        scheme: "light" or "dark".

    Returns:
        `violations`, the number of rules `passed`, and by how many pixels the page is too `wide`.
    """
    from urllib.parse import unquote

    copy = Path(page).with_name(f"axe-{scheme}-{width}-{Path(page).name}")
    html = Path(page).read_text()
    script = _RUN.format(axe=AXE.read_text().replace("</script", "<\\/script"))
    copy.write_text(html.replace("</body>", script + "</body>"))
    try:
        found = re.search(r'<pre id="axe-report">(.*?)</pre>', dom(copy.as_uri(), width, scheme), re.DOTALL)
    finally:
        copy.unlink()
    assert found, "axe did not finish"
    return json.loads(unquote(found[1]))
