"""What the dashboard makes of what was written and of the seconds since, run by Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tracker.dashboard_files import FOLDER

NODE = shutil.which("node")

PROGRAM = """
import { History } from %s;
const history = new History();
for (const [verb, argument] of %s) history[verb](argument);
console.log(JSON.stringify({ total: history.total(%d), points: history.points(%d) }));
"""


def figures(at: int, origin: int = 0, peers: int = 0, seconds: float = 10, **more: int) -> Any:
    """A point of the series."""
    return {
        "at": at,
        "origin_bytes": origin,
        "peer_bytes_confirmed": peers,
        "peer_bytes_claimed": 0,
        "waste_bytes": 0,
        "overhead_bytes": 0,
        "links_attempted": 0,
        "links_failed": 0,
        "seconds": seconds,
        "viewers_max": 0,
    } | more


def sample(at: float, origin: int = 0, peers: int = 0) -> Any:
    """A second of the stream."""
    return {
        "at": at,
        "origin_bytes": origin,
        "peer_bytes": peers,
        "claimed_bytes": 0,
        "waste_bytes": 0,
        "overhead_bytes": 0,
        "links_attempted": 0,
        "links_failed": 0,
        "viewers": 2,
    }


def series(as_of: float, *points: Any, step: int = 10) -> Any:
    return ["load", {"step": step, "as_of": as_of, "points": points}]


def shown(*calls: Any, span: int = 900) -> Any:
    """What the page shows after these calls."""
    if NODE is None:
        pytest.skip("there is no Node.js")
    module = json.dumps((FOLDER / "history.js").as_uri())
    program = PROGRAM % (module, json.dumps(calls), span, span)
    command = [NODE, "--no-warnings", "--input-type=module", "--eval", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_each_second_counts_once_whichever_way_it_came_first() -> None:
    seconds = ["add", [sample(1000 + n, 1) for n in range(20)]]
    written = series(1009.5, figures(1000, 10))
    for calls in ([seconds, written], [written, seconds], [written, seconds, written]):
        assert shown(*calls)["total"]["origin_bytes"] == 20
    assert shown(seconds)["total"]["origin_bytes"] == 0  # how much there was before is not known
    assert shown(seconds, ["doWithout", None])["total"]["origin_bytes"] == 20
    assert shown(written, ["doWithout", None])["total"]["origin_bytes"] == 10


def test_a_stream_that_begins_anew_tells_nothing_twice() -> None:
    seconds = ["add", [sample(1000 + n, 1) for n in range(5)]]
    again = [["restart", None], seconds, series(1004, figures(1000, 5, seconds=5))]
    assert shown(series(0), seconds, *again)["total"]["origin_bytes"] == 5


def test_what_is_too_old_is_not_shown() -> None:
    points = [figures(at, 1) for at in range(0, 2000, 10)]
    assert shown(series(2000, *points))["total"]["origin_bytes"] == 90
    assert shown(series(2000, *points), span=3600)["total"]["origin_bytes"] == 200


def test_points_are_bytes_a_second_and_the_offload_until_then() -> None:
    shows = shown(series(1020, figures(1000, 100, 0), figures(1010, 0, 300)))
    assert shows["points"] == [
        {"age": 10, "origin": 10, "peers": 0, "offload": 0},
        {"age": 0, "origin": 5, "peers": 15, "offload": 0.75},  # the mean of two
    ]


def test_where_steps_are_long_each_stands_for_itself() -> None:
    hours = [figures(3600 * n, 3600 * n, seconds=3600) for n in (1, 2)]
    points = shown(series(10_800, *hours, step=3600), span=86_400)["points"]
    assert [point["origin"] for point in points] == [1, 2]


def test_where_nothing_ran_there_is_nothing() -> None:
    shows = shown(series(1100, figures(1000, 100), figures(1080, 100), figures(1090, 100)))
    assert [(point["age"], point["origin"]) for point in shows["points"]] == [
        (90, 10),
        (90, 0),
        (20, 0),
        (10, 10),
        (0, 10),
    ]


def test_a_few_seconds_make_no_peak() -> None:
    written = series(1010, figures(1000, 10, 0))
    later = ["add", [sample(1011, 0, 500)]]
    points = shown(written, later)["points"]
    assert points[-1]["peers"] == 500 / 11
    hour = series(3600, figures(0, 36, seconds=3600), step=3600)
    shows = shown(hour, ["add", [sample(3601, 0, 500)]], span=7200)
    assert len(shows["points"]) == 1  # for a second of an hour says nothing of it
    assert shows["total"]["peer_bytes_confirmed"] == 500
