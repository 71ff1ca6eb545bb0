"""The node's wishes about links, with a transport that a test directs."""

from __future__ import annotations

import asyncio

import pytest

from p2pcdn.core.ports import (
    AddCandidate,
    CloseLink,
    Described,
    Input,
    LinkClosed,
    LinkOpened,
    MakeAnswer,
    MakeOffer,
    SendFrame,
    TakeAnswer,
    TellLink,
)
from p2pcdn.model import Mode
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import Bye, LinkMessage
from peer.native.links import Links
from peer.native.transport import Feed, LinkError, Relay


class FakeLink:
    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.log: list[object] = []
        self.error: LinkError | None = None
        self.closed = asyncio.Event()
        self.ready = asyncio.Event()
        self.ready.set()

    async def offer(self) -> str:
        return await self._describe("offer")

    async def answer(self, sdp: str) -> str:
        self.log.append(("answer", sdp))
        return await self._describe("answer")

    async def _describe(self, sdp: str) -> str:
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return sdp

    async def take_answer(self, sdp: str) -> None:
        self.log.append(("take", sdp))
        if self.error is not None:
            raise self.error

    def add_candidate(self, candidate: str) -> None:
        self.log.append(candidate)

    def tell(self, message: LinkMessage) -> None:
        self.log.append(message)

    def send(self, frame: Frame) -> None:
        self.log.append(frame)

    async def close(self) -> None:
        self.log.append("closed")
        self.closed.set()


class FakeTransport:
    def __init__(self) -> None:
        self.links: dict[int, FakeLink] = {}
        self.closed = False

    def link(self, number: int, feed: Feed) -> FakeLink:
        self.links[number] = FakeLink(feed)
        return self.links[number]

    def confine(self, mode: Mode, relays: tuple[Relay, ...]) -> None:
        pass

    def place(self, *, local: str | None, stun: tuple[str, int] | None) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


class Stage:
    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.fed: asyncio.Queue[Input] = asyncio.Queue()
        self.links = Links(self.transport, self.fed.put_nowait)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_an_offer_its_answer_and_candidates(stage: Stage) -> None:
    stage.links.do(MakeOffer(1))
    assert await stage.fed.get() == Described(1, "offer")
    stage.links.do(AddCandidate(1, "candidate:1", "0"))
    stage.links.do(TakeAnswer(1, "sdp"))
    await stage.links.close()
    assert stage.transport.links[1].log == ["candidate:1", ("take", "sdp"), "closed"]
    assert stage.transport.closed


async def test_an_answer(stage: Stage) -> None:
    stage.links.do(MakeAnswer(1, "sdp"))
    assert await stage.fed.get() == Described(1, "answer")
    assert stage.transport.links[1].log == [("answer", "sdp")]


async def test_what_is_sent_goes_to_its_link(stage: Stage) -> None:
    for number in (1, 2):
        stage.links.do(MakeOffer(number))
    stage.links.send(TellLink(1, Bye()))
    stage.links.send(SendFrame(2, Frame(0, 0, b"x")))
    stage.links.send(TellLink(3, Bye()))  # long gone
    assert stage.transport.links[1].log == [Bye()]
    assert stage.transport.links[2].log == [Frame(0, 0, b"x")]


@pytest.mark.parametrize("event", [MakeOffer(1), MakeAnswer(1, "sdp")])
async def test_a_link_that_cannot_be_described_has_failed(
    stage: Stage, event: MakeOffer | MakeAnswer
) -> None:
    stage.links.do(event)
    stage.transport.links[1].error = LinkError("no")
    assert await stage.fed.get() == LinkClosed(1, "failed")
    await stage.links.close()
    assert stage.transport.links[1].log[-1] == "closed"


async def test_an_answer_that_cannot_be_taken_is_a_failure(stage: Stage) -> None:
    stage.links.do(MakeOffer(1))
    await stage.fed.get()
    stage.transport.links[1].error = LinkError("no")
    stage.links.do(TakeAnswer(1, "nonsense"))
    assert await stage.fed.get() == LinkClosed(1, "failed")


async def test_what_becomes_of_a_link_that_was_closed_meanwhile_is_not_told(stage: Stage) -> None:
    stage.links.do(MakeOffer(1))
    link = stage.transport.links[1]
    link.ready.clear()
    stage.links.do(CloseLink(1))
    link.ready.set()
    stage.links.do(TakeAnswer(1, "sdp"))
    stage.links.do(AddCandidate(1, "candidate:1", "0"))
    stage.links.do(CloseLink(1))
    await stage.links.close()
    assert stage.fed.empty()
    assert link.log == ["closed"]


async def test_what_a_link_tells_is_passed_on_and_its_end_cleaned_up(stage: Stage) -> None:
    stage.links.do(MakeOffer(1))
    await stage.fed.get()
    link = stage.transport.links[1]
    link.feed(LinkOpened(1))
    link.feed(LinkClosed(1, "timeout"))
    assert [stage.fed.get_nowait(), stage.fed.get_nowait()] == [
        LinkOpened(1),
        LinkClosed(1, "timeout"),
    ]
    await link.closed.wait()
