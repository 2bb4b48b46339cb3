"""Open pages in headless Chromium and ask axe whether everybody can read them."""

import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES = {"dark": 0, "light": 1}
WIDTHS = (1280, 400)
REQUIRED = os.environ.get("LOCALMIXUP_BROWSER") == "1"
"""Whether a test that cannot find its browser fails instead of being skipped."""

# each page in a frame of the width, because no window of Chromium is as narrow as a telephone
_HARNESS = """<!doctype html><html lang="en"><title>axe</title><body style="margin: 0"><script>
addEventListener("load", async () => {{
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], reports = [];
  for (const page of {pages}) for (const width of {widths}) {{
    const frame = document.createElement("iframe");
    frame.style.cssText = `border: 0; height: 900px; width: ${{width}}px`;
    const loaded = new Promise(resolve => frame.onload = resolve);
    frame.src = page;
    document.body.append(frame);
    await loaded;
    const view = frame.contentWindow, inside = frame.contentDocument;
    for (const part of inside.querySelectorAll("details")) part.open = true;
    await new Promise(resolve => setTimeout(resolve, 500));
    view.eval({axe});
    const found = await view.axe.run(inside, {{runOnly: {{type: "tag", values: rules}}, resultTypes: ["violations"]}});
    const told = found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary]);
    const wide = inside.documentElement.scrollWidth - inside.documentElement.clientWidth;
    reports.push({{page, width: view.innerWidth, violations: told, passed: found.passes.length, wide}});
    frame.remove();
  }}
  const report = document.createElement("pre"); report.id = "axe-report";
  report.textContent = encodeURIComponent(JSON.stringify(reports));
  document.body.append(report);
}});
</script></body></html>
"""


@functools.cache
def chromium():
    """Return the command of Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


needs_browser = pytest.mark.skipif(not REQUIRED and chromium() is None, reason="no Chromium here")
needs_axe = pytest.mark.skipif(not REQUIRED and not AXE.exists(), reason="run npm ci --prefix tests/browser")


def run_chromium(*arguments, timeout=240):
    """Run Chromium without a window, and return what it printed."""
    assert chromium(), "LOCALMIXUP_BROWSER is 1, and there is no Chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *arguments]
        command.insert(1, f"--user-data-dir={profile}")
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout).stdout


def dom(url, *arguments, width=1280, scheme="light", wait=20_000, timeout=240):
    """Return the document of a page after its scripts have run for `wait` milliseconds of its own time."""
    return run_chromium(
        f"--window-size={width},900", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--virtual-time-budget={wait}", *arguments, "--dump-dom", url, timeout=timeout,
    )  # fmt: skip


def axe(pages, scheme="light", widths=WIDTHS):
    """Check pages with everything unfolded, in one browser.

    Args:
        pages: paths of the HTML files.
        scheme: "light" or "dark".
        widths: of the page, in pixels.

    Returns:
        For every page and width `page`, its address, `width`, `violations`, the number of rules `passed`, and by how
        many pixels the page is too `wide`.
    """
    harness = _HARNESS.format(
        pages=json.dumps([Path(page).as_uri() for page in pages]),
        widths=json.dumps(widths),
        axe=json.dumps(AXE.read_text()).replace("</", "<\\/"),
    )
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "axe.html")
        page.write_text(harness)
        document = dom(
            page.as_uri(), "--allow-file-access-from-files",
            width=max(widths) + 20, scheme=scheme, wait=10_000 * (1 + len(pages) * len(widths)), timeout=900,
        )  # fmt: skip
    found = re.search(r'<pre id="axe-report">(.*?)</pre>', document, re.DOTALL)
    assert found, "axe did not finish"
    return json.loads(unquote(found[1]))


def assert_readable(pages, scheme):
    """Assert that axe finds nothing on pages, and that none is wider than its window, wide or narrow."""
    reports = axe(pages, scheme)
    assert sorted({report["width"] for report in reports}) == sorted(WIDTHS)
    assert len(reports) == len(pages) * len(WIDTHS)
    bad = [report for report in reports if report["violations"] or report["wide"] > 0 or report["passed"] < 8]
    assert not bad, bad


def evaluate(page, code, width):
    """Return what JavaScript finds on a page.

    Args:
        page: path of the HTML file.
        code: an expression in which `inside` is the document.
        width: of the page, in pixels.
    """
    harness = """<!doctype html><body style="margin: 0"><iframe style="border: 0; height: 900px; width: {width}px" src="{page}">
    </iframe><script>addEventListener("load", () => {{
      const inside = document.querySelector("iframe").contentDocument, found = document.createElement("pre");
      found.id = "found"; found.textContent = encodeURIComponent(JSON.stringify({code})); document.body.append(found);
    }});</script>"""
    with tempfile.TemporaryDirectory() as folder:
        wrapper = Path(folder, "wrapper.html")
        wrapper.write_text(harness.format(width=width, page=Path(page).as_uri(), code=code))
        document = dom(wrapper.as_uri(), "--allow-file-access-from-files", wait=3_000)
    return json.loads(unquote(re.search(r'<pre id="found">(.*?)</pre>', document, re.DOTALL)[1]))


def requests_of(page, wait=5_000):
    """Return the addresses outside this machine's files that a page asks for, answered or not."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "net.json")
        dom(page.as_uri(), f"--log-net-log={log}", "--host-resolver-rules=MAP * ~NOTFOUND", wait=wait)
        told = json.loads(log.read_text())
    kind = told["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in told["events"] if event["type"] == kind and "url" in event.get("params", {})]
    # the browser's own requests, for its updates, have no origin
    return [a["url"] for a in asked if a["initiator"] != "not an origin" and not a["url"].startswith("file:")]
