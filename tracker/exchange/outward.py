"""A place elsewhere, as our guests see it whose swarms are at home there."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from itertools import count

import msgspec
import structlog

from p2pcdn.errors import ErrorCode, RemoteError
from tracker.exchange.frames import Frame, FrameError, Kind
from tracker.exchange.line import HELLO_TIMEOUT, Line
from tracker.guests import Guest

AGAIN = (0.1, 0.3)
"""Seconds between which a place is dialled again that does not answer."""

MOST_DOUBLINGS = 4
"""How often that is doubled, each time that somebody answers who is not the place that is meant."""

Dial = Callable[[Callable[[], Line]], Awaitable[object]]
"""Connects what the function makes to the place; `OSError` if that cannot be."""

log = structlog.get_logger("p2pcdn.tracker")


class Outward:
    """Dials a place for as long as we know of it, and has our guests there."""

    def __init__(
        self,
        name: str,
        dial: Dial,
        make: Callable[[Outward], Line],
        came: Callable[[str], None] = lambda _: None,
        went: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``came`` is called each time that the place has been reached, ``went`` when the line
        there has broken."""
        self.name = name
        self._dial = dial
        self._make = make
        self._came = came
        self._went = went
        self.reached = asyncio.Event()
        """Set while it hears us."""
        self.lost_at: float | None = asyncio.get_running_loop().time()
        """Since when it has not heard us, by the loop's clock; None while it does."""
        self._refusals = 0
        self._hurries = asyncio.Event()
        self._dialled: Line | None = None
        """What was made last, whether it is up or not."""
        self._line: Line | None = None
        self._guests: dict[int, Guest] = {}
        self._numbers = count()
        self._task = asyncio.create_task(self._run(), name=f"line to {name}")

    def __len__(self) -> int:
        """How many guests of ours are there."""
        return len(self._guests)

    @property
    def is_up(self) -> bool:
        """Whether it hears us."""
        return self._line is not None

    def hurry(self) -> None:
        """It has just been heard of: there is no reason to wait."""
        self._hurries.set()

    def opened(self, realm: int, guest: Guest) -> int:
        """A guest is for one of the realms there; `RemoteError` if that cannot be for now."""
        if self._line is None:
            raise gone()
        number = next(self._numbers) & 0xFFFFFFFF
        self._guests[number] = guest
        self._line.send(Kind.OPENED, number, msgspec.msgpack.encode((realm, guest.facts)))
        return number

    def said(self, number: int, data: bytes) -> None:
        """A guest's message."""
        if number in self._guests and self._line is not None:
            self._line.send(Kind.SAID, number, data)

    def closed(self, number: int) -> None:
        """A guest has gone."""
        if self._guests.pop(number, None) is not None and self._line is not None:
            self._line.send(Kind.CLOSED, number)

    def note(self, body: bytes) -> bool:
        """Have it note something; whether it could be told."""
        if self._line is None:
            return False
        self._line.send(Kind.NOTE, 0, body)
        return True

    async def close(self) -> None:
        """Hang up, once it has taken what it was told."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._line is not None:
            line = self._line
            line.close()
            await asyncio.shield(line.gone)
        elif self._dialled is not None:
            self._dialled.abort()  # or it would come up yet

    # The line's owner

    def up(self, line: Line, name: str) -> None:
        if name != self.name:
            log.warning("wrong_place", wanted=self.name, found=name)
            line.abort()
            return
        self._line = line
        self._refusals = 0
        self.lost_at = None
        self.reached.set()
        self._came(name)

    def hear(self, frame: Frame) -> None:
        guest = self._guests.get(frame.guest)
        if guest is None:
            return  # it has gone meanwhile
        if frame.kind is Kind.TELL:
            guest.tell(frame.body)
        elif frame.kind is Kind.DISMISSED:
            guest.dismiss(_code(frame.body) if frame.body else None)
        elif frame.kind is Kind.SENT_BACK:
            guest.send_back(_error(frame.body))
        else:
            raise FrameError(f"{frame.kind.name} goes the other way")

    def lost(self) -> None:
        broke = self._line is not None and not self._task.done()  # else it is we who have hung up
        if self._line is not None:
            self.lost_at = asyncio.get_running_loop().time()
        self._line = None
        self.reached.clear()
        guests, self._guests = self._guests, {}
        for guest in guests.values():
            guest.send_back(gone(), together=len(guests))
        if broke:
            self._went(self.name)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(HELLO_TIMEOUT):  # a system tries for minutes
                    await self._dial(self._new)
            except (OSError, UnicodeError):  # the latter of a name that is none
                pass  # it is not there yet, or not any more
            else:
                assert self._dialled is not None  # who dials makes one
                await asyncio.shield(self._dialled.gone)
            self._hurries.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._hurries.wait()

    def _new(self) -> Line:
        self._refusals += 1  # unless it comes up
        self._dialled = self._make(self)
        return self._dialled

    def _pause(self) -> float:
        return random.uniform(*AGAIN) * 2.0 ** min(self._refusals, MOST_DOUBLINGS)


class SentBack(msgspec.Struct, frozen=True):
    """Why a guest is to come again."""

    code: ErrorCode
    detail: str


def _code(body: bytes) -> ErrorCode:
    try:
        return ErrorCode(body.decode())
    except ValueError as error:  # UnicodeDecodeError is one
        raise FrameError(f"nobody is dismissed like that: {error}") from error


def _error(body: bytes) -> RemoteError:
    try:
        sent = msgspec.msgpack.decode(body, type=SentBack)
    except msgspec.DecodeError as error:
        raise FrameError(f"nobody is sent back like that: {error}") from error
    return RemoteError(sent.code, sent.detail)


def gone() -> RemoteError:
    """What guests are told whose place is not there."""
    return RemoteError(ErrorCode.DRAINING, "this part of the tracker is away for a moment")
