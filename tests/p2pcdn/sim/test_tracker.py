"""The tracker's sockets: messages take their time, are counted, and end with the viewer."""

from __future__ import annotations

import pytest

from p2pcdn.model import PROTOCOL
from p2pcdn.sim.tally import Kind
from p2pcdn.sim.tracker import PLACE
from p2pcdn.wire.tracker import FromTracker, Join, Joined, Leave, Welcome
from tests.p2pcdn.sim.small import live


def test_a_viewer_is_welcomed_and_let_in() -> None:
    world = live(viewers="1", warmup="0")
    heard: list[tuple[float, FromTracker]] = []
    world.clock.run(0.0)
    [shell] = world.shells.values()
    rtt = shell.line.place.rtt(PLACE)

    def hears(message: FromTracker) -> bool:
        heard.append((world.clock.now, message))
        return True

    shell.conduct.hears = hears  # type: ignore[method-assign]
    world.clock.run(5.0)
    (first, welcome), (second, joined) = heard[:2]
    assert isinstance(welcome, Welcome)
    assert isinstance(joined, Joined)
    assert first == pytest.approx(3.5 * rtt)
    assert second >= first + rtt
    assert world.tally.measured[Kind.SIGNALLING] > 500


def test_a_refusal_ends_the_run() -> None:
    world = live(viewers="1")
    world.clock.run(5.0)
    [shell] = world.shells.values()
    world.tracker.say(shell, Join(PROTOCOL, "pk_sim", "5" * 32, "browser", upload=True))
    with pytest.raises(RuntimeError, match="refused viewer 0"):
        world.clock.run(6.0)


def test_leaving_is_no_refusal() -> None:
    world = live(viewers="1")
    world.clock.run(5.0)
    [shell] = world.shells.values()
    world.tracker.say(shell, Leave())
    world.tracker.close(shell)
    world.clock.run(8.0)
