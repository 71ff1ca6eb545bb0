"""Whole worlds: everybody comes, watches and goes; and the same seed is the same world."""

from __future__ import annotations

import io
import os
import subprocess
import sys

from tests.p2pcdn.sim.small import lines, live, vod


def test_everybody_watches_and_hardly_anything_comes_twice() -> None:
    world = live()
    world.run()
    assert all(player.started is not None for player in world.players.values())
    assert sum(player.stalls for player in world.players.values()) == 0
    peers = sum(s.node.stats.peer_bytes for s in world.shells.values() if s.node is not None)
    assert peers > sum(origin.media_bytes for origin in world.origins.values()) / 2


def test_who_has_seen_everything_goes() -> None:
    trace = io.StringIO()
    world = vod(trace)
    world.run()
    assert len(lines(trace, "done")) == 4
    assert all(player.done for player in world.players.values())
    assert world.watched == 4 * world.media.count * world.media.segment_bytes


def test_who_leaves_is_gone() -> None:
    trace = io.StringIO()
    world = live(trace, wave__at="15", wave__share="0.5")
    world.run()
    assert len(lines(trace, "leave")) == 3
    assert sum(15 <= at <= 16 for at in world.stayed.values()) == 3
    assert sum(at == 30 for at in world.stayed.values()) == 3


def test_hash_seeds_do_not_matter() -> None:
    program = (
        "from tests.p2pcdn.sim.small import live\n"
        "world = live(viewers='6', seconds='16', wave__at='9')\n"
        "world.run()\n"
        "print(world.trace.digest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
