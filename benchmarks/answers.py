"""What `inspect` and `compare` answer on eight data sets, as in results/answers.

    python benchmarks/answers.py [--out results/answers] [--data-root FOLDER] [NAME ...]

Both commands run as a user would type them, with no options but those below, in a folder where the tables lie as CSV
files. Runs that are stored there are not repeated, so the command can be ended at any time and goes on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from localmixup.lab.benchmark.client import load_set


def _quantiles() -> pd.DataFrame:
    data = load_set("quantiles-10")
    return pd.DataFrame(data.x, columns=[f"x{k}" for k in range(10)]).assign(target=data.y)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "wine": lambda: load_wine(as_frame=True).frame,
    "breast-cancer": lambda: load_breast_cancer(as_frame=True).frame,
    "diabetes": lambda: load_diabetes(as_frame=True).frame,
    "quantiles-10": _quantiles,
}
NAMES = ("digits", *TABLES, "spirals", "spirals-gaussian", "fashion_mnist-2000")


def answer(name: str, work: Path, out: Path, data_root: Path | None) -> None:
    """Run both commands on a data set, and keep their answers, their numbers and the recipe."""
    source, options = [name], []
    if name in TABLES:
        TABLES[name]().to_csv(work / f"{name}.csv", index=False)
        source = [f"{name}.csv", "--target", "target"]
    if name == "fashion_mnist-2000":
        source, options = ["fashion_mnist"], ["--train-size", "2000", "--model", "mlp"]
    if data_root and name == "fashion_mnist-2000":
        source += ["--data-root", str(data_root.resolve())]
    (out / name).mkdir(parents=True, exist_ok=True)
    for command, files in (("inspect", ("inspection.json",)), ("compare", ("comparison.json", "local_mixup.json"))):
        arguments = [command, *source, *(options if command == "compare" else []), "--out", name]
        print(f"localmixup {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "localmixup", *arguments], cwd=work, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stderr or f"status {done.returncode}")
        lines = (line.rstrip() for line in done.stdout.strip().splitlines())
        (out / name / f"{command}.txt").write_text("\n".join(lines) + "\n")
        for file in files:
            shutil.copy(work / name / file, out / name / file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=NAMES, help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--out", type=Path, default=Path("results/answers"))
    parser.add_argument(
        "--work", type=Path, default=Path("build/answers"), help="where the tables and the stores are kept"
    )
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"NAME must be one of {', '.join(NAMES)}, got {', '.join(sorted(unknown))}")
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        answer(name, options.work, options.out, options.data_root)


if __name__ == "__main__":
    main()
