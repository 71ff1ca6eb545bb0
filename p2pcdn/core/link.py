"""One link, once its channels are open: greetings, wants both ways, frames, announcements.

::

    GREETING --hello--> UP --bye, broken, closed--> OVER
        '----- no hello in 5 s, wrong content ------^

What comes in is a want's frames, in any order; a whole chunk leaves as `ChunkCame`, still unproved.
What goes out is paced by the data channel: at most `HIGH_WATER` bytes are buffered there, so that a
`cancel` still finds something to drop, and control messages never wait behind media.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from p2pcdn.core.availability import holding_of
from p2pcdn.core.ports import LinkReason, Outgoing, SendFrame, TellLink
from p2pcdn.errors import ErrorCode, RemoteError, SourceReason
from p2pcdn.model import PROTOCOL, ChunkKey, SegmentKey
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import (
    Busy,
    Bye,
    Cancel,
    Gone,
    Have,
    Hello,
    Holding,
    LinkMessage,
    Loading,
    Missing,
    Want,
)

HELLO_TIMEOUT = 5.0
HIGH_WATER = 131_072
"""Bytes in the data channel's buffer above which nothing is added."""
QUEUE = 524_288
"""Bytes of media promised to the other end above which the answer is `busy`."""
BUSY_WAIT = 0.3
MOST_WANTS = 16
"""Wants that the other end may have open with us; ours are far fewer."""
ANNOUNCE_EVERY = 0.1
"""Announcements are gathered for so long: ten a second at most."""
HOLDINGS = 32
"""Holdings a message: however ragged they are, it stays below the limit of a control message."""
LEAST_PATIENCE = 0.4
MOST_PATIENCE = 2.0
"""No byte for so long, whatever was usual, and a want has failed."""

MOST_SILENCES = 3
"""So often in a row wants may fail without a word in between. ICE needs half a minute to notice
that the other end is gone; whoever is only slow says something now and then."""


class State(Enum):
    GREETING = "greeting"
    UP = "up"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Greeted:
    """The other end has said who it is."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Announced:
    """The other end holds, no longer holds, or is loading something."""

    message: Have | Gone | Loading


@dataclass(frozen=True, slots=True)
class ChunkCame:
    """Every byte of a chunk that we wanted."""

    key: ChunkKey
    data: bytes


@dataclass(frozen=True, slots=True)
class WantFailed:
    """A chunk that we wanted will not come over this link, for now."""

    key: ChunkKey
    reason: SourceReason


@dataclass(frozen=True, slots=True)
class Wanted:
    """The other end wants a chunk: answer with `Link.supply` or `Link.lack`."""

    want: int
    key: ChunkKey


@dataclass(frozen=True, slots=True)
class Ended:
    """The link is over; nothing more is sent."""

    reason: LinkReason


LinkEvent = Greeted | Announced | ChunkCame | WantFailed | Wanted | Ended


@dataclass(slots=True)
class _OwnWant:
    """A chunk that we asked for."""

    key: ChunkKey
    data: bytearray
    since: float
    heard: float
    """When we asked, or when the last frame came of it or of what we asked for before it: the
    other end sends one chunk after the other."""
    received: int = 0
    offsets: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Upload:
    """A chunk that the other end asked for."""

    want: int
    left: int
    frames: Iterator[Frame]


class Link:
    """The core's half of one link. ``number`` is how the node calls it."""

    def __init__(self, number: int, hello: Hello, now: float) -> None:
        self.number = number
        self.state = State.GREETING
        self.peer = ""
        self.uploads = True
        """Whether the other end said in its hello that it uploads. If it changes its mind, its
        announcements show it."""
        self.busy_until = 0.0
        self.received = 0
        self.sent = 0
        """Bytes of chunks handed to the data channel."""
        self.wasted = 0
        """Bytes received that were no longer wanted."""
        self._hello = hello
        self._opened = now
        self._own: dict[int, _OwnWant] = {}
        self._over: dict[int, int] = {}
        """Wants that we gave up, and the bytes that may still come for them."""
        self._next_want = 0
        self._response = LEAST_PATIENCE / 3
        self._silences = 0
        """How often in a row wants failed without a word from the other end."""
        self._uploads: deque[_Upload] = deque()
        self._buffered = 0
        self._announced_at = -ANNOUNCE_EVERY
        self._news: dict[type[Have | Gone | Loading], dict[SegmentKey, set[int]]] = {}
        self._messages: list[Outgoing] = []
        self._events: list[LinkEvent] = []
        self._tell(hello)

    # What we want

    @property
    def in_flight(self) -> int:
        """How many of our wants are open."""
        return len(self._own)

    def want(self, key: ChunkKey, length: int, now: float) -> None:
        """Ask for a chunk of ``length`` bytes."""
        number = self._next_want
        self._next_want += 1
        self._own[number] = _OwnWant(key, bytearray(length), now, now)
        self._tell(Want(number, key.rendition, key.sequence, key.chunk))

    def cancel(self, key: ChunkKey) -> None:
        """We no longer want the chunk."""
        for number in [n for n, want in self._own.items() if want.key == key]:
            self._give_up(number)
            self._tell(Cancel(number))

    # What they want

    def supply(self, want: int, chunk: bytes) -> None:
        """Send a chunk that `Wanted` asked for, when its turn comes; or say that we are busy."""
        if self._promised() > QUEUE:
            self._tell(Busy(want, BUSY_WAIT))
            return
        self._uploads.append(_Upload(want, len(chunk), frames_of(want, chunk)))
        self._pump()

    def lack(self, want: int) -> None:
        """Say that we don't have (or don't give) what `Wanted` asked for."""
        self._tell(Missing(want))

    def announce(
        self,
        kind: type[Have | Gone | Loading],
        holdings: Mapping[SegmentKey, Iterable[int]],
        now: float,
    ) -> None:
        """Tell the other end, soon. What is gone is no longer announced as held or loading."""
        for segment, chunks in holdings.items():
            news = set(chunks)
            self._news.setdefault(kind, {}).setdefault(segment, set()).update(news)
            if kind is Gone:
                for other in (Have, Loading):
                    self._news.get(other, {}).get(segment, set()).difference_update(news)
        self._announce(now)

    # The five verbs

    def receive(self, message: LinkMessage | Frame, now: float) -> None:
        """Take in what came over either channel; what breaks the protocol ends the link."""
        if self.state is State.OVER:
            return
        self._silences = 0
        try:
            if isinstance(message, Frame):
                self._take_frame(message, now)
            else:
                self._take(message, now)
        except RemoteError as error:
            self.end("protocol", error.code, error.detail)

    def drained(self, buffered: int) -> None:
        """So many bytes are left in the data channel's buffer."""
        self._buffered = buffered
        self._pump()

    def end(self, reason: LinkReason, code: ErrorCode | None = None, detail: str = "") -> None:
        """End the link, saying why."""
        if self.state is not State.OVER:
            self._tell(Bye(code, detail))
            self._finish(reason)

    def closed(self, reason: LinkReason) -> None:
        """The connection is gone."""
        if self.state is not State.OVER:
            self._finish(reason)

    def timer_at(self) -> float | None:
        if self.state is State.OVER:
            return None
        times = [want.heard + self._patience() for want in self._own.values()]
        if self.state is State.GREETING:
            times.append(self._opened + HELLO_TIMEOUT)
        elif self._news:
            times.append(self._announced_at + ANNOUNCE_EVERY)
        return min(times, default=None)

    def on_timer(self, now: float) -> None:
        if self.state is State.GREETING and self._opened + HELLO_TIMEOUT <= now:
            self.end("timeout", ErrorCode.TIMEOUT)
            return
        self._announce(now)
        patience = self._patience()
        late = [n for n, w in self._own.items() if w.heard + patience <= now]
        if not late:
            return
        # Slower than ever, or gone: a patience that only followed successes would never learn.
        self._response = min(self._response * 2, MOST_PATIENCE / 3)
        for number in late:
            self._tell(Cancel(number))
            self._fail(number, SourceReason.TIMEOUT)
        self._silences += 1
        if self._silences >= MOST_SILENCES:
            self.end("timeout", ErrorCode.TIMEOUT)

    def take_messages(self) -> list[Outgoing]:
        messages, self._messages = self._messages, []
        return messages

    def take_events(self) -> list[LinkEvent]:
        events, self._events = self._events, []
        return events

    # Incoming

    def _take(self, message: LinkMessage, now: float) -> None:
        if isinstance(message, Bye):
            self._finish("protocol" if message.code else "closed")
            return
        if isinstance(message, Hello):
            self._greet(message)
            return
        if self.state is State.GREETING:
            raise RemoteError(ErrorCode.UNEXPECTED, "something before hello")
        match message:
            case Have() | Gone() | Loading():
                self._events.append(Announced(message))
            case Want():
                self._take_want(message)
            case Cancel(want=number):
                self._uploads = deque(u for u in self._uploads if u.want != number)
            case Busy(want=number, wait=wait):
                self.busy_until = now + min(wait, MOST_PATIENCE)
                self._fail(number, SourceReason.BUSY)
            case Missing(want=number):
                self._fail(number, SourceReason.MISSING)

    def _greet(self, hello: Hello) -> None:
        if self.state is not State.GREETING:
            raise RemoteError(ErrorCode.UNEXPECTED, "a second hello")
        if hello.protocol != PROTOCOL:
            raise RemoteError(ErrorCode.UNSUPPORTED_PROTOCOL, str(hello.protocol))
        if hello.content != self._hello.content:
            raise RemoteError(ErrorCode.WRONG_CONTENT, hello.content)
        self.state = State.UP
        self.peer = hello.peer
        self.uploads = hello.upload
        self._events.append(Greeted(hello))

    def _take_want(self, want: Want) -> None:
        if len(self._uploads) >= MOST_WANTS:
            raise RemoteError(ErrorCode.TOO_MANY, f"more than {MOST_WANTS} wants at once")
        if any(upload.want == want.want for upload in self._uploads):
            raise RemoteError(ErrorCode.UNEXPECTED, f"want {want.want} twice")
        key = ChunkKey(want.rendition, want.sequence, want.chunk)
        self._events.append(Wanted(want.want, key))

    def _take_frame(self, frame: Frame, now: float) -> None:
        want = self._own.get(frame.want)
        if want is None:
            self._take_late(frame)
            return
        end = frame.offset + len(frame.payload)
        if end > len(want.data) or frame.offset in want.offsets:
            raise RemoteError(ErrorCode.BAD_FRAME, f"offset {frame.offset} of want {frame.want}")
        want.offsets.add(frame.offset)
        want.received += len(frame.payload)
        if want.received > len(want.data):
            raise RemoteError(ErrorCode.BAD_FRAME, f"more than the chunk of want {frame.want}")
        want.data[frame.offset : end] = frame.payload
        for number, waiting in self._own.items():
            if number >= frame.want:
                waiting.heard = now
        if want.received == len(want.data):
            del self._own[frame.want]
            self._response += ((now - want.since) - self._response) / 4
            self._events.append(ChunkCame(want.key, bytes(want.data)))

    def _take_late(self, frame: Frame) -> None:
        """A frame of a want that we gave up may still come, as far as its chunk goes."""
        left = self._over.get(frame.want, 0) - len(frame.payload)
        if left < 0:
            raise RemoteError(ErrorCode.BAD_FRAME, f"nobody wants want {frame.want}")
        self.wasted += len(frame.payload)
        if left:
            self._over[frame.want] = left
        else:
            del self._over[frame.want]

    def _patience(self) -> float:
        return min(max(3 * self._response, LEAST_PATIENCE), MOST_PATIENCE)

    def _give_up(self, number: int) -> _OwnWant:
        want = self._own.pop(number)
        self.wasted += want.received
        self._over[number] = len(want.data) - want.received
        while len(self._over) > 4 * MOST_WANTS:
            del self._over[next(iter(self._over))]
        return want

    def _fail(self, number: int, reason: SourceReason) -> None:
        if number in self._own:
            self._events.append(WantFailed(self._give_up(number).key, reason))

    # Outgoing

    def _tell(self, message: LinkMessage) -> None:
        self._messages.append(TellLink(self.number, message))

    def _promised(self) -> int:
        return self._buffered + sum(upload.left for upload in self._uploads)

    def _pump(self) -> None:
        while self._uploads and self._buffered < HIGH_WATER and self.state is not State.OVER:
            upload = self._uploads[0]
            frame = next(upload.frames)
            self._messages.append(SendFrame(self.number, frame))
            self._buffered += len(frame.payload)
            upload.left -= len(frame.payload)
            self.sent += len(frame.payload)
            if not upload.left:
                self._uploads.popleft()

    def _announce(self, now: float) -> None:
        if self.state is not State.UP or not self._news:
            return
        if now < self._announced_at + ANNOUNCE_EVERY:
            return
        self._announced_at = now
        # What is gone first: a segment that was dropped and came back is held.
        for kind in (Gone, Loading, Have):
            news = self._news.pop(kind, {})
            holdings: list[Holding] = [holding_of(s, c) for s, c in news.items() if c]
            for at in range(0, len(holdings), HOLDINGS):
                self._tell(kind(tuple(holdings[at : at + HOLDINGS])))

    def _finish(self, reason: LinkReason) -> None:
        self.state = State.OVER
        self._uploads.clear()
        for number in list(self._own):
            self._fail(number, SourceReason.CLOSED)
        self._events.append(Ended(reason))
