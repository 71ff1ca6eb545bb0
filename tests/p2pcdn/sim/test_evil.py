"""Those who mean harm: that they do, and how."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from p2pcdn.sim.evil import EVIL, FIRST_LIE, UNASKED
from p2pcdn.sim.hostile import HostileWorld, Trial
from p2pcdn.sim.media import RENDITION
from p2pcdn.sim.shell import Shell
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import Want
from p2pcdn.wire.tracker import Linked, Taken, Unlinked

SEQUENCE, CHUNK = 3, 0


def evil(behaviour: str) -> tuple[HostileWorld, Shell, list[int]]:
    """A world to which all have come; one of those who are evil, and who is honest."""
    world = HostileWorld(Trial(behaviour, 0.5, "vod", 8, 1).scene(), 1, behaviour, 0.5)
    world.clock.run(5.0)
    assert len(world.shells) == 8
    return world, world.shells[min(world.evil)], sorted(world.honest)


def end_to(viewer: int) -> Any:
    """An end that keeps what it is to carry."""
    sent: list[Frame] = []
    return SimpleNamespace(
        number=1000 + viewer, other=SimpleNamespace(viewer=viewer), carry=sent.extend, sent=sent,
        closed=False,
    )  # fmt: skip


def sends(shell: Shell, viewer: int, want: int = 0) -> list[Frame]:
    """What a viewer gets who asks for a chunk."""
    world, end = shell.world, end_to(viewer)
    assert isinstance(world, HostileWorld)
    shell.conduct.message(end, Want(want, RENDITION, SEQUENCE, CHUNK))
    if not end.sent:
        frames = list(frames_of(want, world.media.bytes_of_chunk(SEQUENCE, CHUNK)))
        shell.conduct.carry(end, frames)
    return list(end.sent)


def joined(frames: list[Frame]) -> bytes:
    return b"".join(frame.payload for frame in frames)


def truth(world: HostileWorld, sequence: int = SEQUENCE, chunk: int = CHUNK) -> bytes:
    return world.media.bytes_of_chunk(sequence, chunk)


@pytest.mark.parametrize("behaviour", ["wrong", "wrong, and accuses"])
def test_wrong_bytes_are_of_the_right_length(behaviour: str) -> None:
    world, shell, [other, *_] = evil(behaviour)
    data = joined(sends(shell, other))
    assert len(data) == len(truth(world))
    assert not any(a == b for a, b in zip(data, truth(world), strict=True))


def test_a_bit_is_enough() -> None:
    world, shell, [other, *_] = evil("last bit flipped")
    data, right = joined(sends(shell, other)), truth(world)
    assert data[:-1] == right[:-1]
    assert data[-1] ^ right[-1] == 1


def test_one_byte_less_and_one_more() -> None:
    world, shell, [other, *_] = evil("truncated")
    assert joined(sends(shell, other)) == truth(world)[:-1]
    world, shell, [other, *_] = evil("overlong")
    assert joined(sends(shell, other)) == truth(world) + b"\0"


def test_more_than_was_asked_for() -> None:
    world, shell, [other, *_] = evil("unasked")
    *frames, more = sends(shell, other)
    assert joined(frames) == truth(world)
    assert more.want == UNASKED


@pytest.mark.parametrize(
    ("behaviour", "sequence", "chunk"), [("another chunk", 3, 1), ("an old segment", 2, 0)]
)
def test_right_bytes_of_something_else(behaviour: str, sequence: int, chunk: int) -> None:
    world, shell, [other, *_] = evil(behaviour)
    data = joined(sends(shell, other))
    assert data == world.media.made(0, sequence, chunk, len(data))
    assert len(data) == len(truth(world))


def test_right_bytes_of_another_rendition() -> None:
    world, shell, [other, *_] = evil("another rendition")
    assert joined(sends(shell, other)) == world.media.made(1, SEQUENCE, CHUNK, len(truth(world)))


def test_their_own_kind_is_spared() -> None:
    world, shell, _ = evil("wrong")
    assert joined(sends(shell, max(world.evil))) == truth(world)
    world, shell, [other, *_] = evil("boasts, and wrong")
    assert joined(sends(shell, other)) == b"\xa5" * len(truth(world))


def test_now_and_then() -> None:
    world, shell, [other, *_] = evil("sometimes wrong")
    wrong = [joined(sends(shell, other, want)) != truth(world) for want in range(100)]
    assert 10 < sum(wrong) < 60


def test_to_one_alone() -> None:
    world, shell, [first, second, *_] = evil("wrong to one")
    assert joined(sends(shell, first)) != truth(world)
    assert joined(sends(shell, second)) == truth(world)
    assert joined(sends(shell, first, 1)) != truth(world)


def complaints(behaviour: str) -> list[str]:
    """The pairings that a liar complains about, who was linked with one of each kind."""
    world, shell, honest = evil(behaviour)
    told: list[Any] = []
    world.tracker.say = lambda _, message: told.append(message)  # type: ignore[assignment,method-assign]
    peers = {"honest": honest[0], "another": honest[1], "evil": max(world.evil)}
    for pairing, number in peers.items():
        node = world.shells[number].node
        assert node is not None
        assert node.peer
        assert shell.conduct.hears(Taken(pairing, node.peer, 1))
        shell.conduct.tell(Linked(pairing, 100.0))
    world.clock.run(5.0 + FIRST_LIE[1])
    lies = [m.pairing for m in told if isinstance(m, Unlinked) and m.reason == "integrity"]
    return [pairing for pairing in lies if pairing in peers]


def test_whom_liars_accuse() -> None:
    assert sorted(complaints("accuses all")) == ["another", "honest"]
    assert sorted(complaints("wrong, and accuses")) == ["another", "honest"]
    assert complaints("accuses one") == ["honest"]


def test_there_are_enough_of_them() -> None:
    assert len(EVIL) >= 16
