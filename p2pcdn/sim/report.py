"""What a person or a program gets to see of a run: lines, a table, CSV, JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from p2pcdn.sim.metrics import Gain, SegmentRow, Summary, ViewerRow
from p2pcdn.sim.run import Outcome
from p2pcdn.sim.traffic import NetworkRow

if TYPE_CHECKING:
    from rich.table import Table


class Line(NamedTuple):
    """One figure."""

    label: str
    value: str
    beside: str = ""
    """What it is to be compared with."""


def lines(outcome: Outcome) -> list[Line]:
    """The figures of a run, the most important first."""
    s, comparison = outcome.results.summary, outcome.comparison
    found = [
        Line("viewers at a time", f"{s.viewers:.1f}"),
        Line("copies", f"{s.copies:.2f}", f"limit {s.limit:.2f}{_score(s.score)}"),
        Line("offload", f"{s.offload:.2%}", f"limit {s.offload_limit:.2%}"),
        Line("overhead in copies", f"{s.overhead:.3f}", _overheads(outcome.results.overheads)),
        Line("start-up", f"{s.startup:.2f} s", f"p95 {s.startup_p95:.2f} s"),
        Line(
            "stalls", f"{s.stalls}",
            f"{s.stalled:.3f} s a viewer, {s.stalled_share:.2%} of the viewers",
        ),
        Line("before their time", f"{s.margin_p50:.1f} s", f"p1 {s.margin_p01:.2f} s"),
        Line("largest share of upload", f"{s.top_share:.2%}"),
        Line("use of own uplink", f"{s.uplink_use_p95:.0%}", "p95"),
        Line("waste", f"{s.waste:.2%}"),
        Line("rescues past the node", f"{s.rescues}"),
    ]  # fmt: skip
    found += _localities(s, outcome.gain)
    if comparison is not None:
        found += [
            Line("plain start-up", f"{comparison.startup_plain:.2f} s"),
            Line("plain stalls", f"{comparison.stalled_plain:.3f} s", "a viewer"),
            Line("stalled more than plain", f"{comparison.worse:.2%}", "of the viewers"),
            Line("stalled less than plain", f"{comparison.better:.2%}", "of the viewers"),
        ]
    return [*found, Line("trace", s.digest, f"{s.events} events")]


def _localities(s: Summary, gain: Gain | None) -> list[Line]:
    """What stayed within networks, beside what blind matching comes to."""
    if s.intra is None or s.intra_limit is None or s.imports is None:
        return []
    blind = ("", "", "")
    if gain is not None:
        blind = (
            f", reached {gain.reached:.2f}, blind {gain.reached_blind:.2f}",
            f", blind {gain.imports_blind:.2f}",
            f"{gain.completion:.3f} of blind",
        )
    return [
        Line("within networks", f"{s.intra:.2%}", f"limit {s.intra_limit:.2%}{blind[0]}"),
        Line(
            "imports in copies", f"{s.imports:.2f}",
            f"limit {s.imports_limit:.2f}, from the origin {s.imports_origin:.2f}, "
            f"most {s.imports_most:.2f}{blind[1]}",
        ),
        Line("completion, p99", f"{s.completion_p99:.2f} s", blind[2]),
    ]  # fmt: skip


def text(outcome: Outcome) -> str:
    """The figures as plain lines."""
    found = lines(outcome)
    width = max(len(line.label) for line in found)
    rows = [f"{line.label:<{width}}  {line.value:>12}  {line.beside}".rstrip() for line in found]
    return "\n".join([title(outcome), *rows])


def table(outcome: Outcome) -> Table:
    """The figures as a table for a terminal."""
    from rich.table import Table

    made = Table(title=title(outcome), title_justify="left", show_header=False)
    made.add_column(style="bold")
    made.add_column(justify="right")
    made.add_column(style="dim")
    for line in lines(outcome):
        made.add_row(*line)
    return made


def title(outcome: Outcome) -> str:
    """Which run it is."""
    summary = outcome.results.summary
    return f"{summary.scene}, seed {summary.seed}"


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """The figures for a program."""
    found: dict[str, Any] = asdict(outcome.results.summary)
    found["bytes"] = outcome.results.overheads
    if outcome.comparison is not None:
        found["comparison"] = asdict(outcome.comparison)
    if outcome.gain is not None:
        found["gain"] = asdict(outcome.gain)
    return found


def write(outcomes: Sequence[Outcome], directory: Path) -> None:
    """Write runs.csv, viewers.csv, segments.csv and networks.csv; rows say of which run."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "runs.csv", Summary, ([o.results.summary] for o in outcomes))
    _write(directory / "viewers.csv", ViewerRow, (o.results.viewers for o in outcomes))
    _write(directory / "segments.csv", SegmentRow, (o.results.segments for o in outcomes))
    _write(directory / "networks.csv", NetworkRow, (o.results.networks for o in outcomes))


def _write(file: Path, kind: type[Any], runs: Iterable[Iterable[Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["run", *(field.name for field in fields(kind))])
        for run, rows in enumerate(runs):
            writer.writerows([run, *astuple(row)] for row in rows)


def _score(score: float | None) -> str:
    return "" if score is None else f", score {score:.2f}"


def _overheads(sizes: dict[str, int]) -> str:
    found = {name: size for name, size in sizes.items() if name != "media" and size}
    total = sum(found.values())
    return ", ".join(f"{name} {size / total:.0%}" for name, size in found.items())
