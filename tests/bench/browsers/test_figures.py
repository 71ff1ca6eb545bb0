"""The figures follow from what was observed by the terms that the module states."""

from __future__ import annotations

from typing import Any

import pytest

from bench.browsers.figures import by_kind, kind_of, of_run, paired_ratio, spread
from bench.browsers.proxy import Fetch


def fetch(path: str, size: int) -> Fetch:
    return Fetch(0.0, "GET", path, {}, size)


def viewer(*loaded: str, uploaded: int = 0, waste: int = 0) -> dict[str, Any]:
    return {
        "loaded": list(loaded), "uploadedBytes": uploaded, "wasteBytes": waste, "stalls": 1,
        "stalledMs": 500, "startupMs": 300, "latency": None, "played": 90, "errors": [],
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
    fetches = [fetch("/media/a.ts", 5), fetch("/media/a.m3u8", 2), fetch("/media/b.ts", 3)]
    assert by_kind(fetches) == {"media": 8, "playlists": 2}


def test_copies_are_of_what_was_played_and_offload_of_what_was_watched() -> None:
    fetches = [fetch("/media/a.ts", 100), fetch("/media/b.ts", 100), fetch("/p2pcdn.js", 40)]
    viewers = [viewer("a", "b", "b", uploaded=30, waste=20), viewer("b", uploaded=10)]
    run = of_run(fetches, viewers, lambda _: 100)
    assert (run["origin"], run["content"], run["watched"]) == (240, 200, 300)
    assert run["copies"] == pytest.approx(1.2)
    assert run["offload"] == pytest.approx(0.2)
    assert run["largest_share"] == pytest.approx(0.75)
    assert run["waste"] == pytest.approx(20 / 300)
    assert (run["stalls"], run["stalled_ms"], run["startup_ms"]) == (2, 1000, 300)


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
