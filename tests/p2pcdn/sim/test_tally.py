"""The tally: what counts, and when."""

from __future__ import annotations

from p2pcdn.sim.tally import Kind, Tally


def test_what_is_sent_outside_of_the_time_measured_counts_for_its_segment_alone() -> None:
    tally = Tally(10.0, 20.0)
    for now in (5.0, 10.0, 20.0, 25.0):
        tally.segment(3, 100, now)
        tally.count(Kind.HASHES, 7, now)
    assert tally.media[3] == 400
    assert tally.measured[Kind.MEDIA] == 200
    assert tally.overhead() == 14


def test_ways_between_networks_count_while_it_is_measured() -> None:
    tally = Tally(10.0, 20.0)
    for now in (5.0, 10.0, 20.0, 25.0):
        tally.route(1, 2, 100, now)
    assert tally.routes == {(1, 2): 200}
