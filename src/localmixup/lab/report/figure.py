"""One figure: a drawing with matplotlib, its title and caption, and the table of its numbers."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from localmixup._plotting import COLORS as COLORS
from localmixup.lab.report.svg import INK as INK
from localmixup.lab.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

GREY = COLORS[-1]
"""For controls and whatever is not in the foreground."""

_MARKERS = "osD^vPX<>*"
_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.alpha": 0.18,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "localmixup",
    "text.color": INK,
    "text.parse_math": False,  # names of classes and methods may hold dollar signs
    "xtick.color": INK,
    "ytick.color": INK,
}
_DPI = 110
_POINTS_BEFORE_RASTER = 800


@dataclass(frozen=True)
class Figure:
    """A figure of a page.

    Attributes:
        name: a short name, unique on the page; the stem of the PNG's file name.
        title: what the figure shows, in a few words.
        caption: how to read it, in a sentence or two. May be empty.
        draw: draws the figure on an empty `matplotlib.figure.Figure`. It neither draws the title nor saves anything.
        head: column names of the table of the numbers.
        rows: rows of that table. Empty if the figure has no table.
        size: width and height in inches.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Canvas], None]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    size: tuple[float, float] = (6.0, 3.8)

    def svg(self) -> str:
        """Return the figure as an SVG element to be placed in an HTML page.

        The element fills the width of its container. Text stays text, text and axes take the text colour of the page,
        and the background is transparent. Ids start with the name of the figure. The title is only in the label for
        screen readers; the page prints it beside the figure.

        Returns:
            The same string for the same figure, well-formed as XML.
        """
        return inline_svg(self._saved("svg", {"Date": None, "Creator": None}), self.name, self.title)

    def png(self) -> bytes:
        """Return the figure with its title as PNG, on white.

        Returns:
            The same bytes for the same figure.
        """
        return self._saved("png", {"Software": None}, title=self.title, facecolor="white")

    def _saved(self, kind: str, metadata: dict[str, None], *, title: str = "", **options: Any) -> bytes:
        from matplotlib.figure import Figure as Canvas

        buffer = io.BytesIO()
        with style():
            canvas = Canvas(figsize=self.size, dpi=_DPI, layout="constrained")
            self.draw(canvas)
            _plain_logarithms(canvas)
            if title:
                canvas.suptitle(title, fontsize=11)
            canvas.savefig(buffer, format=kind, metadata=metadata, dpi=_DPI, **options)
        return buffer.getvalue()


@dataclass(frozen=True)
class Series:
    """One curve, set of points or set of bars of a chart.

    Attributes:
        label: its name in the legend.
        x: positions.
        y: values, as many as `x`.
        low: lower ends of the intervals, as many as `x`; empty for none.
        high: upper ends of the intervals; empty for none.
        kind: how it is drawn.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    kind: Literal["line", "dashed", "points", "bars", "steps"] = "line"


def chart(
    name: str,
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[Series],
    log_x: bool = False,
    *,
    caption: str = "",
    at_least: float | None = None,
) -> Figure:
    """Return a figure of one pair of axes, with a table of all its numbers.

    Args:
        name: see `Figure`.
        title: see `Figure`.
        x_label: label of the first axis, with the unit.
        y_label: label of the second axis, with the unit.
        series: what to draw, each in its own colour.
        log_x: whether the first axis is logarithmic.
        caption: see `Figure`.
        at_least: smallest possible value of y, such as 0 for an error rate. The axis starts there, and intervals are
            cut there.
    """
    if at_least is not None:
        series = [_cut(one, at_least) for one in series]

    def draw(axes: Axes) -> None:
        for k, one in enumerate(series):
            _draw_series(axes, one, COLORS[k % len(COLORS)], _MARKERS[k % len(_MARKERS)])
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if log_x:
            axes.set_xscale("log")
        elif all(float(x).is_integer() for one in series for x in one.x):
            from matplotlib.ticker import MaxNLocator

            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if at_least is not None:
            axes.set_ylim(bottom=at_least)

    rows = [row for one in series for row in _rows(one)]
    return Figure(name, title, caption, on_axes(draw), ["", x_label, y_label, "95 % interval"], rows)


def _cut(series: Series, at_least: float) -> Series:
    low = [max(at_least, value) for value in series.low]
    return Series(series.label, series.x, series.y, low, series.high, series.kind)


def _rows(series: Series) -> list[list[str]]:
    intervals = [f"{a:.4g} to {b:.4g}" for a, b in zip(series.low, series.high, strict=True)] or [""] * len(series.x)
    return [
        [series.label, f"{x:.4g}", f"{y:.4g}", interval]
        for x, y, interval in zip(series.x, series.y, intervals, strict=True)
    ]


def _draw_series(axes: Axes, series: Series, color: str, marker: str) -> None:
    if series.kind == "bars":
        width = series.x[1] - series.x[0] if len(series.x) > 1 else 1.0
        axes.bar(series.x, series.y, width=width, color=color, alpha=0.6, label=series.label)
        return
    if series.kind == "steps":
        axes.step(series.x, series.y, where="post", color=color, label=series.label)
        return
    few = len(series.x) <= 40
    axes.plot(
        series.x, series.y, color=color, label=series.label, markersize=4,
        linestyle={"points": "none", "dashed": "--"}.get(series.kind, "-"),
        marker=marker if few or series.kind == "points" else "",
        rasterized=series.kind == "points" and len(series.x) > _POINTS_BEFORE_RASTER,
    )  # fmt: skip
    if len(series.low) == 0:
        return
    if few or series.kind == "points":
        below = [max(0.0, y - low) for y, low in zip(series.y, series.low, strict=True)]
        above = [max(0.0, high - y) for y, high in zip(series.y, series.high, strict=True)]
        axes.errorbar(series.x, series.y, yerr=[below, above], fmt="none", ecolor=color, capsize=3)
    else:
        axes.fill_between(series.x, series.low, series.high, color=color, alpha=0.15, linewidth=0)


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the pages inside a `with` block, whatever the user's own settings of matplotlib are."""
    import matplotlib.style

    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        # a browser has the glyphs that matplotlib's own font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def on_axes(draw: Callable[[Axes], object]) -> Callable[[Canvas], None]:
    """Return the drawing of a figure that has one pair of axes and one legend below them.

    Args:
        draw: draws onto axes. It may add a second vertical axis and label what it draws.
    """

    def on_canvas(canvas: Canvas) -> None:
        draw(canvas.subplots())
        for second in canvas.axes[1:]:
            second.grid(visible=False)
        legend(canvas)

    return on_canvas


def legend(canvas: Canvas) -> None:
    """Place one legend for all axes below the drawing, in as many columns as fit; nothing for a single entry.

    Args:
        canvas: the figure, fully drawn. Legends inside its axes are removed.
    """
    entries: dict[Any, Any] = {}
    for axes in canvas.axes:
        if inside := axes.get_legend():
            inside.remove()
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    if len(entries) < 2:
        return
    room = canvas.get_figwidth() * 72 / 4.9  # characters of the legend's font in a line
    columns = int(room // (max(len(label) for label in entries) + 9))
    columns = min(max(1, columns), len(entries))
    canvas.legend(list(entries.values()), list(entries), loc="outside lower left", ncols=columns)


def _plain_logarithms(canvas: Canvas) -> None:
    """Label logarithmic axes with plain numbers; matplotlib's own labels are mathematical text."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axes in canvas.axes:
        for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
            if scale == "log":
                low, high = axis.get_view_interval()
                axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
