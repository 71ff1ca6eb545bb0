"""The results as markdown: what goes into docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from bench.browsers import figures, startup
from bench.browsers.contestants import CONTESTANTS
from bench.browsers.figures import Spread, spread
from bench.browsers.scenes import SCENES
from p2pcdn.core.ports import Rule

Results = dict[str, Any]


def number(digits: int, factor: float = 1, unit: str = "") -> Callable[[float], str]:
    """How a figure is written; nothing is less than nothing only by being rounded."""
    return lambda value: f"{round(value * factor, digits) + 0.0:,.{digits}f}{unit}"


COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "copies": ("origin copies", number(2)),
    "limit": ("limit", number(2)),
    "offload": ("offload", number(0, 100, " %")),
    "stalls": ("stalls", number(0)),
    "startup_ms": ("start-up, ms", number(0)),
    "largest_share": ("largest share of uploads", number(0, 100, " %")),
    "waste": ("waste", number(1, 100, " %")),
    "latency": ("behind live, s", number(1)),
}


def runs_of(results: Results, scene: str, who: str) -> list[dict[str, Any]]:
    """The rounds of a contestant in a scene."""
    return [run for run in results["runs"] if run["scene"] == scene and run["who"] == who]


def spread_of(results: Results, scene: str, who: str, figure: str) -> Spread | None:
    """A figure over the rounds in which all viewers played: who does not play costs nothing."""
    return spread(run[figure] for run in runs_of(results, scene, who) if not run["failed"])


def rounds(results: Results, scene: str, who: str) -> str:
    """How many there were, and in how many of them a viewer never began to play."""
    runs = runs_of(results, scene, who)
    failed = sum(run["failed"] > 0 for run in runs)
    return f"{len(runs)}, {failed} failed" if failed else str(len(runs))


def cell(found: Spread | None, write: Callable[[float], str]) -> str:
    """A median, and the extremes if they differ."""
    if found is None:
        return ""
    middle, least, most = map(write, found)
    return middle if least == most else f"{middle} ({least} to {most})"


def table(head: list[str], rows: Iterator[list[str]]) -> Iterator[str]:
    """A markdown table."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def markdown(results: Results) -> str:
    """All of it."""
    lines = [*_facts(results), ""]
    if results["runs"]:
        lines += [*_scenes(results), "", *_kinds(results), "", *_beyond(results), ""]
    if results["starts"]:
        lines += [*_starts(results), ""]
    return "\n".join(lines)


BEGIN, END = "<!-- figures of bench.browsers -->", "<!-- end of figures -->"


def insert(text: str, document: Path) -> None:
    """Put the results between the two marks of a document, in place of earlier ones."""
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def _facts(results: Results) -> Iterator[str]:
    facts = results["facts"]
    yield f"`{facts['command']}`, {facts['date']}, {facts['minutes']:.0f} minutes."
    yield ""
    yield (
        f"{facts['machine']}. {facts['versions']}. The film: 480p, 90 s, segments of 2 s, "
        f"{facts['bits_per_second'] / 1e6:.2f} Mbit/s as encoded."
    )


def _scenes(results: Results) -> Iterator[str]:
    yield from table(
        ["scene", "contestant", "rounds", *(title for title, _ in COLUMNS.values())],
        _scene_rows(results),
    )


def _present(results: Results) -> Iterator[tuple[str, str]]:
    for scene in SCENES:
        for who in CONTESTANTS:
            if runs_of(results, scene, who):
                yield scene, who


def _scene_rows(results: Results) -> Iterator[list[str]]:
    for scene, who in _present(results):
        yield [
            SCENES[scene].title,
            CONTESTANTS[who].label,
            rounds(results, scene, who),
            *(cell(spread_of(results, scene, who, name), write)
              for name, (_, write) in COLUMNS.items()),
        ]  # fmt: skip


KINDS = ("media", "playlists", "manifests", "snippet", "signalling", "other")


def _kinds(results: Results) -> Iterator[str]:
    yield from table(
        ["origin bytes, in KB", "contestant", *KINDS, "third-party tracker"], _kind_rows(results)
    )


def _kind_rows(results: Results) -> Iterator[list[str]]:
    for scene, who in _present(results):
        runs = runs_of(results, scene, who)
        columns = [[run["kinds"].get(kind, 0) for run in runs] for kind in KINDS]
        columns.append([run["announcements"] for run in runs])
        cells = [cell(spread(values), number(0, 1e-3)) for values in columns]
        yield [SCENES[scene].title, CONTESTANTS[who].label, *cells]


RULES = (figures.PLAYER, *get_args(Rule))


def _beyond(results: Results) -> Iterator[str]:
    head = ["media beyond one copy, in KB", "contestant", *RULES, "CPU of the pages, s",
            "of the browser besides", "longest wait of a page, ms"]  # fmt: skip
    yield from table(head, _beyond_rows(results))


def _beyond_rows(results: Results) -> Iterator[list[str]]:
    for scene, who in _present(results):
        runs = [run for run in runs_of(results, scene, who) if "beyond" in run]
        if not runs:
            continue
        cells = [
            cell(spread(run["beyond"].get(rule, 0) for run in runs), number(0, 1e-3))
            for rule in RULES
        ]
        cells += [
            cell(spread(run["cpu"].get(kind) for run in runs), number(0))
            for kind in ("pages", "browser")
        ]
        cells.append(cell(spread(run["longest_wait_ms"] for run in runs), number(0)))
        yield [SCENES[scene].title, CONTESTANTS[who].label, *cells]


def _starts(results: Results) -> Iterator[str]:
    head = ["scene", "contestant", "from play(), ms", "times that of plain hls.js",
            "upper 90 % bound", "from opening the page, ms", "times that of plain hls.js",
            "upper 90 % bound", "pairs"]  # fmt: skip
    yield from table(head, _start_rows(results["starts"]))


def _start_rows(samples: list[dict[str, Any]]) -> Iterator[list[str]]:
    for kind, title in startup.TITLES.items():
        for who, contestant in CONTESTANTS.items():
            own = [each for each in samples if each["kind"] == kind and each["who"] == who]
            if own:
                cells, pairs = [], len(own)
                for measured in ("startupMs", "openedMs"):
                    ratio = startup.ratios(samples, kind, measured).get(who)
                    cells += [
                        cell(spread(each[measured] for each in own), number(0)),
                        f"{ratio.middle:.2f}" if ratio else "1",
                        f"{ratio.upper:.2f}" if ratio else "",
                    ]
                yield [title, contestant.label, *cells, str(pairs)]
