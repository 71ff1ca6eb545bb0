"""What the links of a transport share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from p2pcdn.core.ports import Input, LinkDrained
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import Candidate
from p2pcdn.wire.chunk import Frame, encode_frame
from peer.native.transport import LinkError, Relay
from peer.native.transport.description import put_together
from peer.native.transport.shared import MOST_CANDIDATES, Kind, Shared, SharedLink


async def test_stun_is_asked_only_if_the_mode_has_use_for_it() -> None:
    assert not Shared().reflects
    shared = Shared(["203.0.113.7"])
    shared.place(local="192.0.2.1", stun=("192.0.2.9", 3478))
    assert (shared.local, shared.stun) == ("192.0.2.1", ("192.0.2.9", 3478))
    found = []
    modes: tuple[Mode, ...] = ("any", "network", "lan", "relay")
    for mode in modes:
        shared.confine(mode, (Relay("t", 3478, "u", "p"),))
        found.append(shared.reflects)
    assert found == [True, True, False, False]
    await shared.close()


class Library(SharedLink):
    """A link whose library takes two frames at a time, and remembers what it was told."""

    def __init__(self, transport: Shared) -> None:
        self.fed: list[Input] = []
        super().__init__(transport, 1, self.fed.append)
        self.there = 0
        self.reached: list[str] = []
        self.said: list[str] = []

    async def _describe(self, kind: Kind) -> str:
        self.said.append(f"described: {kind}")
        await asyncio.sleep(0)
        if "broken" in self.said[0]:
            raise ValueError("broken")
        return put_together(BARE, [])

    async def _take_bare(self, sdp: str, kind: Kind) -> None:
        self.said.append(f"taken: {kind}")

    async def _reach(self, candidate: Candidate, address: str) -> None:
        self.reached.append(address)

    def _pump(self) -> int:
        while self._frames and self.there < 2 * SIZE:
            self._waiting -= len(self._frames.popleft())
            self.there += SIZE
        return self.there

    def goes(self, count: int) -> None:
        """The library has sent so many frames, and says so."""
        self.there -= count * SIZE
        self._drained()


FRAME = Frame(0, 0, bytes(100))
SIZE = len(encode_frame(FRAME))
BARE = "".join(
    f"{line}\r\n"
    for line in (
        "v=0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        *(f"a={name}:x" for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid")),
    )
)


def candidate(number: int) -> str:
    return f"candidate:1 1 udp 1 192.0.2.{number} 9 typ host"


@pytest.fixture
async def link() -> AsyncIterator[Library]:
    transport = Shared()
    yield Library(transport)
    await transport.close()


async def test_it_is_told_once_when_half_of_what_waited_has_gone(link: Library) -> None:
    for _ in range(4):
        link.send(FRAME)
    assert (link.there, len(link._frames)) == (2 * SIZE, 2)
    link.goes(1)
    assert link.fed == []
    link.goes(1)
    assert link.fed == [LinkDrained(1, 2 * SIZE)]
    link.goes(1)
    assert len(link.fed) == 1
    link.send(FRAME)
    link.goes(2)
    assert link.fed[1:] == [LinkDrained(1, 0)]


async def test_addresses_wait_for_the_description_and_are_not_too_many(link: Library) -> None:
    for number in range(MOST_CANDIDATES + 5):
        link.add_candidate(candidate(number))
    link.add_candidate("nonsense")
    await asyncio.sleep(0)
    assert link.reached == []
    await link.answer(put_together(BARE, []))
    await asyncio.gather(*link._tasks)
    assert len(link.reached) == MOST_CANDIDATES
    assert link.said == ["taken: offer", "described: answer"]


async def test_what_goes_wrong_is_said_of_what_was_to_be_done(link: Library) -> None:
    link.said.append("broken")
    with pytest.raises(LinkError, match="no offer: ValueError"):
        await link.offer()
    with pytest.raises(LinkError, match="not an answer"):
        await link.take_answer("nonsense")


async def test_one_that_is_closed_does_nothing_more(link: Library) -> None:
    link.add_candidate(candidate(1))
    for _ in range(4):
        link.send(FRAME)
    link._hush()
    await asyncio.gather(*link._tasks, return_exceptions=True)
    link.goes(2)
    link.add_candidate(candidate(2))
    assert (link.fed, link.there, link.reached, link._tasks) == ([], 0, [], set())
