"""How often the verdict was right on the fixed suite of data sets, from benchmarks/inspect_suite.py."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from localmixup.lab.inspection.verdict import FIRST_LINE

HIT_HEAD = [
    "verdict", "data sets", "harm shown", "more than 5 points worse", "neither harm nor gain shown", "gain shown",
]  # fmt: skip
"""Headings of the table of hit rates."""


def evidence() -> dict[str, Any]:
    """Return what `benchmarks/inspect_suite.py` wrote of the sets that judge the verdict; empty before it has run."""
    file = resources.files("localmixup.lab.inspection") / "evidence.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def hit_rates() -> list[list[str]]:
    """Return the table of hit rates as text: for each word, what training with and without mixup showed."""
    sets = evidence().get("sets", {})
    rows = []
    for word in FIRST_LINE:
        harms = [one["harm"] for one in sets.values() if one["word"] == word]
        shown = sum(low > 0 for _, low, _ in harms)
        gains = sum(high < 0 for _, _, high in harms)
        large = sum(mean > 5 for mean, _, _ in harms)
        rows.append([word, *(str(n) for n in (len(harms), shown, large, len(harms) - shown - gains, gains))])
    return rows if sets else []
