"""Tables and picture from results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.browsers import figures, picture, report
from bench.browsers.proxy import Fetch
from bench.browsers.scenes import SCENES


def run(who: str, size: int) -> dict[str, Any]:
    viewers = [
        {"loaded": ["a"], "uploadedBytes": 1, "wasteBytes": 0, "stalls": 0, "stalledMs": 0,
         "startupMs": 300.4, "latency": None, "played": 90, "errors": [],
         "longestWaitMs": 40.0, "viewer": "v1"}
    ]  # fmt: skip
    fetches = [Fetch(0, "GET", "/media/v-1.ts", {}, size)]
    made = figures.of_run(fetches, viewers, lambda _: 1000)
    return {"scene": "vod4", "who": who, "limit": SCENES["vod4"].limit, "announcements": 0,
            "cpu": {"pages": 3.0, "browser": 1.0}, **made}  # fmt: skip


def start(who: str, time: float) -> dict[str, Any]:
    return {"pair": 0, "kind": "alone", "who": who, "startupMs": time, "openedMs": 2 * time}


FACTS = {
    "command": "python -m bench.browsers", "date": "2026-01-01", "minutes": 60.2,
    "machine": "A machine", "versions": "Chromium 1", "bits_per_second": 1.99e6,
}  # fmt: skip
RESULTS: dict[str, Any] = {
    "facts": FACTS,
    "runs": [run("plain", 1002), run("ours", 1100), run("ours", 1200), run("ours", 1300)],
    "starts": [start("plain", 100), start("ours", 120)],
}


def test_the_table_has_medians_with_extremes_beside_the_limit() -> None:
    text = report.markdown(RESULTS)
    assert "| VOD, 4 viewers, 4 s apart | plain hls.js | 1 | 1.00 | 1.07 | 0 % |" in text
    assert "| VOD, 4 viewers, 4 s apart | p2pcdn | 3 | 1.20 (1.10 to 1.30) | 1.07 |" in text
    assert "| start-up, a viewer alone | p2pcdn | 120 | 1.20 | 1.20 | 240 | 1.20 |" in text
    assert "A machine. Chromium 1." in text


def test_media_beyond_one_copy_stand_by_their_rule() -> None:
    first, again = run("plain", 1000), run("ours", 1100)
    again["beyond"] = {"player": 4_000, "latest": 12_300}
    text = report.markdown({**RESULTS, "runs": [first, again]})
    assert "| contestant | player | start | floor | latest | patience | lease | turn |" in text
    assert "| p2pcdn | 4 | 0 | 0 | 12 | 0 | 0 | 0 | 0 | 3 | 1 | 40 |" in text


def test_a_round_with_a_viewer_that_never_played_is_told_and_not_counted() -> None:
    failed = {**run("ours", 0), "failed": 1}
    text = report.markdown({**RESULTS, "runs": [*RESULTS["runs"], failed]})
    assert "| p2pcdn | 4, 1 failed | 1.20 (1.10 to 1.30) |" in text


def test_results_take_the_place_of_earlier_ones(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    for text in ("first\n", "second\n"):
        report.insert(text, document)
    assert document.read_text() == (f"before\n{report.BEGIN}\n\nsecond\n\n{report.END}\nafter\n")


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture.draw(RESULTS, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
