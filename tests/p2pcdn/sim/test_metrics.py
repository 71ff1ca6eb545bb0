"""What a run comes to, by figures that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2pcdn.sim import metrics
from p2pcdn.sim.run import run
from p2pcdn.sim.scene import load
from tests.p2pcdn.sim.small import LIVE, live, vod


def test_plain_viewers_need_a_copy_each() -> None:
    world = live(plain=True)
    world.run()
    results = metrics.measure(world, "plain")
    assert results.summary.viewers == 6.0
    assert results.summary.copies == pytest.approx(6.0)
    assert results.summary.offload == pytest.approx(0.0)
    assert results.summary.score == pytest.approx(6.0)
    assert results.summary.offload_limit == pytest.approx(5 / 6)
    assert {row.origin_bytes for row in results.segments} == {6 * world.media.segment_bytes}


def test_segments_of_the_warm_up_and_the_tail_do_not_count() -> None:
    world = live(seconds="40", warmup="10", tail="8")
    # Segment 5 + k comes out at 4 k seconds: from 12 to 32 seconds.
    assert metrics.measured(world) == range(8, 14)
    assert metrics.measured(vod()) == range(10)


def test_the_limit_of_a_live_scene_counts_who_is_cut_off_and_who_gives() -> None:
    world = live(viewers="10", nat__blocked="0.2")
    assert metrics.live_limit(world.viewers, world.scene) == pytest.approx(2.0 + 1.0)
    poor = live(viewers="10", lines__uplink="0.5")
    assert metrics.live_limit(poor.viewers, poor.scene) == pytest.approx(5.0)
    assert metrics.live_limit([], world.scene) == 0.0


def test_who_joins_may_have_the_segment_that_he_begins_with() -> None:
    world = live(None, {"arrivals.kind": "ramp", "arrivals.over": "24"}, viewers="3", warmup="2")
    world.run()
    # They come at 0, 8 and 16 seconds, and begin with the last but two.
    limits = {row.segment: row.limit for row in metrics.measure(world, "ramp").segments}
    assert [player.first for player in world.players.values()] == [3, 5, 7]
    assert limits == {6: 1.0, 7: 2.0, 8: 1.0, 9: 1.0, 10: 1.0}


def test_presence_is_an_average_over_time() -> None:
    world = live(viewers="2")
    world.run()
    world.stayed[1] = 20.0
    assert metrics.present(world, 10.0, 30.0) == pytest.approx(1.5)
    assert metrics.present(world, 5.0, 5.0) == 0.0


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.99, 4.0)])
def test_quantiles(share: float, value: float) -> None:
    assert metrics.quantile([1.0, 2.0, 3.0, 4.0], share) == value
    assert metrics.quantile([], share) == 0.0


def test_who_stalled_more_than_plain_is_counted() -> None:
    results = run(load("live-steady", LIVE), "live", 1).results
    stalled = [replace(row, stalled=1.0 if row.viewer < 3 else 0.2) for row in results.viewers]
    worse = metrics.compare(replace(results, viewers=stalled), results)
    assert worse.worse == pytest.approx(0.5)
    assert worse.better == 0.0
    assert worse.stalled == pytest.approx(0.6)
    assert worse.stalled_plain == 0.0
    better = metrics.compare(results, replace(results, viewers=stalled))
    assert better.worse == 0.0
    assert better.better == pytest.approx(0.5)


def test_vod_limits_depend_on_how_viewers_come() -> None:
    changes = {"arrivals.kind": "poisson", "viewers": "2"}
    world = vod(None, changes)
    world.run()
    sequential = vod(None, changes, peers__prefetch="false")
    sequential.run()
    assert metrics.vod_share(sequential) > metrics.vod_share(world)
