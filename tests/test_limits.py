"""Every limit of docs/reference/limits.md: accepted to the last, refused beyond, and bounded.

The documentation is held to the code, and the cases (`tests/limits`) to the documentation.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import re
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from p2pcdn.core import link as core_link
from p2pcdn.settings import SETTINGS
from p2pcdn.wire import allowance, chunk, sdp
from p2pcdn.wire import link as wire_link
from peer.native.transport import guard
from tests.limits import http, ingest, links, native, tracker, webtorrent
from tests.limits.case import Case

ROOT = Path(__file__).parents[1]
CASES = [*http.CASES, *ingest.CASES, *tracker.CASES, *links.CASES, *native.CASES, *webtorrent.CASES]
IDS = [f"{case.row} {getattr(case.attempt, '__name__', '')}" for case in CASES]


async def outcome(case: Case, much: Any) -> str:
    result = case.attempt(much)
    return result if isinstance(result, str) else await result


@pytest.mark.parametrize("case", CASES, ids=IDS)
async def test_what_is_at_the_limit_is_accepted(case: Case) -> None:
    assert await outcome(case, case.at) == ""


@pytest.mark.parametrize("case", CASES, ids=IDS)
async def test_what_is_over_it_is_refused_and_leaves_nothing_behind(case: Case) -> None:
    assert await outcome(case, case.over) == case.beyond
    if case.far is None:
        return
    gc.collect()
    tracemalloc.start()
    try:
        assert await outcome(case, case.far) == case.beyond
        gc.collect()
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < case.peak
    assert left < 262_144


# The documentation


class Row(NamedTuple):
    """A row of its tables."""

    limit: str
    default: float
    beyond: str


def rows() -> list[Row]:
    text = (ROOT / "docs/reference/limits.md").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "limit":
            limit, default, why, beyond = cells
            assert why
            number = re.match(r"[\d,.]+", default)
            assert number, f"{limit} has no default"
            found.append(Row(limit.strip("`"), float(number[0].replace(",", "")), beyond))
    return found


ROWS = {row.limit: row for row in rows()}

NO_LIMITS = {
    "workers": "how many cores are used",
    "origin.cache_size": "how much of a disk is the cache's: tests of the cache try it",
    "origin.open_files": "how much is kept at hand",
    "origin.elsewhere_rate": "a pace: tests of it try it",
    "origin.elsewhere_daily": "what a CDN is asked for in a day: tests of it try it",
    "origin.live_window": "how much is remembered of a stream",
    "ingest.window": "how long segments are kept",
    "ingest.rate": "a pace: tests of it try it",
    "tracker.largest_swarm": "how large a swarm is before others are opened",
    "tracker.neighbours": "an aim",
    "tracker.local_share": "whom to prefer",
    "tracker.prefix_share": "whom to prefer",
    "tracker.jury": "how many have to agree",
    "tracker.ban_time": "a verdict, not a limit",
    "tracker.lease_ahead": "how far is planned",
    "tracker.turn_lasts": "how long a credential is good for",
    "tracker.report_every": "a rhythm",
    "tracker.webtorrent.interval": "a rhythm",
    "ledger.write_every": "a rhythm",
    "ledger.keep_10s": "how long figures are kept",
    "ledger.keep_1min": "how long figures are kept",
    "ledger.keep_1h": "how long figures are kept",
    "peer.processes": "how many cores are used",
    "peer.max_size": "how much of a disk is the store's: tests of the disk try it",
    "ledger.most_bitrate": "a ceiling of what is credited: tests of the audit try it",
}
"""Numeric settings that limit nobody."""

WATCHED = (core_link, wire_link, allowance, chunk, sdp, guard)
"""Modules whose limits all have to be documented."""

LIMIT = re.compile(r"(MOST|LONGEST)(_[A-Z_]+)?|[A-Z_]+_(BYTES|TIMEOUT|LIMIT)|LIMIT_[A-Z_]+")


def limits_of(module: ModuleType) -> set[str]:
    """The limits that a module defines itself."""
    own = re.findall(r"^([A-Z_]+) = ", inspect.getsource(module), re.MULTILINE)
    return {f"{module.__name__}.{name}" for name in own if LIMIT.fullmatch(name)}


def value_of(limit: str) -> float | None:
    """A setting's default or a constant's value; None if it goes by no name."""
    if limit in SETTINGS:
        return float(SETTINGS[limit].default)
    module, _, name = limit.rpartition(".")
    return float(getattr(importlib.import_module(module), name)) if module else None


def test_every_number_that_can_be_set_is_a_limit_or_known_to_be_none() -> None:
    numeric = {
        key
        for key, setting in SETTINGS.items()
        if isinstance(setting.default, int | float) and not isinstance(setting.default, bool)
    }
    assert numeric - set(ROWS) == set(NO_LIMITS)


def test_every_limit_of_a_link_is_documented() -> None:
    named = set().union(*map(limits_of, WATCHED))
    assert len(named) > 10
    assert named - set(ROWS) == set()


def test_every_row_says_what_the_code_does() -> None:
    wrong = {
        limit: value
        for limit, row in ROWS.items()
        if (value := value_of(limit)) is not None and value != row.default
    }
    assert wrong == {}


def test_every_row_has_a_case_and_every_case_a_row() -> None:
    assert {case.row for case in CASES} == set(ROWS)


def test_every_row_names_the_code_that_comes_of_more() -> None:
    words = {"later", "closed"}
    unnamed = {
        case.row: case.beyond
        for case in CASES
        if case.beyond not in words and case.beyond not in ROWS[case.row].beyond
    }
    assert unnamed == {}


TWINS = {
    core_link: "core/link.ts",
    wire_link: "wire/link.ts",
    chunk: "wire/chunk.ts",
    allowance: "wire/allowance.ts",
}


@pytest.mark.parametrize("module", TWINS, ids=TWINS.values())
def test_the_browser_has_the_same_limits(module: ModuleType) -> None:
    text = (ROOT / "peer/browser/src" / TWINS[module]).read_text(encoding="utf-8")
    given = re.findall(r"^(?:export )?const ([A-Z_]+) = ([\d_.]+);", text, re.MULTILINE)
    theirs = {name: float(number.replace("_", "")) for name, number in given}
    ours = {limit.rpartition(".")[2]: value_of(limit) for limit in limits_of(module)}
    shared = theirs.keys() & ours.keys()
    assert {name: theirs[name] for name in shared} == {name: ours[name] for name in shared}
    assert len(shared) >= len(ours) - 1, f"{sorted(ours)} but {sorted(theirs)}"
