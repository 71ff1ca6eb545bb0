"""Pictures of runs, by matplotlib, which is only needed for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from p2pcdn.sim.metrics import ViewerRow, quantile
from p2pcdn.sim.run import Outcome
from p2pcdn.sim.traffic import NetworkRow

MISSING = "Pictures need matplotlib: `pip install '.[sim]'` in a clone of the project."


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(outcomes: Sequence[Outcome], directory: Path) -> list[Path]:
    """Draw what these runs have to show; returns the files."""
    pictures: dict[str, Callable[[Any, Sequence[Outcome]], None]] = {
        "completion": _completion,
        "upload": _upload,
        "startup": _startup,
        "stalls": _stalls,
    }
    if len(outcomes) > 1:
        pictures["copies"] = _copies
        pictures["offload"] = _offload
    if any(outcome.results.networks for outcome in outcomes):
        pictures["imports"] = _imports
        pictures["locality"] = _locality
    directory.mkdir(parents=True, exist_ok=True)
    return [_draw(paint, outcomes, directory / f"{name}.png") for name, paint in pictures.items()]


def _draw(
    paint: Callable[[Any, Sequence[Outcome]], None], outcomes: Sequence[Outcome], file: Path
) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    paint(axes, outcomes)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    figure.savefig(file, dpi=120)
    return file


def _name(outcome: Outcome) -> str:
    return f"{outcome.results.summary.viewers:.0f} viewers"


def _copies(axes: Any, outcomes: Sequence[Outcome]) -> None:
    runs = sorted((o.results.summary for o in outcomes), key=lambda s: s.viewers)
    viewers = [run.viewers for run in runs]
    axes.plot(viewers, [run.copies for run in runs], "o-", label="origin")
    axes.plot(viewers, [run.limit for run in runs], "k--", label="limit")
    axes.plot(viewers, [run.overhead for run in runs], ":", label="overhead")
    axes.set(xscale="log", xlabel="viewers", ylabel="copies", title="Copies that the origin sends")
    axes.set_xticks(viewers, [f"{count:.0f}" for count in viewers], minor=False)
    axes.minorticks_off()


def _offload(axes: Any, outcomes: Sequence[Outcome]) -> None:
    runs = sorted((o.results.summary for o in outcomes), key=lambda s: s.viewers)
    viewers = [run.viewers for run in runs]
    axes.plot(viewers, [run.offload for run in runs], "o-", label="offload")
    axes.plot(viewers, [run.offload_limit for run in runs], "k--", label="limit")
    axes.set(xlabel="viewers at a time", ylabel="offload", ylim=(0, 1.02), title="Offload")


def _completion(axes: Any, outcomes: Sequence[Outcome]) -> None:
    shares = [step / 200 for step in range(200)]
    for outcome in outcomes:
        margins = outcome.results.margins
        axes.plot([quantile(margins, s) for s in shares], shares, label=_name(outcome))
    axes.axvline(0.0, color="k", linewidth=0.8)
    axes.set(
        xlabel="seconds before the play head gets there", ylabel="share of segments",
        title="When segments are complete",
    )  # fmt: skip


def _upload(axes: Any, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        sent = sorted((row.uploaded_bytes for row in outcome.results.viewers), reverse=True)
        total = sum(sent) or 1
        ranks = [rank / len(sent) for rank in range(1, len(sent) + 1)]
        running = [sum(sent[:rank]) / total for rank in range(1, len(sent) + 1)]
        axes.plot(ranks, running, label=_name(outcome))
    axes.plot([0, 1], [0, 1], "k--", linewidth=0.8, label="all alike")
    axes.set(xlabel="peers, the busiest first", ylabel="share of all upload", title="Who uploads")


def _startup(axes: Any, outcomes: Sequence[Outcome]) -> None:
    _both(axes, outcomes, lambda row: row.startup)
    axes.set(xlabel="seconds to the first picture", title="Start-up")


def _stalls(axes: Any, outcomes: Sequence[Outcome]) -> None:
    _both(axes, outcomes, lambda row: row.stalled)
    axes.set(xlabel="seconds stalled", title="Stalls")


def _imports(axes: Any, outcomes: Sequence[Outcome]) -> None:
    _networks(axes, outcomes, lambda row: row.imports, lambda row: row.imports_limit)
    axes.set(ylabel="copies", yscale="log", title="What networks import")


def _locality(axes: Any, outcomes: Sequence[Outcome]) -> None:
    _networks(axes, outcomes, lambda row: row.intra, lambda row: row.attainable)
    axes.set(ylabel="share", ylim=(0, 1.02), title="What peers brought from within a network")


def _networks(
    axes: Any,
    outcomes: Sequence[Outcome],
    figure: Callable[[NetworkRow], float | None],
    limit: Callable[[NetworkRow], float],
) -> None:
    """A figure of each network over its viewers: as it is, by blind matching, and at best."""
    for number, outcome in enumerate(outcomes):
        for results, mark, kind in ((outcome.results, "o", ""), (outcome.blind, "x", ", blind")):
            if results is None:
                continue
            found = [(row.viewers, value) for row in results.networks
                     if (value := figure(row)) is not None]  # fmt: skip
            label = f"{_name(outcome)}{kind}"
            axes.plot(*zip(*found, strict=True), mark, color=f"C{number}", label=label)
        rows = sorted(outcome.results.networks, key=lambda row: row.viewers)
        axes.plot([row.viewers for row in rows], [limit(row) for row in rows], "k--", linewidth=0.8)
    axes.set(xscale="log", xlabel="viewers in the network")


def _both(
    axes: Any, outcomes: Sequence[Outcome], figure: Callable[[ViewerRow], float | None]
) -> None:
    """How a figure is spread over the viewers: with peers, and dashed without."""
    for number, outcome in enumerate(outcomes):
        for results, style, kind in ((outcome.results, "-", ""), (outcome.plain, "--", ", plain")):
            if results is None:
                continue
            values = sorted(v for v in map(figure, results.viewers) if v is not None)
            shares = [(at + 1) / len(values) for at in range(len(values))]
            label = f"{_name(outcome)}{kind}"
            axes.plot(values, shares, style, color=f"C{number}", label=label)
    axes.set(ylabel="share of viewers", ylim=(0, 1.02))
