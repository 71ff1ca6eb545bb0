"""The results as a picture: origin copies beside the limit, and start-up beside plain hls.js."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.browsers import startup
from bench.browsers.contestants import CONTESTANTS
from bench.browsers.figures import Spread
from bench.browsers.report import Results, spread_of
from bench.browsers.scenes import SCENES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "plain": "#9aa3b2",
    "ours": "#2f6fde",
    "p2pml": "#e0746a",
    "p2pml-tuned": "#f2b05e",
    "p2pml-near": "#c8a2d8",
}
WIDTH = 0.17


def draw(results: Results, path: Path) -> None:
    """Write a PNG."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 4.6), width_ratios=(2.4, 1), layout="constrained"
    )
    _draw_copies(left, results)
    _draw_starts(right, results)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _draw_copies(axes: Axes, results: Results) -> None:
    scenes = [name for name in SCENES if any(run["scene"] == name for run in results["runs"])]
    for column, who in enumerate(CONTESTANTS):
        spreads = [
            (at, spread_of(results, scene, who, "copies")) for at, scene in enumerate(scenes)
        ]
        found = [(at + (column - 2) * WIDTH, each) for at, each in spreads if each]
        if found:
            _bars(axes, who, found)
    for at, scene in enumerate(scenes):
        label = "limit: one segment each by HTTP" if at == 0 else ""
        axes.hlines(
            SCENES[scene].limit, at - 0.45, at + 0.45, color="#222", linestyle="--", label=label
        )
    axes.set_xticks(
        range(len(scenes)), [SCENES[name].title.replace(", ", ",\n") for name in scenes]
    )
    axes.set_ylabel("bytes from the origin / bytes of the content")
    axes.set_title("Origin copies: median and extremes of the rounds", loc="left")


def _bars(axes: Axes, who: str, found: list[tuple[float, Spread]]) -> None:
    places = [at for at, _ in found]
    middles = [each[0] for _, each in found]
    errors = [[each[0] - each[1] for _, each in found], [each[2] - each[0] for _, each in found]]
    axes.bar(
        places, middles, WIDTH * 0.9, yerr=errors, capsize=2, ecolor="#444",
        color=COLOURS[who], label=CONTESTANTS[who].label,
    )  # fmt: skip
    for place, middle, most in zip(places, middles, (each[2] for _, each in found), strict=True):
        axes.annotate(f"{middle:.2f}", (place, most), (0, 3), textcoords="offset points",
                      ha="center", fontsize=7)  # fmt: skip


def _draw_starts(axes: Axes, results: Results) -> None:
    kinds = list(startup.KINDS)
    for column, who in enumerate(CONTESTANTS):
        for at, kind in enumerate(kinds):
            ratio = startup.ratios(results["starts"], kind).get(who)
            if ratio:
                place = at + (column - 1.5) * WIDTH
                error = [[0], [ratio.upper - ratio.middle]]
                axes.bar(place, ratio.middle, WIDTH * 0.9, yerr=error, capsize=2, ecolor="#444",
                         color=COLOURS[who])  # fmt: skip
                axes.annotate(f"{ratio.middle:.2f}", (place, ratio.upper), (0, 3),
                              textcoords="offset points", ha="center", fontsize=7)  # fmt: skip
    axes.axhline(1, color="#222", linestyle="--")
    axes.set_xticks(range(len(kinds)), ["a viewer alone", "joining another"])
    axes.set_ylabel("start-up / that of plain hls.js")
    axes.set_title("Start-up: median of pairs, 90 % bound", loc="left")
