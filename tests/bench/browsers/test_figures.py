"""The figures follow from what was observed by the terms that the module states."""

from __future__ import annotations

from typing import Any

import pytest

from bench.browsers.figures import (
    beyond_one,
    by_kind,
    kind_of,
    of_run,
    paired_ratio,
    spread,
)
from bench.browsers.proxy import Fetch


def fetch(path: str, size: int) -> Fetch:
    return Fetch(0.0, "GET", path, {}, size)


def viewer(*loaded: str, uploaded: int = 0, waste: int = 0) -> dict[str, Any]:
    return {
        "loaded": list(loaded), "uploadedBytes": uploaded, "wasteBytes": waste, "stalls": 1,
        "stalledMs": 500, "startupMs": 300, "latency": None, "played": 90, "errors": [],
        "longestWaitMs": 40, "viewer": "v1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/media/film/480p-00001.ts", "media"),
        ("/media/film/480p.m3u8?x=1", "playlists"),
        ("/manifest/film/480p.m3u8?hashes=1-2", "manifests"),
        ("/tracker/v1", "signalling"),
        ("/p2pcdn.js", "snippet"),
        ("/favicon.ico", "other"),
    ],
)
def test_kinds(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_bytes_by_kind() -> None:
    fetches = [fetch("/media/v-1.ts", 5), fetch("/media/a.m3u8", 2), fetch("/media/v-2.ts", 3)]
    assert by_kind(fetches) == {"media": 8, "playlists": 2}


def test_copies_are_of_what_was_played_and_offload_of_what_was_watched() -> None:
    fetches = [fetch("/media/v-1.ts", 100), fetch("/media/v-2.ts", 100), fetch("/p2pcdn.js", 40)]
    viewers = [viewer("a", "b", "b", uploaded=30, waste=20), viewer("b", uploaded=10)]
    run = of_run(fetches, viewers, lambda _: 100)
    assert (run["origin"], run["content"], run["watched"]) == (240, 200, 300)
    assert run["copies"] == pytest.approx(1.2)
    assert run["offload"] == pytest.approx(0.2)
    assert run["largest_share"] == pytest.approx(0.75)
    assert run["waste"] == pytest.approx(20 / 300)
    assert (run["stalls"], run["stalled_ms"], run["startup_ms"]) == (2, 1000, 300)


def test_what_was_sent_before_is_beyond_one_copy_by_the_rule_of_who_asked_for_it_again() -> None:
    def asked(number: int, viewer: str, size: int, span: str = "") -> Fetch:
        headers = {"origin": f"http://{viewer}.localhost"} | ({"range": span} if span else {})
        return Fetch(number, "GET", "/media/film/480p-00003.ts", headers, size)

    fetches = [
        asked(4, "v3", 1_000, "bytes=300-999"),  # heads of answers are no media
        asked(1, "v1", 1_200),
        asked(3, "v2", 100, "bytes=0-499"),  # broken off
        fetch("/media/film/480p.m3u8", 100),
    ]
    viewers: list[dict[str, Any]] = [
        {"viewer": "v2", "asked": [{"sequence": 3, "span": [0, 499], "rule": "latest"}]},
        {"viewer": "v3", "asked": [{"sequence": 4, "span": [300, 999], "rule": "lease"}]},
        {"viewer": "v1"},
    ]
    assert beyond_one(fetches, viewers, lambda _: 1_000) == {"latest": 100, "player": 700}
    assert beyond_one(fetches[1:2], viewers, lambda _: 1_000) == {}


def test_a_viewer_that_never_began_is_no_number() -> None:
    run = of_run([], [{**viewer(), "startupMs": None}], lambda _: 100)
    assert run["startup_ms"] is None
    assert run["failed"] == 1


def test_spread() -> None:
    assert spread([3.0, None, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert spread([None]) is None


def test_the_bound_of_a_ratio_lies_between_its_median_and_its_worst() -> None:
    pairs = [(100 + n, 100.0) for n in range(15)]
    ratio = paired_ratio(pairs)
    assert ratio.middle == pytest.approx(1.07)
    assert ratio.middle < ratio.upper < 1.14
    assert ratio.pairs == 15
    assert paired_ratio([(5.0, 4.0)] * 9) == (1.25, 1.25, 9)
