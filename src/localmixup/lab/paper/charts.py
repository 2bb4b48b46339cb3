"""Diagrams: one description, drawn with plotly in the page and with matplotlib as PNG."""

from __future__ import annotations

import io
from typing import Any

from localmixup.lab.paper.section import Chart, Series
from localmixup.lab.report.figures import COLORS, Figure, finished

_MARKERS = "osD^vPX<>*"


def interactive(chart: Chart) -> Figure:
    """The diagram for the page.

    Args:
        chart: what is drawn.
    """
    import plotly.graph_objects as go

    traces: list[Any] = []
    for k, series in enumerate(chart.series):
        color = COLORS[k % len(COLORS)]
        if series.kind == "bars":
            traces.append(go.Bar(name=series.label, x=series.x, y=series.y, marker={"color": color}))
            continue
        bars = None
        if series.low:
            bars = {
                "type": "data",
                "array": [h - y for h, y in zip(series.high, series.y, strict=True)],
                "arrayminus": [y - w for w, y in zip(series.low, series.y, strict=True)],
            }
        traces.append(
            go.Scatter(
                name=series.label,
                x=series.x,
                y=series.y,
                error_y=bars,
                mode="markers" if series.kind == "points" else "lines" if series.kind == "steps" else "lines+markers",
                line={
                    "color": color,
                    "dash": "dash" if series.kind == "dashed" else "solid",
                    "shape": "hv" if series.kind == "steps" else "linear",
                },
                marker={"color": color},
            )
        )
    figure = go.Figure(traces)
    figure.update_layout(
        height=380, title={"text": chart.title, "font": {"size": 14}}, legend={"orientation": "h", "y": -0.25}
    )
    figure.update_xaxes(title_text=chart.x_label, type="log" if chart.log_x else "linear")
    figure.update_yaxes(title_text=chart.y_label)
    rows = []
    for series in chart.series:
        rows.append([series.label, "", ""])
        rows += [_row(series, k) for k in range(len(series.x))]
    return finished(chart.name, figure, [chart.x_label, chart.y_label, "95 %"], rows, chart.title)


def _row(series: Series, k: int) -> list[str]:
    spread = f"{series.low[k]:.4g} to {series.high[k]:.4g}" if series.low else ""
    return [f"{series.x[k]:.4g}", f"{series.y[k]:.4g}", spread]


def png(chart: Chart) -> bytes:
    """The diagram as PNG.

    Args:
        chart: what is drawn.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(7.2, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for k, series in enumerate(chart.series):
        color = COLORS[k % len(COLORS)]
        if series.kind == "bars":
            width = (series.x[1] - series.x[0]) if len(series.x) > 1 else 1.0
            axes.bar(series.x, series.y, width=width, color=color, alpha=0.6, label=series.label)
        elif series.kind == "steps":
            axes.step(series.x, series.y, where="post", color=color, label=series.label)
        else:
            spread = None
            if series.low:
                below = [y - w for w, y in zip(series.low, series.y, strict=True)]
                above = [h - y for h, y in zip(series.high, series.y, strict=True)]
                spread = [below, above]
            line = {"points": "none", "dashed": "--"}.get(series.kind, "-")
            marker = _MARKERS[k % len(_MARKERS)] if len(series.x) <= 40 else None
            axes.errorbar(
                series.x, series.y, yerr=spread, linestyle=line, marker=marker, markersize=4, capsize=3,
                color=color, label=series.label,
            )  # fmt: skip
    axes.set_title(chart.title, fontsize=10)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    if chart.log_x:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    if len(chart.series) > 1:
        axes.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
