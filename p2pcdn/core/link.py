"""One link, once its channels are open: greetings, wants both ways, frames, announcements.

::

    GREETING --hello--> UP --bye, broken, closed--> OVER
        '----- no hello in 5 s, wrong content ------^

What comes in is a want's frames, in any order; a whole chunk leaves as `ChunkCame`, still unproved.
What goes out waits here until its owner, who knows how fast all links together can send, takes it
frame by frame (`next_frame`); so a `cancel` still finds something to drop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from p2pcdn.core.account import Account
from p2pcdn.core.availability import NOTHING, Held
from p2pcdn.core.ports import LinkReason, Outgoing, TellLink
from p2pcdn.errors import ErrorCode, RemoteError, SourceReason
from p2pcdn.model import PROTOCOL, ChunkKey
from p2pcdn.wire.chunk import Frame, frames_of
from p2pcdn.wire.link import (
    Busy,
    Bye,
    Cancel,
    Gone,
    Have,
    Hello,
    LinkMessage,
    Loading,
    Missing,
    Want,
)
from p2pcdn.wire.manifest import Records

HELLO_TIMEOUT = 5.0
MOST_WANTS = 16
"""Wants that the other end may have open with us; ours are fewer."""
FIRST_WINDOW = 2
USUAL_IN_FLIGHT = 4
"""Our wants that may be open at one end."""
PROMPT = 0.1
"""Seconds within which chunks come over a fast line: then more are asked for, so that it is busy
from one decision to the next,"""
MOST_IN_FLIGHT = 12
"""up to so many;"""
CALM = 10.0
"""one more with as many chunks as are asked for, where the other end was busy within so many
seconds: else with each."""
QUICK = 0.025
"""Seconds within which a chunk comes whose sender had nothing to do before."""
FIRST_RATE = 250_000.0
"""Bytes a second that a link is taken to bring before it has brought anything."""
SMOOTHING = 0.25
LEAST_PATIENCE = 0.4
MOST_PATIENCE = 2.0
"""No byte for so long, whatever was usual, and a want has failed."""

LONGEST = 4.0
"""Nor may a want take longer, however steadily it drips."""
PROGRESS = 1 / 16
"""The share of a chunk that a frame has to bring to count as a word of it: who drips is silent."""
MOVES = 1 / 4
"""With so much of a chunk there, that the rest is late is no broken promise."""
GRACE = 2.0
"""Seconds after it was first asked in which a link is believed that has brought nothing yet."""
MOST_BROKEN = 2
"""Promises in a row that a slow link may fail to keep."""
MOST_SILENCES = 3
"""So often in a row wants may fail without a word in between. ICE needs half a minute to notice
that the other end is gone; whoever is only slow says something now and then."""


class Need(Enum):
    """How much a chunk matters to who wants it."""

    SPARE = "spare"
    """It is for later."""
    USUAL = "usual"
    SOON = "soon"
    """It is due soon."""
    IMPORTS = "imports"
    """We are to bring it into a network, where others wait for it."""


class State(Enum):
    GREETING = "greeting"
    UP = "up"
    OVER = "over"


_RANKS = {Need.SPARE: 0, Need.USUAL: 0, Need.SOON: 1, Need.IMPORTS: 2}
"""What goes before what."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """The other end has said who it is."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Announced:
    """The other end holds, no longer holds, or is loading something."""

    message: Have | Gone | Loading


@dataclass(frozen=True, slots=True)
class Told:
    """The other end passes on what has just come out, or what it was told of it."""

    records: Records


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
    """The other end wants a chunk: answer with `Link.supply`, `Link.refuse` or `Link.lack`."""

    want: int
    key: ChunkKey
    need: Need
    era: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The link is over; nothing more is sent."""

    reason: LinkReason


LinkEvent = Greeted | Announced | Told | ChunkCame | WantFailed | Wanted | Ended


@dataclass(slots=True)
class _OwnWant:
    """A chunk that we asked for."""

    key: ChunkKey
    length: int
    since: float
    heard: float
    """When we asked, or when the last frame came of it or of what we asked for before it: the
    other end sends one chunk after the other."""
    received: int = 0
    frames: dict[int, bytes] = field(default_factory=dict)
    """By their offsets."""

    @property
    def moves(self) -> bool:
        """Whether it was on its way, however slowly."""
        return self.received >= MOVES * self.length

    def gives_up_at(self, patience: float) -> float:
        return min(self.heard + patience, self.since + LONGEST)


@dataclass(slots=True)
class _Upload:
    """A chunk that the other end asked for."""

    want: int
    key: ChunkKey
    size: int
    left: int
    need: Need
    frames: Iterator[Frame]
    begun: bool = False


class Link:
    """The core's half of one link.

    ``number`` is how the node calls it; what it has to say goes into ``messages``, if somebody
    collects it there.
    """

    def __init__(
        self, number: int, hello: Hello, now: float, messages: list[Outgoing] | None = None
    ) -> None:
        self.number = number
        self.state = State.GREETING
        self.peer = ""
        self.uploads = True
        """Whether the other end said in its hello that it uploads. If it changes its mind, its
        announcements show it."""
        self.held: Held = NOTHING
        """What the other end has announced, as whoever keeps that knows it."""
        self.busy_until = 0.0
        """Before this it is not asked for anything."""
        self.rtt = 0.0
        """Seconds to the other end and back, the least that was told; 0 if that is not known."""
        self.account = Account()
        """What has gone over it since the last report."""
        self.received = 0
        self.sent = 0
        """Bytes of chunks handed to the data channel."""
        self.owed = 0
        """Bytes that we have promised to the other end and not sent."""
        self.wasted = 0
        """Bytes received that were no longer wanted."""
        self._hello = hello
        self._opened = now
        self._asked_at = inf
        """When we first asked for something."""
        self._own: dict[int, _OwnWant] = {}
        self._over: dict[int, int] = {}
        """Wants that we gave up, and the bytes that may still come for them."""
        self._next_want = 0
        self._broken = 0
        """How many promises in a row it has not kept."""
        self.window = FIRST_WINDOW
        """Wants that may be open: more as chunks come, as far as they come soon; after a `busy` as
        many as were taken."""
        self._since_wider = 0
        """Chunks that have come since there were more, or fewer."""
        self._busy_at = -inf
        """When it was busy last,"""
        self._refused_until = 0.0
        """and until when it said that it would be."""
        self.rate = FIRST_RATE
        """Bytes a second that the other end brings us when we ask."""
        self.alarm = now + HELLO_TIMEOUT
        """When to look at the clock, at the latest; infinity if there is no need."""
        self._response = LEAST_PATIENCE / 3
        self._arrived_at = now
        """When the last chunk was complete."""
        self._silences = 0
        """How often in a row wants failed without a word from the other end."""
        self._uploads: deque[_Upload] = deque()
        self._messages: list[Outgoing] = [] if messages is None else messages
        self._events: list[LinkEvent] = []
        self.tell(hello)

    # What we want

    def is_credible(self, now: float) -> bool:
        """Whether it brings something when it is asked, and keeps its promises now and then. Else
        what it says it holds counts for nothing: or one liar would keep everybody from asking the
        origin."""
        if self._broken >= MOST_BROKEN:
            return False
        return self.received > 0 or now < self._asked_at + GRACE

    @property
    def in_flight(self) -> int:
        """How many of our wants are open."""
        return len(self._own)

    @property
    def runs_dry(self) -> bool:
        """Whether a fast link has so little left to bring that it will soon have nothing to do."""
        fast = self.window > USUAL_IN_FLIGHT or self._response < QUICK
        return fast and 2 * len(self._own) <= self.window

    def is_free(self, now: float) -> bool:
        """Whether it may be asked for one more chunk."""
        return len(self._own) < self.window and self.busy_until <= now

    def want(self, key: ChunkKey, length: int, need: Need, now: float, era: int = 0) -> None:
        """Ask for a chunk of ``length`` bytes."""
        number = self._next_want
        self._next_want += 1
        self._asked_at = min(self._asked_at, now)
        self._own[number] = _OwnWant(key, length, now, now)
        self.alarm = min(self.alarm, now + self._patience())
        self.tell(
            Want(
                number,
                key.rendition,
                key.sequence,
                key.chunk,
                spare=need is Need.SPARE,
                soon=need is Need.SOON,
                imports=need is Need.IMPORTS,
                era=era,
            )
        )

    def cancel(self, key: ChunkKey) -> None:
        """We no longer want the chunk."""
        for number in [n for n, want in self._own.items() if want.key == key]:
            self._give_up(number)
            self.tell(Cancel(number))

    # What they want

    def supply(self, want: int, key: ChunkKey, chunk: bytes, need: Need) -> None:
        """Send a chunk that `Wanted` asked for, when its turn comes: before those that matter less
        and have not begun."""
        upload = _Upload(want, key, len(chunk), len(chunk), need, frames_of(want, chunk))
        rank = _RANKS[need]
        at = len(self._uploads)
        while at > self.has_begun and _RANKS[self._uploads[at - 1].need] < rank:
            at -= 1
        self._uploads.insert(at, upload)
        self.owed += len(chunk)

    def owes(self, key: ChunkKey) -> bool:
        """Whether the chunk is promised, and has not gone."""
        return key in [upload.key for upload in self._uploads]

    def refuse(self, want: int, wait: float) -> None:
        """Say that we are busy for so many seconds."""
        self.tell(Busy(want, int(wait * 1_000 + 0.5) / 1_000))

    def lack(self, want: int) -> None:
        """Say that we don't have (or don't give) what `Wanted` asked for."""
        self.tell(Missing(want))

    def withdraw(self) -> None:
        """Take back what was promised and not sent."""
        for upload in self._uploads:
            self.lack(upload.want)
        self._uploads.clear()
        self.owed = 0

    @property
    def has_begun(self) -> bool:
        """Whether a part of a chunk has gone, and the rest has not."""
        return bool(self._uploads) and self._uploads[0].begun

    @property
    def imports(self) -> bool:
        """Whether what we owe next is brought into a network."""
        return bool(self._uploads) and self._uploads[0].need is Need.IMPORTS

    def next_frame(self) -> Frame | None:
        """The next frame that we owe; None if there is none."""
        if not self._uploads:
            return None
        upload = self._uploads[0]
        frame = next(upload.frames)
        upload.begun = True
        upload.left -= len(frame.payload)
        self.sent += len(frame.payload)
        self.owed -= len(frame.payload)
        if not upload.left:
            self._uploads.popleft()
            self.account.sent.add(upload.key, upload.size)
        return frame

    def tell(self, message: LinkMessage) -> None:
        """Say something to the other end."""
        self._messages.append(TellLink(self.number, message))

    # The five verbs

    def listens(self) -> bool:
        """Whether what the other end announces counts; it is a word of it in any case."""
        self._silences = 0
        return self.state is State.UP

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
            self.end(reason_for(error.code), error.code, error.detail)

    def end(self, reason: LinkReason, code: ErrorCode | None = None, detail: str = "") -> None:
        """End the link, saying why."""
        if self.state is not State.OVER:
            self.tell(Bye(code, detail))
            self._finish(reason)

    def closed(self, reason: LinkReason) -> None:
        """The connection is gone."""
        if self.state is not State.OVER:
            self._finish(reason)

    def timer_at(self) -> float | None:
        return None if self.alarm == inf else self.alarm

    def on_timer(self, now: float) -> None:
        if self.state is State.GREETING and self._opened + HELLO_TIMEOUT <= now:
            self.end("timeout", ErrorCode.TIMEOUT)
            return
        late = self.late(now)
        if late:
            self._complain(late)
        self._rearm()

    def overslept(self, late: float, now: float) -> None:
        """We have listened to nobody for so many seconds, which count for nothing."""
        for want in self._own.values():
            want.since = min(want.since + late, now)
            want.heard = min(want.heard + late, now)
        self._arrived_at = min(self._arrived_at + late, now)
        if self._asked_at != inf:
            self._asked_at = min(self._asked_at + late, now)
        self._opened = min(self._opened + late, now)
        self._rearm()

    def bear_with(self, now: float) -> None:
        """Give what is late another while."""
        for number in self.late(now):
            self._own[number].since = self._own[number].heard = now
        self._rearm()

    def late(self, now: float) -> list[int]:
        """The wants of which nothing, or not enough, has come for too long."""
        patience = self._patience()
        return [n for n, want in self._own.items() if want.gives_up_at(patience) <= now]

    def take_messages(self) -> list[Outgoing]:
        messages, self._messages = self._messages, []
        return messages

    @property
    def has_events(self) -> bool:
        """Whether `take_events` would bring any."""
        return bool(self._events)

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
            self._rearm()
            return
        if self.state is State.GREETING:
            raise RemoteError(ErrorCode.UNEXPECTED, "something before hello")
        match message:
            case Want():
                self._take_want(message)
            case Have() | Gone() | Loading():
                self._events.append(Announced(message))
            case Records():
                self._events.append(Told(message))
            case Cancel(want=number):
                self._uploads = deque(u for u in self._uploads if u.want != number)
                self.owed = sum(upload.left for upload in self._uploads)
            case Busy(want=number) if number not in self._own:
                pass  # it was given up: nobody waits for the link to be free again
            case Busy(want=number, wait=wait):
                self.busy_until = self._refused_until = now + min(wait, MOST_PATIENCE)
                self._busy_at = now
                self._fail(number, SourceReason.BUSY)
                self._since_wider = 0
                self.window = max(len(self._own), 1)
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
        self._events.append(Wanted(want.want, key, _need_of(want), want.era))

    def _take_frame(self, frame: Frame, now: float) -> None:
        want = self._own.get(frame.want)
        if want is None:
            self._take_late(frame)
            return
        size = len(frame.payload)
        want.received += size
        if (
            frame.offset + size > want.length
            or frame.offset in want.frames
            or want.received > want.length
        ):
            raise RemoteError(ErrorCode.BAD_FRAME, f"offset {frame.offset} of want {frame.want}")
        want.frames[frame.offset] = frame.payload
        if size >= PROGRESS * want.length or want.received == want.length:
            for number, waiting in self._own.items():
                if number >= frame.want:
                    waiting.heard = now
        if want.received == want.length:
            self._complete(frame.want, want, now)

    def _complete(self, number: int, want: _OwnWant, now: float) -> None:
        data = _whole(want.frames)
        if data is None:
            raise RemoteError(ErrorCode.BAD_FRAME, f"holes in the chunk of want {number}")
        del self._own[number]
        self._response += ((now - want.since) - self._response) / 4
        if now < want.since + QUICK and self.busy_until == self._refused_until:
            self.busy_until = now  # it is faster than it thought when it refused what came next
        self._rearm()
        took = max(now - max(want.since, self._arrived_at), 0.001)
        self.rate += SMOOTHING * (want.length / took - self.rate)
        self._arrived_at = now
        self._broken = 0
        self._widen(now)
        self._events.append(ChunkCame(want.key, data))

    def _widen(self, now: float) -> None:
        """A chunk has come: perhaps more may be under way than before."""
        prompt = self._response < PROMPT
        most = MOST_IN_FLIGHT if prompt else max(self.window - 1, USUAL_IN_FLIGHT)
        careful = self.window >= USUAL_IN_FLIGHT and now < self._busy_at + CALM
        self._since_wider += 1
        if self._since_wider >= (self.window if careful else 1):
            self._since_wider = 0
            self.window += 1
        self.window = min(self.window, most)

    def _take_late(self, frame: Frame) -> None:
        """A frame of a want that we gave up may still come, as far as its chunk goes."""
        left = self._over.get(frame.want, 0) - len(frame.payload)
        if left < 0:
            raise RemoteError(ErrorCode.BAD_FRAME, f"nobody wants want {frame.want}")
        self._waste(len(frame.payload))
        if left:
            self._over[frame.want] = left
        else:
            del self._over[frame.want]

    def _patience(self) -> float:
        return min(max(3 * self._response, LEAST_PATIENCE), MOST_PATIENCE)

    def _give_up(self, number: int, more: bool = True) -> _OwnWant:
        """``more`` of it may still come."""
        want = self._own.pop(number)
        self._rearm()
        self._waste(want.received)
        if more:
            self._over[number] = want.length - want.received
        while len(self._over) > 4 * MOST_WANTS:
            del self._over[next(iter(self._over))]
        return want

    def _waste(self, size: int) -> None:
        self.wasted += size
        self.account.waste += size

    def _fail(self, number: int, reason: SourceReason) -> None:
        """Who is busy says so before the first frame; who lacks a chunk may have sent a part, and
        the two channels do not wait for each other."""
        if number in self._own:
            want = self._give_up(number, more=reason is not SourceReason.BUSY)
            self._events.append(WantFailed(want.key, reason))

    # Outgoing

    def _complain(self, late: list[int]) -> None:
        """Give up what is late. Slower than ever, or gone: a patience that only followed successes
        would never learn."""
        self._response = min(self._response * 2, MOST_PATIENCE / 3)
        self.rate /= 2
        if not any(self._own[number].moves for number in late):
            self._broken += 1
        for number in late:
            self.tell(Cancel(number))
            self._fail(number, SourceReason.TIMEOUT)
        self._silences += 1
        if self._silences >= MOST_SILENCES:
            self.end("timeout", ErrorCode.TIMEOUT)

    def _rearm(self) -> None:
        if self.state is State.GREETING:
            self.alarm = self._opened + HELLO_TIMEOUT
            return
        self.alarm = inf
        if self._own:
            patience = self._patience()
            self.alarm = min(want.gives_up_at(patience) for want in self._own.values())

    def _finish(self, reason: LinkReason) -> None:
        self.state = State.OVER
        self.alarm = inf
        self._uploads.clear()
        self.owed = 0
        for number in list(self._own):
            self._fail(number, SourceReason.CLOSED)
        self._events.append(Ended(reason))


def reason_for(error: ErrorCode) -> LinkReason:
    """Why a link ends on which the other end broke the protocol: bytes that nobody asked for are as
    bad as wrong ones."""
    return "integrity" if error is ErrorCode.BAD_FRAME else "protocol"


def _need_of(want: Want) -> Need:
    if want.imports:
        return Need.IMPORTS
    if want.soon:
        return Need.SOON
    return Need.SPARE if want.spare else Need.USUAL


def _whole(frames: dict[int, bytes]) -> bytes | None:
    """The frames one after the other; None if one does not begin where the one before it ends."""
    end = 0
    payloads = []
    for offset in sorted(frames):
        if offset != end:
            return None
        payload = frames[offset]
        payloads.append(payload)
        end += len(payload)
    return b"".join(payloads)
