"""The plain player: everything from the origin, and nobody else is there."""

from __future__ import annotations

from tests.p2pcdn.sim.small import live


def test_everybody_takes_every_segment_from_the_origin() -> None:
    world = live(plain=True)
    world.run()
    assert world.shells == {}
    assert all(player.started is not None for player in world.players.values())
    assert {world.tally.media[s] // world.media.segment_bytes for s in range(4, 9)} == {6}
    assert sum(player.stalls for player in world.players.values()) == 0
