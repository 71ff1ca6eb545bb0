"""Those who do not do what they should: that they do so, and that nobody stalls for it."""

from __future__ import annotations

import io

import pytest

from p2pcdn.sim.audience import Conduct
from p2pcdn.sim.conduct import CONDUCTS
from p2pcdn.sim.shell import Shell
from p2pcdn.sim.world import World
from p2pcdn.wire.tracker import BeingFetched, Lease, Leases
from tests.p2pcdn.sim.small import lines, live


def of(world: World, conduct: Conduct) -> list[Shell]:
    return [s for s in world.shells.values() if s.viewer.conduct is conduct]


def test_there_is_a_conduct_for_each_kind() -> None:
    assert set(CONDUCTS) == set(Conduct)


@pytest.mark.parametrize("kind", ["liars", "garbage", "drip", "silent", "idle", "free"])
def test_nobody_stalls_for_it(kind: str) -> None:
    world = live(None, {f"conduct.{kind}": "0.34"})
    world.run()
    honest = {s.viewer.number for s in of(world, Conduct.HONEST)}
    assert len(honest) == 4
    assert sum(world.players[number].stalls for number in honest) == 0


def test_liars_give_nothing() -> None:
    world = live(conduct__liars="0.34")
    world.run()
    assert [shell.links.sent() for shell in of(world, Conduct.LIAR)] == [0, 0]


def test_garbage_is_found_out() -> None:
    trace = io.StringIO()
    world = live(trace, conduct__garbage="0.34")
    world.run()
    assert lines(trace, "rejected")


def test_a_drip_is_a_byte_a_second() -> None:
    world = live(conduct__drip="0.34")
    world.run()
    for shell in of(world, Conduct.DRIP):
        assert 0 < shell.links.sent() < 2_000


def test_the_silent_withhold_the_end_of_a_segment() -> None:
    world = live(conduct__silent="0.34")
    wanted = []
    world.clock.run(0.0)
    for shell in of(world, Conduct.SILENT):
        shell.said = lambda end, message: wanted.append(getattr(message, "chunk", None))  # type: ignore[method-assign]
    world.clock.run(20.0)
    chunks = {chunk for chunk in wanted if chunk is not None}
    assert world.media.chunks - 1 not in chunks


def test_the_idle_hear_of_no_leases() -> None:
    world = live(conduct__idle="0.34")
    world.clock.run(0.0)
    [idle, _] = of(world, Conduct.IDLE)
    assert not idle.conduct.hears(Leases((Lease("v", 1, 0, 4, 0.0),)))
    assert idle.conduct.hears(BeingFetched("v", 1, 0))


def test_free_riders_take_and_give_nothing() -> None:
    world = live(conduct__free="0.34")
    world.run()
    riders = of(world, Conduct.FREE)
    assert [shell.links.sent() for shell in riders] == [0, 0]
    # One who has taken a whole lease from the origin may never learn what peers would have brought.
    assert sum(shell.node.stats.peer_bytes for shell in riders if shell.node) > 0
