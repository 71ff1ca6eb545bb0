"""Start-up is compared within pairs alone."""

from __future__ import annotations

from typing import Any

from bench.browsers.startup import ratios


def sample(pair: int, who: str, time: float | None, kind: str = "alone") -> dict[str, Any]:
    return {"pair": pair, "kind": kind, "who": who, "startupMs": time}


def test_only_whole_pairs_of_one_kind_count() -> None:
    samples = [
        sample(0, "plain", 100), sample(0, "ours", 110),
        sample(1, "plain", 200), sample(1, "ours", 180),
        sample(2, "plain", None), sample(2, "ours", 900),
        sample(3, "plain", 100), sample(3, "ours", 130),
        sample(3, "plain", 100, "joining"), sample(3, "ours", 500, "joining"),
    ]  # fmt: skip
    found = ratios(samples, "alone")
    assert set(found) == {"ours"}
    assert (found["ours"].middle, found["ours"].pairs) == (1.1, 3)
    assert ratios(samples, "joining")["ours"].middle == 5
