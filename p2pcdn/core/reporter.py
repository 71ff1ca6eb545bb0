"""What the tracker is told of us: where we are, how fast we send, and what we have moved."""

from __future__ import annotations

from dataclasses import replace

from p2pcdn.core.account import Account, Moved, Room
from p2pcdn.core.neighbours import Down, Neighbours
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.ports import Watched
from p2pcdn.core.signaling import Signaling, State
from p2pcdn.core.transfers import Transfers
from p2pcdn.model import spans_of
from p2pcdn.wire.tracker import Move, PairReport, Position, Quality, Report

MOST_PAIRS = 64
"""Pairings a report (the wire's own bound)."""
MOST_REPORTS = 8
"""Reports at a time; what they have no room for waits until the next time."""
MOST_BOUNDS = 128
"""Of the stretches that lie ahead in a rendition (the wire's own bound)."""
_ONCE = ("startup", "announce", "answer", "ice", "open", "first_chunk")
"""What is told once."""
GAP = 30_000
"""Milliseconds played before we came in that may be told; the tracker believes 60,000."""


class Reporter:
    """Tells the tracker, every so often as its welcome says, what has changed."""

    def __init__(
        self,
        signaling: Signaling,
        neighbours: Neighbours,
        transfers: Transfers,
        playhead: Playhead,
    ) -> None:
        self._signaling = signaling
        self._neighbours = neighbours
        self._transfers = transfers
        self._playhead = playhead
        self._report_at: float | None = None
        self._moved: Move | None = None
        """What the tracker was last told of where we are."""
        self._session = ""
        """What we are called there; reports are numbered anew whenever that changes."""
        self._number = 0
        self._told: tuple[int, ...] = (0,) * 6
        """The figures that have been told."""
        self._watched = Watched()
        """What has been told of how it played."""
        self._ahead: list[tuple[str, list[int]]] = []
        """What has been told of what lies ahead."""
        self._ended: list[tuple[str, Account]] = []
        """Links that ended since the last report, by their pairings."""

    def begin(self, now: float) -> None:
        """Begin to report, once we are in; and keep the join's position fresh."""
        signaling = self._signaling
        signaling.position = self._position()
        signaling.uplink = self._uplink()
        if self._report_at is None and signaling.peer and signaling.welcome is not None:
            self._report_at = now + signaling.welcome.report_every
        if signaling.state is State.IN and signaling.peer != self._session:
            self._session, self._number, self._ahead = signaling.peer, 0, []
            self._forget_what_was_before()

    def moved(self, upload: bool) -> None:
        """The player has said where it is: for the first time, or in another rendition, that is
        news to tell at once."""
        told, playing = self._moved, self._playhead.playing
        known = told.position if told is not None else self._signaling.joined_at
        if playing is not None and (known is None or known.rendition != playing.rendition):
            self.tell_position(upload)

    def tell_position(self, upload: bool) -> None:
        """Tell where we are, if the tracker has let us in."""
        if self._signaling.state is State.IN:
            self._moved = Move(upload, self._position(), self._uplink())
            self._signaling.tell(self._moved)

    def ended(self, down: Down) -> None:
        """A link is over; what went over it counts all the same."""
        pairing = self._signaling.pairing_of(down.link)
        if pairing is not None:
            self._ended.append((pairing, down.account))

    def timer_at(self) -> float | None:
        return self._report_at

    def on_timer(self, upload: bool, now: float) -> None:
        welcome = self._signaling.welcome
        if self._report_at is None or self._report_at > now or welcome is None:
            return
        self._report_at = now + welcome.report_every
        if Move(upload, self._position(), self._uplink()) != self._moved:
            self.tell_position(upload)
        self._report()

    def farewell(self) -> None:
        """Say the last figures."""
        self._report()

    def _report(self) -> None:
        """Tell what is new, in as many reports as it takes. What there is nobody to tell of, nobody
        will ever ask for."""
        signaling = self._signaling
        is_in = signaling.state is State.IN
        self._forget_strangers(is_in)
        for _ in range(MOST_REPORTS if is_in else 0):
            report = self._next()
            if report is None:
                return
            signaling.tell(report)

    def _uplink(self) -> int:
        """Bytes a second that we have been seen to send; in steps, so that it is seldom news."""
        uplink = self._neighbours.uplink
        rate = min(uplink.rate, uplink.cap)
        return int(rate / 10_000 + 0.5) * 10_000 if uplink.measured else 0

    def _position(self) -> Position | None:
        playing = self._playhead.playing
        if playing is None:
            return None
        store, rendition = self._transfers.store, playing.rendition
        held = [s.sequence for s in store.segments() if s.rendition == rendition]
        manifest = self._transfers.manifest(rendition)
        return Position(
            rendition,
            first=min(held, default=playing.head),
            head=playing.head,
            last=max(held, default=playing.head),
            newest=playing.last,
            duration=manifest.usual_duration(),
            size=manifest.usual_bytes(),
            live=playing.live,
        )

    def _forget_what_was_before(self) -> None:
        """If it has played for long with nobody to tell it to, that is never told: it would be more
        than can have been played since we came in, and the whole report would be refused."""
        watched, told = self._seen(), self._watched
        if watched is None or _time(watched) - _time(told) <= GAP:
            return
        self._told = self._figures()
        self._watched = replace(watched, startup=told.startup)

    def _forget_strangers(self, is_in: bool) -> None:
        """What belongs to pairings of a socket that is gone is of no interest to anybody."""
        if not is_in:
            self._ended.clear()
            self._transfers.from_origin = Moved()
        for link in self._neighbours.up():
            if self._signaling.pairing_of(link.number) is None:
                link.account = Account(route=link.account.route)

    def _next(self) -> Report | None:
        """What there is to report, as far as there is room; None if there is nothing."""
        room = Room()
        origin = self._transfers.from_origin.take(room)
        pairs = self._pairs(room)
        figures = self._figures()
        new = [now - told for now, told in zip(figures, self._told, strict=True)]
        quality = self._quality()
        ahead = self._lies_ahead()
        # What the player has been given of what lay ahead counts from then on.
        if not (origin or pairs or any(new) or quality or ahead != self._ahead):
            return None
        self._told, self._ahead = figures, ahead
        numbered = [(room.number(rendition), bounds) for rendition, bounds in ahead]
        self._number += 1
        return Report(
            self._number,
            *(new[0], new[1], new[2], new[3], new[4], new[5]),
            tuple(room.renditions),
            origin,
            pairs,
            quality,
            tuple(sorted((number, *bounds) for number, bounds in numbered if number is not None)),
        )

    def _lies_ahead(self) -> list[tuple[str, list[int]]]:
        """What peers have brought for a viewer and the player has not been given (yet), by
        rendition."""
        if self._seen() is None:  # nobody looks on: all of it is what it is for
            return []
        ahead: dict[str, list[int]] = {}
        for rendition, sequence in self._transfers.ahead:
            ahead.setdefault(rendition, []).append(sequence)
        return [(rendition, _bounds(sequences)) for rendition, sequences in ahead.items()]

    def _pairs(self, room: Room) -> tuple[PairReport, ...]:
        """What went over links, those that ended first."""
        accounts = list(self._ended)
        for link in self._neighbours.up():
            pairing = self._signaling.pairing_of(link.number)
            if pairing is not None:
                accounts.append((pairing, link.account))
        pairs: list[PairReport] = []
        for pairing, account in accounts:
            if account and len(pairs) < MOST_PAIRS:
                moved = account.received.take(room), account.sent.take(room)
                pair = PairReport(pairing, *moved, account.waste, account.rejected, account.route)
                if any(moved) or account.waste or account.rejected:
                    pairs.append(pair)
                account.waste = account.rejected = 0
        self._ended = [(pairing, account) for pairing, account in self._ended if account]
        return tuple(pairs)

    def _figures(self) -> tuple[int, ...]:
        stats = self._transfers.stats
        return (
            stats.origin_bytes,
            stats.peer_bytes,
            stats.cache_bytes,
            self._transfers.wasted + self._neighbours.wasted,
            stats.rejected_chunks,
            stats.origin_mismatches,
        )

    def _quality(self) -> Quality | None:
        """How it has played since that was last told."""
        playing, watched = self._playhead.playing, self._seen()
        if playing is None or watched is None or watched == self._watched:
            return None
        told, self._watched = self._watched, watched
        return Quality(
            played=watched.played - told.played,
            stalls=watched.stalls - told.stalls,
            stalled=watched.stalled - told.stalled,
            rate=self._rate(playing.rendition),
            **{name: getattr(watched, name) for name in _ONCE if getattr(told, name) is None},
        )

    def _seen(self) -> Watched | None:
        playing = self._playhead.playing
        return playing.watched if playing is not None else None

    def _rate(self, rendition: str) -> int:
        manifest = self._transfers.manifest(rendition)
        duration = manifest.usual_duration()
        return int(manifest.usual_bytes() * 1000 / duration + 0.5) if duration else 0


def _bounds(sequences: list[int]) -> list[int]:
    """First and last of each stretch; too many become one."""
    bounds = [bound for span in spans_of(sequences) for bound in span]
    return bounds if len(bounds) <= MOST_BOUNDS else [*bounds[: MOST_BOUNDS - 1], bounds[-1]]


def _time(watched: Watched) -> int:
    return watched.played + watched.stalled
