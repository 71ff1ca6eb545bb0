"""What we can send: measured, and shared fairly between those who ask.

::

    wanted --admitted?--> queued at its link --pumped, in turn--> channel's buffer --drains--> gone
       '--- no: busy, come back in so many seconds

A peer that queues what it cannot send soon keeps its neighbours waiting for what others could have
sent; so beyond some tenths of a second of backlog the answer is *busy*. Whoever is told so is told
to come back at a time of his own, one after the other, or they would all be refused again. What is
in the channels' buffers can no longer be taken back, so no more than `IN_BUFFERS` seconds of it are
kept there.

The rate is measured where there is something to measure: while bytes are waiting, how many go.
Shells tell when half of what is in a channel's buffer after sending has gone: until then that half
is there, whatever the rate says, and for the rest the measured rate says how much is left. So a
rate that is thought too high is found out, rather than believed more and more.

A fast line is done with what little is asked for before that says anything, each time. What goes
within a second it can do at least, however many pauses there were: so its rate is found step by
step, as more is promised. What SCTP may still hold of each link has not gone; so that this does not
hide all that many links carry, they are looked at for as many seconds. A rate lower than this has
to last: else what a busy machine is late to tell would count, and what goes at once would not.
"""

from __future__ import annotations

from math import inf

from p2pcdn.model import CHUNK_SIZE

FIRST_RATE = 625_000.0
"""Bytes a second, until something has been measured: 5 Mbit/s, a usual uplink of a home."""
LEAST_RATE = 8_000.0
MOST_RATE = 125_000_000.0
LEAST_WAIT = 0.02
MOST_WAIT = 2.0
IN_BUFFERS = 0.15
"""Seconds of media in the channels' buffers."""
LEAST_BUFFERED = 32_768
MOST_BUFFERED = 262_144
OVERBOOKED = 0.25
"""Those who are told when to come back come so many chunks apart: some find another sender."""
MEASURED = 16_384
"""Bytes that have to go before they say something about the rate."""
MEASURED_FOR = 0.02
"""Seconds below which no rate is taken: what goes is told in lumps."""
SLOWER_FOR = 0.1
"""The same of a rate below what was believed: what goes at once is not measured at all."""
LEAST_WHILE = 0.5
WHILE = 1.0
"""Seconds for each link: what goes within them, pauses or not, the line can do."""
HELD = 262_144
"""Bytes that may be told to have gone and are still on this machine: what SCTP takes at once, of
each link."""
STUCK = 2.0
"""Seconds after which a channel that tells nothing no longer counts: its other end may be gone."""
SMOOTHING = 0.25


class Uplink:
    """The one way out of this machine, over all links."""

    def __init__(self) -> None:
        self.rate = FIRST_RATE
        """Bytes a second."""
        self.cap = inf
        """Bytes a second that we are allowed."""
        self.measured = False
        self.yielding = False
        """Whether our own player needs the line: then nobody is kept waiting but those who
        already are."""
        self._buffered: dict[int, int] = {}
        """By link: what is in its channel's buffer, as far as we were told."""
        self._untold: dict[int, float] = {}
        """Links whose channels have told nothing since they were last given something, then."""
        self._next_turn = 0.0
        """When the next one who is refused may come back."""
        self._left = 0.0
        """In all buffers, as of ``_as_of``."""
        self._as_of = 0.0
        self._looked_at = -inf
        self._found = 0.0
        """In all buffers, as it was found then."""
        self._since = 0.0
        """Since when bytes have been waiting without a pause, how many have gone since, and which
        links told us."""
        self._gone = 0
        self._told: set[int] = set()
        self._unheard: set[int] = set()
        """Links whose next word tells what went while nobody listened."""
        self._while_since = 0.0
        """When this while began, and how many bytes of each link have gone in it."""
        self._went: dict[int, int] = {}

    def busy(self, queued: int, patience: float, now: float) -> float | None:
        """How long somebody who asks for a chunk, and would wait for ``patience`` seconds, should
        wait before asking again, with ``queued`` bytes promised already; None if the chunk will be
        sent."""
        rate = min(self.rate, self.cap)
        waiting = (queued + self._in_buffers(now)) / rate
        if self.yielding:
            patience /= 4
        if waiting <= patience:
            return None
        turn = max(self._next_turn, now + max(waiting - patience / 2, LEAST_WAIT))
        if turn >= now + MOST_WAIT:
            return MOST_WAIT
        self._next_turn = turn + OVERBOOKED * CHUNK_SIZE / rate
        return turn - now

    def is_full(self, now: float) -> bool:
        """Whether no link's channel may be given a frame."""
        return self._in_buffers(now) >= self._high()

    def has_room(self, link: int, now: float) -> bool:
        """Whether a link's channel may be given a frame: one slow link must not fill it all."""
        return self.room(link, now) > 0

    def room(self, link: int, now: float) -> float:
        """Bytes that a link's channel has room for: it is given frames until there is none."""
        high, there = self._high(), self._buffered.get(link, 0)
        untold = link in self._untold
        if untold and there >= high / 2:
            return 0.0
        left = self._in_buffers(now)
        if untold or not there:
            return min(high - left, high / 2 - there)
        # What it has told of may have gone since; a frame more, and it counts until it tells again.
        return min(high - left, high / 2 - min(there, left), 1.0)

    def room_at(self, now: float) -> float:
        """When there will be room, if no channel tells us earlier."""
        return now + max(self._in_buffers(now) - self._high() / 2, 0.0) / self.rate + 0.01

    def sent(self, link: int, size: int, now: float) -> None:
        """Frames of a queued chunk have been given to a link's channel."""
        left = self._in_buffers(now)
        if left <= 0.0:
            self._begin(now)
            self._buffered.clear()
            self._untold.clear()
            self._unheard.clear()
        if now >= self._while_since + WHILE * max(len(self._went), 1):
            self._begin_while(now)
        before = self._buffered.get(link, 0)
        counted = not before or now - self._untold.get(link, -inf) < STUCK
        self._buffered[link] = before + size
        self._untold[link] = now
        self._left, self._as_of = left + size, now
        self._looked_at, self._found = (now if counted else -inf), left + size

    def drained(self, link: int, buffered: int, now: float) -> None:
        """So many bytes are left in a link's channel."""
        self._looked_at = -inf
        gone = max(self._buffered.get(link, 0) - buffered, 0)
        if link in self._unheard:
            self._unheard.discard(link)
            if not self._unheard:
                self._begin(now)
        else:
            self._gone += gone
        self._went[link] = self._went.get(link, 0) + gone
        self._buffered[link] = buffered
        self._untold.pop(link, None)
        self._told.add(link)
        # Each tells of its own bytes, and late: so a rate is taken when all have told.
        took = now - self._since
        if took >= MEASURED_FOR and self._gone >= MEASURED and self._have_all_told(now):
            rate = self._gone / took
            if not self.measured or rate >= self.rate or took >= SLOWER_FOR:
                if rate < self.rate / 2:
                    self._begin_while(now)  # it is another line than it was
                self._measure(rate)
                self._begin(now)
        self._raise(now)
        left = min(self._in_buffers(now), sum(self._buffered.values()))
        self._left, self._as_of = max(left, buffered), now
        self._looked_at = -inf

    def overslept(self, now: float) -> None:
        """Nobody listened for a while: what went meanwhile says nothing about the rate."""
        self._begin(now)
        self._unheard.update(self._untold)

    def forget(self, link: int) -> None:
        """The link is over."""
        self._looked_at = -inf
        self._unheard.discard(link)
        self._buffered.pop(link, None)
        self._untold.pop(link, None)
        self._went.pop(link, None)

    def _begin(self, now: float) -> None:
        """Measure anew from now on."""
        self._since, self._gone = now, 0
        self._told.clear()

    def _measure(self, rate: float) -> None:
        rate = min(max(rate, LEAST_RATE), MOST_RATE)
        self.rate += (SMOOTHING if self.measured else 1.0) * (rate - self.rate)
        self.measured = True

    def _begin_while(self, now: float) -> None:
        self._while_since = now
        self._went.clear()

    def _raise(self, now: float) -> None:
        """Believe in no less than what this while has shown."""
        took = max(now - self._while_since, LEAST_WHILE)
        went = sum(max(size - HELD, 0) for size in self._went.values())
        least = min(went / took, MOST_RATE)
        if least > self.rate:
            self.rate, self.measured = least, True

    def _high(self) -> float:
        high = IN_BUFFERS * self.rate
        return LEAST_BUFFERED if high < LEAST_BUFFERED else min(high, MOST_BUFFERED)

    def _in_buffers(self, now: float) -> float:
        if now != self._looked_at:
            self._looked_at, self._found = now, self._look(now)
        return self._found

    def _look(self, now: float) -> float:
        there = 0
        for link, since in self._untold.items():
            if now - since < STUCK:
                there += self._buffered[link]
        expected = self._left - self.rate * (now - self._as_of)
        return max(expected, there / 2)

    def _have_all_told(self, now: float) -> bool:
        """Whether all links have told something whose channels have something left to tell."""
        told = self._told
        return all(link in told or now - since >= STUCK for link, since in self._untold.items())
