"""Figures as SVG text: the comparison of regions, the error over a factor, the training curve."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cavendish.measure.distance import CurvePoint
from cavendish.measure.results import MODEL, Results
from cavendish.measure.score import Score
from cavendish.scenes import Factor
from cavendish.training.log import Record

INK, SOFT, ACCENT = "#1c2430", "#8a94a3", "#c8102e"
STYLES = {
    MODEL: {"color": ACCENT, "marker": "o"},
    "oracle": {"color": "#00805a", "marker": "D"},
    "coast": {"color": "#3b6ea8", "marker": "^"},
    "freeze": {"color": SOFT, "marker": "s"},
    "nearest case": {"color": "#b07a00", "marker": "X"},
}
THEME: dict[Any, Any] = {  # the keys are a closed list of literals in matplotlib
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "cavendish",
}
FLOOR = 1e-5  # smallest value shown on a logarithmic axis


def comparison(results: Results, name: str) -> str:
    """Show one score of the model and of every control, region by region, on a logarithmic axis."""
    with mpl.rc_context(THEME):
        figure = Figure((7.6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        who = [entry.who for entry in results.regions[0].entries]
        for place, region in enumerate(results.regions):
            for k, entry in enumerate(region.entries):
                label = entry.who if place == 0 else None
                _point(axes, place + 0.13 * (k - (len(who) - 1) / 2), entry[name], STYLES[entry.who], label)
        axes.set_yscale("log")
        axes.set_xticks(range(len(results.regions)), [r.region for r in results.regions])
        axes.set_ylabel(f"{name} [{results.regions[0].entries[0][name].unit}]")
        axes.grid(axis="y", alpha=0.25)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(figure)


def curves(named: Sequence[tuple[str, Factor, list[CurvePoint], list[CurvePoint]]]) -> str:
    """Show error over a factor for the model and the nearest case; the taught range is shaded."""
    if not named:
        return ""
    with mpl.rc_context(THEME):
        figure = Figure((7.6, 3.2), layout="constrained")
        panels = figure.subplots(1, len(named), sharey=True, squeeze=False)[0]
        for axes, (name, factor, model, case) in zip(panels, named, strict=True):
            ((low, high),) = factor.intervals("train")
            axes.axvspan(low, high, color="#e9eef5", zorder=0)
            axes.text(
                (low + high) / 2,
                0.97,
                "taught",
                ha="center",
                va="top",
                color=SOFT,
                transform=axes.get_xaxis_transform(),
            )
            for who, points in ((MODEL, model), ("nearest case", case)):
                for k, point in enumerate(points):
                    _point(axes, point.middle, point.error, STYLES[who], who if k == 0 else None)
            axes.set_yscale("log")
            axes.set_xlabel(f"{name} [{factor.unit}]")
            axes.grid(axis="y", alpha=0.25)
        panels[0].set_ylabel("velocity error x [m/s]")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        return _svg(figure)


def attraction(factor: Factor, region: str, lines: Mapping[str, Sequence[CurvePoint]]) -> str:
    """Show signed misses over a factor, with the taught ranges shaded: 0 is the law."""
    with mpl.rc_context(THEME):
        figure = Figure((7.6, 3.0), layout="constrained")
        axes = figure.add_subplot()
        for low, high in factor.intervals(region):
            axes.axvspan(low, high, color="#e9eef5", zorder=0)
        axes.axhline(0, color=INK, lw=0.8)
        for who, points in lines.items():
            told, style = [p for p in points if p.error.n], STYLES[who]
            x, y = [p.middle for p in told], [p.error.value for p in told]
            axes.vlines(x, [p.error.low for p in told], [p.error.high for p in told], color=style["color"], lw=1.6)
            axes.plot(x, y, style["marker"] + "-", color=style["color"], lw=0.8, ms=5.5, label=who)
        axes.set_xlabel(f"{factor.name} [{factor.unit}]")
        axes.set_ylabel(f"imagined - true [{factor.unit}]")
        axes.grid(axis="y", alpha=0.25)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(figure)


def training_curve(log: Sequence[Record]) -> str:
    """Show the loss over clips seen, stage by stage."""
    with mpl.rc_context(THEME):
        figure = Figure((7.6, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for stage in dict.fromkeys(record["stage"] for record in log):
            records = [record for record in log if record["stage"] == stage]
            axes.plot([r["step"] for r in records], [r["loss"] for r in records], color=ACCENT, lw=1, label=stage)
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")
        axes.grid(alpha=0.25)
        return _svg(figure)


def _point(axes: Axes, x: float, score: Score, style: dict[str, str], label: str | None) -> None:
    if score.n == 0:
        return
    value, low, high = (max(v, FLOOR) for v in (score.value, score.low, score.high))
    axes.plot([x, x], [low, high], color=style["color"], lw=1.6, solid_capstyle="round")
    axes.plot([x], [value], style["marker"], color=style["color"], ms=5.5, label=label)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", text.getvalue(), count=1, flags=re.DOTALL)
