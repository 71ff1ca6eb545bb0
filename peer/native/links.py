"""What the node wants done about links, done by a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from p2pcdn.core.ports import (
    AddCandidate,
    CloseLink,
    Described,
    Input,
    LinkClosed,
    MakeAnswer,
    MakeOffer,
    SendFrame,
    TakeAnswer,
    TellLink,
)
from peer.native.transport import Feed, LinkError, Transport, TransportLink

log = structlog.get_logger("p2pcdn.peer")

LinkEvent = MakeOffer | MakeAnswer | TakeAnswer | AddCandidate | CloseLink


class Links:
    """The links of one node, by the numbers that it gave them."""

    def __init__(self, transport: Transport, feed: Feed) -> None:
        self._transport = transport
        self._feed = feed
        self._links: dict[int, TransportLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, event: LinkEvent) -> None:
        """Do what the node asks for; what comes of it is fed to it later."""
        match event:
            case MakeOffer(number):
                link = self._new(number)
                self._start(self._describe(number, link.offer()))
            case MakeAnswer(number, sdp):
                link = self._new(number)
                self._start(self._describe(number, link.answer(sdp)))
            case TakeAnswer(number, sdp):
                if number in self._links:
                    self._start(self._take(number, self._links[number].take_answer(sdp)))
            case AddCandidate(number, candidate):
                if number in self._links:
                    self._links[number].add_candidate(candidate)
            case CloseLink(number):
                self._close(number)

    def send(self, message: TellLink | SendFrame) -> None:
        """Send over a link, if it is still there."""
        link = self._links.get(message.link)
        if link is None:
            return
        if isinstance(message, TellLink):
            link.tell(message.message)
        else:
            link.send(message.frame)

    async def close(self) -> None:
        """Close all links, and wait for it."""
        for number in list(self._links):
            self._close(number)
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._transport.close()

    def _new(self, number: int) -> TransportLink:
        link = self._links[number] = self._transport.link(number, self._heard)
        return link

    async def _describe(self, number: int, describing: Coroutine[Any, Any, str]) -> None:
        try:
            sdp = await describing
        except LinkError as error:
            self._failed(number, error)
        else:
            if number in self._links:
                self._feed(Described(number, sdp))

    async def _take(self, number: int, taking: Coroutine[Any, Any, None]) -> None:
        try:
            await taking
        except LinkError as error:
            self._failed(number, error)

    def _failed(self, number: int, error: LinkError) -> None:
        log.debug("link_failed", link=number, error=str(error))
        if number in self._links:
            self._heard(LinkClosed(number, "failed"))

    def _heard(self, given: Input) -> None:
        if isinstance(given, LinkClosed):
            self._close(given.link)
        self._feed(given)

    def _close(self, number: int) -> None:
        link = self._links.pop(number, None)
        if link is not None:
            self._start(link.close())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
