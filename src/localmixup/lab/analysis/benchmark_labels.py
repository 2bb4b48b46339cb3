"""How the arms of the benchmark and the kinds of its data sets are called, in stores and in tables."""

from __future__ import annotations

from localmixup.lab.analysis.attribution import AS_FAR, AS_OFTEN

UNTOUCHED, RECOMMENDED, CLASSICAL = "LocalMixup()", "recommend", "classical mixup"
NEAR, OF_SET = "nearest 1 % of the set", "control: random partners of the set"
OF_SET_AS_FAR = "control: random partners of the set, moved as far"
CONTROLS = (AS_OFTEN, AS_FAR, OF_SET, OF_SET_AS_FAR)
REFERENCE = "the better of vanilla training and tuned mixup"
KINDS = {
    "table": "tables", "image": "images by pixels", "features": "images by features", "control": "positive controls",
    "regression": "regressions",
}  # fmt: skip
