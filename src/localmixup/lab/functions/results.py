"""What the functions return: the decision or verdict, the recipe, the numbers as a data frame, and the page."""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from localmixup import LocalMixup
from localmixup.lab.files import as_path, cannot_write, make_folder, write_file
from localmixup.lab.handover import INSPECTED_FILE, RECIPE_FILE, snippet, write_recipe

if TYPE_CHECKING:
    import pandas as pd

    from localmixup.lab.analysis.comparison import Comparison
    from localmixup.lab.analysis.decisions import Decision
    from localmixup.lab.inspection import Inspection, Verdict

_HEIGHT = 600  # pixels of the page in a notebook


@dataclass(frozen=True, repr=False)
class _Result(ABC):
    """What both results share.

    Attributes:
        page: the HTML page of the command; a notebook shows it.
        numbers: what the command prints with `--json`.
    """

    page: str
    numbers: dict[str, Any]

    page_file: ClassVar[str]
    numbers_file: ClassVar[str]
    recipe_files: ClassVar[tuple[str, ...]] = (RECIPE_FILE,)

    @property
    def recipe(self) -> LocalMixup:
        """The recipe to train with, as a new `LocalMixup`."""
        return LocalMixup.from_config(self.numbers["recipe"])

    def snippet(self, framework: str = "pytorch") -> str:
        """Return code that trains with the recipe.

        Args:
            framework: `"pytorch"`, `"sklearn"`, `"lightning"`, `"transformers"` or `"keras"`.

        Raises:
            ArgumentError: another framework.
        """
        return snippet(self.recipe, framework, task=self.numbers["task"])

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return the numbers of the table as a pandas data frame."""

    def save(self, path: str | Path) -> Path:
        """Write the page and what belongs to it.

        Args:
            path: a folder, which then holds what the command writes: the page, the numbers as JSON and
                `local_mixup.json`. Or a file ending in `.html`, for the page alone.

        Returns:
            The path of the page.

        Raises:
            ArgumentError: it cannot be written.
        """
        path = as_path(path, "path")
        alone = path.suffix.lower() == ".html"
        folder = path.parent if alone else path
        make_folder(folder, "path")
        page = path if alone else folder / self.page_file
        try:
            write_file(page, self.page)
            if not alone:
                write_file(folder / self.numbers_file, json.dumps(self.numbers, indent=1))
                for name in self.recipe_files:
                    write_recipe(folder / name, self.recipe)
        except OSError as error:
            raise cannot_write("path", page, error) from None
        return page

    def _repr_html_(self) -> str:
        """Return the page in a frame of its own, so that its styles and those of the notebook do not mix."""
        source = html.escape(self.page, quote=True)
        return f'<iframe srcdoc="{source}" width="100%" height="{_HEIGHT}" style="border: 0" loading="lazy"></iframe>'

    def __repr__(self) -> str:
        """Say what was found, for a terminal."""
        headline, why = self._words()
        return f"{headline.rstrip('.')}. {why}\n\n{self.snippet()}"

    @abstractmethod
    def _words(self) -> tuple[str, str]:
        """Return the decision in a few words, and why."""


@dataclass(frozen=True, repr=False)
class ComparisonResult(_Result):
    """What `localmixup.lab.compare` found. In a notebook it shows its page.

    Attributes:
        page: the HTML page.
        numbers: everything that was found, as plain values.
        comparison: the same as an object.
    """

    comparison: Comparison

    page_file = "report.html"
    numbers_file = "comparison.json"

    @property
    def decision(self) -> Decision:
        """What to do, and why: `decision.use` is `"local mixup"`, `"mixup"`, `"vanilla"` or `"unclear"`."""
        return self.comparison.decision

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each method that was judged: its error, the other measures and its settings."""
        import pandas as pd

        rows = []
        for row in self.comparison.rows:
            against = row.against_vanilla
            rows.append(
                {
                    "method": row.label,
                    "kind": row.kind,
                    **_mean("error", row.error),
                    **({} if against is None else _mean("against_vanilla", against)),
                    **row.scores,
                    "mixed_share": row.mixed_share,
                    "train_seconds": row.train_seconds,
                    "settings": row.settings,
                }
            )
        return pd.DataFrame(rows)

    def _words(self) -> tuple[str, str]:
        return self.decision.headline, self.decision.why


@dataclass(frozen=True, repr=False)
class InspectionResult(_Result):
    """What `localmixup.lab.inspect` found. In a notebook it shows its page.

    Attributes:
        page: the HTML page.
        numbers: everything that was found, as plain values.
        inspection: the measurements as an object.
    """

    inspection: Inspection

    page_file = "inspection.html"
    numbers_file = "inspection.json"
    recipe_files = (RECIPE_FILE, INSPECTED_FILE)

    @property
    def verdict(self) -> Verdict:
        """Whether mixup is safe, and why: `verdict.word` is `"safe"`, `"harmful"` or `"unclear"`."""
        return self.inspection.verdict

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each recipe that was measured, and what it does to the data."""
        import pandas as pd

        rows: list[Mapping[str, Any]] = self.numbers["suggestions"]
        plain = [{key: value for key, value in row.items() if key not in ("recipe", "text")} for row in rows]
        return pd.DataFrame(plain)

    def _words(self) -> tuple[str, str]:
        return self.verdict.first_line, self.verdict.why


def _mean(name: str, mean: Any) -> dict[str, float]:
    return {name: mean.mean, f"{name}_low": mean.low, f"{name}_high": mean.high}
