"""What the integrations import, and what they say if a framework is missing. One process checks all of them."""

import json
import subprocess
import sys

CODE = """
import importlib, json, sys

before = set(sys.modules)
for name in ("lightning", "timm", "torchvision", "keras", "transformers"):
    importlib.import_module(f"localmixup.integrations.{name}")
heavy = {"lightning", "pytorch_lightning", "timm", "torchvision", "PIL", "keras", "transformers", "sklearn", "accelerate"}
found = {"imported": sorted(heavy & set(sys.modules) - before)}

for package in ("keras", "transformers", "sklearn"):
    sys.modules[package] = None
for name in ("keras.LocalMixupDataset", "transformers.LocalMixupTrainer", "sklearn.LocalMixupClassifier", "keras.Nothing"):
    module, attribute = name.split(".")
    try:
        getattr(importlib.import_module(f"localmixup.integrations.{module}"), attribute)
    except (ImportError, AttributeError) as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


def test_integrations_import_their_framework_on_use_and_say_how_to_install_it():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    missing = "MissingPackageError: {0} is needed for this but not installed; in a checkout: pip install -e '.[{0}]'"
    assert json.loads(done.stdout) == {
        "imported": [],
        "keras.LocalMixupDataset": missing.format("keras"),
        "transformers.LocalMixupTrainer": missing.format("transformers"),
        "sklearn.LocalMixupClassifier": missing.format("sklearn"),
        "keras.Nothing": "AttributeError: module 'localmixup.integrations.keras' has no attribute 'Nothing'",
    }
