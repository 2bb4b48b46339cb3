"""Shapes in annotations are checked while the tests run; see `localmixup._shapes`."""

import os

os.environ["LOCALMIXUP_CHECK_SHAPES"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from jaxtyping import install_import_hook

# not graphs: their own checks of arguments are what is tested there
CHECKED = ("_distances", "_partners", "sampling.neighbors")
install_import_hook([f"localmixup.{name}" for name in CHECKED], "beartype.beartype")

import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("localmixup", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("localmixup")
torch.set_num_threads(1)
