"""Lines and links: how long bytes take, and which of two peers can reach each other.

A viewer has one line with an uplink and a downlink, each a queue that serves first come, first
served; since the core sends small pieces in turn, that shares it fairly. A link carries frames in
groups: the frames of one chunk that are given to it at once arrive together, unless they take long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from math import hypot
from random import Random
from typing import NamedTuple

from p2pcdn.sim.clock import Clock
from p2pcdn.wire.chunk import HEADER_BYTES, Frame

TOGETHER = 0.1
"""Frames that take longer than this arrive one by one: the other end counts on signs of life."""
AT_ONCE = 0.002
"""A wait in the downlink's queue that is not worth an event of its own."""
CONTROL_BYTES = 150
"""A control message with all its headers, as the line sees it."""
CONTROL_WAIT = 0.03
"""Control messages overtake media in the channels' buffers, but not in the line itself."""
RETRANSMISSION = 0.25
"""Seconds that a lost packet costs a link, beside a round trip."""
LEAST_LOOK = 0.001
"""Seconds between two looks at a buffer, however few bytes are left to wait for."""
MOMENT = 1e-5
"""Seconds, so that what is looked at has surely happened."""


class Place(NamedTuple):
    """Where somebody is: coordinates in milliseconds, and what the way to the net costs."""

    x: float
    y: float
    access: float

    def rtt(self, other: Place) -> float:
        """Seconds from here to there and back."""
        distance = hypot(self.x - other.x, self.y - other.y)
        return (self.access + other.access + distance) / 1000


class Nat(Enum):
    """What stands between a viewer and the net."""

    OPEN = "open"
    """One address for everybody: a link comes about with anyone but `BLOCKED`."""
    CONE = "cone"
    """One address, but only for those who were sent something first."""
    SYMMETRIC = "symmetric"
    """An address for each destination, which nobody can guess."""
    BLOCKED = "blocked"
    """No UDP at all."""


def can_connect(a: Nat, b: Nat) -> bool:
    """Whether two viewers can have a link."""
    if Nat.BLOCKED in (a, b):
        return False
    hard = (Nat.CONE, Nat.SYMMETRIC)
    return not (Nat.SYMMETRIC in (a, b) and a in hard and b in hard)


class Queue:
    """One direction of a line."""

    __slots__ = ("free_at", "rate")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        """Bytes a second."""
        self.free_at = 0.0

    def take(self, size: float, now: float) -> float:
        """Put bytes into the queue; when the last of them has passed."""
        start = max(now, self.free_at)
        self.free_at = start + size / self.rate
        return self.free_at

    def take_stream(self, size: float, now: float) -> float:
        """The same for bytes that came one after the other, the last of them now: what came first
        has passed already, if nothing was in its way."""
        self.free_at = max(self.free_at + size / self.rate, now)
        return self.free_at

    def take_turn(self, size: float, others: int, now: float) -> float:
        """The same for a flow that takes turns with so many others, however much each of them has
        put in: that is what congestion control comes to."""
        turn = size / self.rate
        self.take(size, now)
        return min(self.free_at, now + (others + 1) * turn)

    def give_back(self, size: float, now: float) -> None:
        """So many of the bytes that wait will not pass."""
        self.free_at = max(self.free_at - size / self.rate, now)

    def backlog(self, now: float) -> float:
        """Seconds that what waits will take."""
        return max(self.free_at - now, 0.0)


class Line:
    """How a viewer is connected."""

    __slots__ = ("coming", "down", "place", "up")

    def __init__(self, up: float, down: float, place: Place) -> None:
        self.up = Queue(up)
        self.down = Queue(down)
        self.place = place
        self.coming = 0
        """Links of which something waits in the downlink."""


class End:
    """One end of a link: its data channel's buffer, and the way to the other end."""

    __slots__ = (
        "_buffer", "_buffered", "_clock", "_delay", "_dice", "_exit", "_loss", "_mark", "_said_at",
        "_waiting", "_watching",
        "carried", "closed", "line", "number", "on_drained", "on_frames", "on_message", "opened",
        "other", "viewer",
    )  # fmt: skip

    def __init__(self, clock: Clock, viewer: int, number: int, line: Line, dice: Random) -> None:
        self.viewer = viewer
        self.number = number
        self.line = line
        self.other: End | None = None
        self.opened = False
        self.closed = False
        self.carried = 0
        """Bytes of media that were put in here, but for those that were still there at the end."""
        self.on_frames: Callable[[End, list[Frame]], None] | None = None
        self.on_message: Callable[[End, object], None] | None = None
        self.on_drained: Callable[[End, int], None] | None = None
        self._clock = clock
        self._dice = dice
        self._exit: Queue | None = None
        self._loss = 0.0
        self._delay = 0.0
        self._said_at = 0.0
        self._buffer: deque[tuple[float, int]] = deque()
        """When each frame will have left, and its size."""
        self._buffered = 0
        self._mark = 0
        self._watching = False
        self._waiting = 0
        """Groups of frames that wait in our downlink."""

    def join(self, other: End, loss: float, transit: float = 0.0) -> None:
        """These two are the ends of one link from now on; ``transit`` is what lies between their
        networks, in seconds there and back."""
        self.other, other.other = other, self
        delay = (self.line.place.rtt(other.line.place) + transit) / 2
        for end in (self, other):
            end._delay, end._loss = delay, loss

    def leave_by(self, way: Queue | None) -> None:
        """What is carried has to pass this queue, which others share, after the own line's."""
        self._exit = way

    @property
    def rtt(self) -> float:
        return 2 * self._delay

    def say(self, message: object) -> None:
        """Send a control message. They keep their order."""
        other, now = self.other, self._clock.now
        if other is None:
            return
        up = self.line.up
        waits = min(up.backlog(now), CONTROL_WAIT)
        up.take(CONTROL_BYTES, now)
        self._said_at = max(self._said_at, now + waits + self._delay)
        self._clock.at(self._said_at, other._hear, message)

    def carry(self, frames: list[Frame]) -> None:
        """Put frames into the data channel, and watch its buffer."""
        other, now, up = self.other, self._clock.now, self.line.up
        if other is None:
            return
        for group in groups(frames, up.rate):
            total = 0
            for frame in group:
                size = len(frame.payload)
                total += size
                self._buffer.append((up.take(size + HEADER_BYTES, now), size))
            self._buffered += total
            self.carried += total
            if self._exit is not None:
                self._clock.at(up.free_at, self._pass, group, total)
            else:
                self._clock.at(up.free_at + self._travels(), other._queue, group, total)
        self._watch()

    def _pass(self, group: list[Frame], total: int) -> None:
        """Frames are through our line, and wait for the way out of our network."""
        if self._exit is not None and self.other is not None:
            done = self._exit.take(total, self._clock.now)
            self._clock.at(done + self._travels(), self.other._queue, group, total)

    def _travels(self) -> float:
        """How long a group takes to the other end's line."""
        if self._loss and self._dice.random() < self._loss:
            return self._delay + RETRANSMISSION + self.rtt
        return self._delay

    def close(self) -> None:
        """Nothing leaves or arrives here any more; what is in the buffer never will."""
        self.closed = True
        left = self._level()
        self.carried -= left
        self.line.up.give_back(left, self._clock.now)
        self._buffer.clear()

    # The buffer

    def _watch(self) -> None:
        """Tell when half of what is in the buffer has gone, as of the last time it was filled."""
        self._mark = self._level() // 2
        if not self._watching:
            self._watching = True
            self._clock.at(self._falls_at(), self._look)

    def _look(self) -> None:
        self._watching = False
        if self.closed or self.on_drained is None:
            return
        level = self._level()
        if level > self._mark:  # more was put in since
            self._watching = True
            self._clock.at(max(self._falls_at(), self._clock.now + LEAST_LOOK), self._look)
        else:
            self.on_drained(self, level)

    def _falls_at(self) -> float:
        """When the level falls to the mark."""
        left = self._buffered
        for done, size in self._buffer:
            left -= size
            if left <= self._mark:
                return done - (self._mark - left) / self.line.up.rate + MOMENT
        return self._clock.now

    def _level(self) -> int:
        """Bytes in the buffer; what is leaving it counts as far as it has not."""
        buffer, now = self._buffer, self._clock.now
        while buffer and buffer[0][0] <= now:
            self._buffered -= buffer.popleft()[1]
        if not buffer:
            return 0
        done, size = buffer[0]
        return self._buffered - max(size - int((done - now) * self.line.up.rate), 0)

    # Arrivals

    def _hear(self, message: object) -> None:
        if not self.closed and self.on_message is not None:
            self.on_message(self, message)

    def _queue(self, frames: list[Frame], size: int) -> None:
        """Frames have come as far as our downlink."""
        now = self._clock.now
        done = self.line.down.take_stream(size, now)
        if done - now <= AT_ONCE:
            self._catch(frames)
            return
        self._waiting += 1
        if self._waiting == 1:
            self.line.coming += 1
        self._clock.at(done, self._passed, frames)

    def _passed(self, frames: list[Frame]) -> None:
        self._waiting -= 1
        if not self._waiting:
            self.line.coming -= 1
        self._catch(frames)

    def _catch(self, frames: list[Frame]) -> None:
        if not self.closed and self.on_frames is not None:
            self.on_frames(self, frames)


def groups(frames: Iterable[Frame], rate: float) -> Iterator[list[Frame]]:
    """Frames that arrive together: of one chunk, and not for longer than `TOGETHER`."""
    most = TOGETHER * rate
    group: list[Frame] = []
    size = 0
    for frame in frames:
        if group and (frame.want != group[0].want or size + len(frame.payload) > most):
            yield group
            group, size = [], 0
        group.append(frame)
        size += len(frame.payload)
    if group:
        yield group
