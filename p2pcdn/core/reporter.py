"""What the tracker is told of us: where we are, how fast we send, and what we have moved."""

from __future__ import annotations

from p2pcdn.core.neighbours import Down, Neighbours
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.signaling import Signaling, State
from p2pcdn.core.transfers import Transfers
from p2pcdn.wire.tracker import Move, PairReport, Position, Report

MOST_PAIRS = 64
"""Pairings a report (the wire's own bound)."""


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
        self._reported: Report | None = None
        self._moved: Move | None = None
        """What the tracker was last told of where we are."""
        self._ended: list[PairReport] = []
        """Links that ended since the last report, or before it could be sent."""

    def begin(self, now: float) -> None:
        """Begin to report, once we are in; and keep the join's position fresh."""
        self._signaling.position = self._position()
        self._signaling.uplink = self._uplink()
        welcome = self._signaling.welcome
        if self._report_at is None and self._signaling.peer and welcome is not None:
            self._report_at = now + welcome.report_every

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
        """A link is over; its figures count all the same."""
        pairing = self._signaling.pairing_of(down.link)
        if pairing is not None:
            self._ended.append(PairReport(pairing, down.received, down.sent, down.relayed))

    def timer_at(self) -> float | None:
        return self._report_at

    def on_timer(self, upload: bool, now: float) -> None:
        welcome = self._signaling.welcome
        if self._report_at is None or self._report_at > now or welcome is None:
            return
        self._report_at = now + welcome.report_every
        if Move(upload, self._position(), self._uplink()) != self._moved:
            self.tell_position(upload)
        report = self._figures()
        if report != self._reported and self._signaling.state is State.IN:
            self._reported = report
            self._signaling.tell(report)
            self._ended.clear()

    def farewell(self) -> None:
        """Say the last figures."""
        self._signaling.tell(self._figures())

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

    def _figures(self) -> Report:
        pairs = list(self._ended)
        for link in self._neighbours.up():
            pairing = self._signaling.pairing_of(link.number)
            if pairing is not None and (link.received or link.sent):
                pairs.append(PairReport(pairing, link.received, link.sent, link.relayed))
        stats = self._transfers.stats
        return Report(
            origin_bytes=stats.origin_bytes,
            peer_bytes=stats.peer_bytes,
            cache_bytes=stats.cache_bytes,
            waste_bytes=self._transfers.wasted + self._neighbours.wasted,
            rejected_chunks=stats.rejected_chunks,
            origin_mismatches=stats.origin_mismatches,
            pairs=tuple(pairs[-MOST_PAIRS:]),
        )
