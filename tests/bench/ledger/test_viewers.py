"""What reports cost is measured of a crowd whose reports are believed, and agree."""

from __future__ import annotations

from pathlib import Path

from bench.ledger.viewers import EVERY, Crowd, measure
from p2pcdn.wire.codec import decode_to_tracker
from p2pcdn.wire.tracker import Report


def test_all_viewers_report_every_ten_seconds() -> None:
    crowd = Crowd(200, 2)
    said = [one for now in range(EVERY) for one in crowd.second(now)]
    assert len({session for session, _ in said}) == len(said) == 200
    assert all(isinstance(decode_to_tracker(text.encode()), Report) for _, text in said)


def test_what_the_crowd_says_is_confirmed_to_the_byte(tmp_path: Path) -> None:
    cost = measure(tmp_path, 200, 2, 4 * EVERY)
    assert cost.reports == 200 * 4
    assert cost.offload == cost.best == 0.99
    assert cost.rows > 0
