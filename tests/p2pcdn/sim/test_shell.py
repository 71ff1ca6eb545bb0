"""The shell: a node is fed and heard, and the player gets its segments whatever the node does."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from p2pcdn.core import ports
from p2pcdn.errors import SourceReason
from p2pcdn.model import SegmentKey
from p2pcdn.sim.media import RENDITION
from p2pcdn.sim.shell import Shell
from p2pcdn.sim.world import World
from tests.p2pcdn.sim.small import lines, live, vod


def alone(trace: io.StringIO | None = None) -> tuple[World, Shell]:
    """A world with one viewer, who has a node."""
    world = vod(trace, viewers="1", seconds="100", media__length="80", arrivals__kind="start")
    world.clock.run(3.0)
    [shell] = world.shells.values()
    return world, shell


def test_the_first_segment_comes_by_plain_http_and_is_offered() -> None:
    trace = io.StringIO()
    world, shell = alone(trace)
    assert lines(trace, "plain")[0][3] == "0"
    assert shell.node is not None
    assert world.media.chunks == len(shell.node.store.chunks(SegmentKey(RENDITION, 0)))


def test_an_event_that_nobody_knows_is_an_error() -> None:
    _, shell = alone()
    shell.node = SimpleNamespace(  # type: ignore[assignment]
        take_messages=list, take_events=lambda: [object()], receive=lambda message, now: None
    )
    with pytest.raises(KeyError):
        shell.give(ports.TrackerDown())


def test_a_node_that_spins_is_an_error() -> None:
    world, shell = alone()
    shell.node = SimpleNamespace(  # type: ignore[assignment]
        take_messages=list,
        take_events=list,
        receive=lambda message, now: None,
        on_timer=lambda now: None,
        timer_at=lambda: world.clock.now,
    )
    shell.give(ports.TrackerDown())
    with pytest.raises(RuntimeError, match="spins"):
        world.clock.run(10.0)


def test_what_the_node_cannot_deliver_is_loaded_past_it() -> None:
    trace = io.StringIO()
    world, shell = alone(trace)
    while shell.player.loading is None:
        world.clock.run(world.clock.now + 0.05)
    loading = shell.player.loading
    shell._failed(ports.SegmentFailed(SegmentKey(RENDITION, loading), SourceReason.STATUS))
    world.clock.run(world.clock.now + 4.0)
    assert [row[3:5] for row in lines(trace, "past")] == [[str(loading), "status"]]
    assert str(loading) in [row[3] for row in lines(trace, "plain")]


def test_a_node_that_never_answers_is_not_waited_for() -> None:
    world, shell = alone()
    shell.node = SimpleNamespace(  # type: ignore[assignment]
        take_messages=list,
        take_events=list,
        receive=lambda message, now: None,
        timer_at=lambda: None,
    )
    world.clock.run(40.0)
    assert shell.rescues > 1
    assert shell.player.reached >= 10
    assert shell.player.stalled < 10.0


def test_why_the_origin_was_asked_can_be_read() -> None:
    trace = io.StringIO()
    world = live(trace)
    world.run()
    row = lines(trace, "fetch")[0]
    assert row[7] == "turn"
    assert [field.partition("=")[0] for field in row[8:]] == ["age", "links", "hold", "load"]


def test_prefetching_can_be_switched_off() -> None:
    ahead = {}
    for switch in ("true", "false"):
        late = {"arrivals.kind": "ramp", "arrivals.over": "24", "viewers": "2"}
        world = vod(None, late, peers__prefetch=switch, media__length="80")
        world.clock.run(20.0)
        shell = world.shells[1]
        assert shell.node is not None
        held = [segment.sequence for segment in shell.node.store.segments()]
        ahead[switch] = max(held) - shell.player.reached
    assert ahead["false"] == 0
    assert ahead["true"] > 0


def test_who_has_left_hears_nothing() -> None:
    world, shell = alone()
    world._leave(shell.viewer, "leave")
    heard: list[ports.Input] = []
    shell.node = SimpleNamespace(  # type: ignore[assignment]
        receive=lambda message, now: heard.append(message), timer_at=lambda: None
    )
    world.clock.run(30.0)
    assert heard == []
    assert shell.player.reached < 12
