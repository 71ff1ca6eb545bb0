"""What is only aiortc's way; what holds for each transport is in `test_transports.py`."""

from __future__ import annotations

import asyncio

import pytest

from p2pcdn.core.ports import LinkClosed, LinkOpened
from p2pcdn.model import CHUNK_SIZE
from peer.native.transport import ice
from peer.native.transport.aiortc import AHEAD, AiortcTransport
from peer.native.transport.description import take_apart
from tests.peer.native.transport.ends import End, linked


async def test_a_peer_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "QUIET", 0.1)
    monkeypatch.setattr(ice, "QUIET_TRIES", 0)
    async with linked() as (caller, called):
        for protocol in called.link._ice._protocols:
            protocol.transport.abort()
        assert await caller.until(LinkClosed) == [LinkClosed(1, "timeout")]


async def test_a_quiet_peer_has_not_vanished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "QUIET", 0.02)
    monkeypatch.setattr(ice, "QUIET_TRIES", 0)
    async with linked() as (caller, called):
        answered = asyncio.Event()
        connection = called.link._ice
        answer, asked = connection.request_received, []

        def count(*request: object) -> None:
            asked.append(request)
            answer(*request)
            if len(asked) == 5:
                answered.set()

        connection.request_received = count
        await asyncio.wait_for(answered.wait(), 10)
        assert not caller.all(LinkClosed)


async def test_candidates_may_come_before_the_description_and_be_nonsense() -> None:
    transport = AiortcTransport()
    caller, called = End(transport), End(transport)
    bare, candidates = take_apart(await caller.link.offer())
    for candidate in ["nonsense", *candidates]:
        called.link.add_candidate(candidate)
    await asyncio.sleep(0)  # they are under way
    answer, _ = take_apart(await called.link.answer(bare))
    await caller.link.take_answer(answer)
    await asyncio.gather(caller.until(LinkOpened), called.until(LinkOpened))
    heard = {(c.type, c.port) for c in called.link._ice.remote_candidates}
    assert {("host", int(candidate.split()[5])) for candidate in candidates} <= heard
    for end in (caller, called):
        await end.link.close()
    await transport.close()


def test_what_is_handed_to_aiortc_is_little() -> None:
    assert AHEAD <= CHUNK_SIZE
