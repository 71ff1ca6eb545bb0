"""What a node looks at when it decides: which segments it wants, and all that the plan depends on.

Wanted is what the player has asked for, what lies ahead of that and a neighbour can bring, and what
we hold a lease for::

    held | asked for | ahead: of peers, as far as the store has room ...
                     |-- leases: a little further than the player itself would buffer --|
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf

from p2pcdn.core.leases import Leases
from p2pcdn.core.neighbours import Neighbours
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.ports import Playing
from p2pcdn.core.rank import hash32, rank_of
from p2pcdn.core.scheduler import LinkView, SegmentView, View
from p2pcdn.core.signaling import CONNECT_TIMEOUT, Signaling, State
from p2pcdn.core.transfer import Transfer
from p2pcdn.core.transfers import Transfers
from p2pcdn.core.trust import Trust
from p2pcdn.model import SegmentKey

MOST_AHEAD = 512
"""Segments ahead of what the player has asked for that peers may bring."""
OPEN_AHEAD = 6
"""Of these, how many may be on their way at once."""
KNOWN_AHEAD = 12
"""And so many are looked at to find them: what they must hash to has to be known as well."""
EARLY = 2
"""Segments by which leases reach further than the player's own buffer: what they are for has to be
on its way before the first of a crowd asks for it by itself."""
USUAL_DURATION = 4.0
"""Seconds a segment, where no record says otherwise."""
HOPE = 2.0
"""Seconds after the start for which a first link is waited for, where there is time to wait."""
HEARSAY = 2.0
"""Seconds for which neighbours are awaited to tell the record of a segment that has come out."""
MOST_SEEN = 64


class Survey:
    """Looks around for a node."""

    def __init__(
        self,
        signaling: Signaling,
        neighbours: Neighbours,
        transfers: Transfers,
        playhead: Playhead,
        trust: Trust,
        leases: Leases,
        born: float,
    ) -> None:
        self.p2p = True
        self.upload = True
        self.starved_until = 0.0
        """Until when our machine counts as one that has no time for us."""
        self._signaling = signaling
        self._neighbours = neighbours
        self._transfers = transfers
        self._playhead = playhead
        self._trust = trust
        self._leases = leases
        self._born = born
        self._seen: dict[int, float] = {}
        """When the playlist first named each of the newest segments."""
        self._ranks: dict[SegmentKey, int] = {}
        self._whole = ("", 0, -1)
        """A run of segments of a rendition that are held whole: its first and its last."""
        self._salt = 0
        self._own = ("", hash32(""))
        """Our id, and its hash."""
        self._first_seen = -1
        """The newest segment of a live stream that was out when we came."""

    def forget_ranks(self) -> None:
        """There are other neighbours than before."""
        self._ranks.clear()

    def forget_seen(self) -> None:
        """Sequences may begin anew."""
        self._seen.clear()

    def forget_held(self) -> None:
        """Something has left the store."""
        self._whole = ("", 0, -1)

    def duration(self, rendition: str) -> float:
        """Seconds of a segment, as far as we know."""
        return self._transfers.manifest(rendition).usual_duration() / 1000 or USUAL_DURATION

    def has_company(self, now: float) -> bool:
        """Whether there is somebody to bring anything, or may be in a moment."""
        return bool(self._neighbours.up()) or self._hopeful_until(now) > now

    # What is wanted

    def wanted(self, now: float) -> list[SegmentKey]:
        """The segments that lie ahead and should be on their way, the nearest first."""
        playing = self._playhead.playing
        if playing is None:
            return []
        self._note_seen(playing, now)
        ahead = self._ahead(playing)
        return ahead + [key for key in self._leased(playing, now) if key not in ahead]

    def needed(
        self, wanted: Collection[SegmentKey], now: float
    ) -> tuple[dict[str, list[int]], dict[int, float]]:
        """The segments whose records and hashes are needed, and until when those of the newest may
        wait to be told by neighbours."""
        playing = self._playhead.playing
        if playing is None:
            return {}, {}
        unknown: dict[str, list[int]] = {playing.rendition: []}
        for key in wanted:
            if not self._transfers.knows(key):
                unknown.setdefault(key.rendition, []).append(key.sequence)
        if not playing.live or not self._neighbours.up():
            return unknown, {}
        sequences, reached = unknown[playing.rendition], self._playhead.reached()
        if not self._transfers.knows(SegmentKey(playing.rendition, reached)):
            sequences = [*sequences, reached]
        seen = self._seen.keys() & sequences
        return unknown, {s: self._hearsay_until(playing, s, now) for s in sorted(seen)}

    def _note_seen(self, playing: Playing, now: float) -> None:
        if not playing.live or playing.last in self._seen:
            return
        # The player hears last that a stream has begun anew; by one, its playlist may just lag.
        if playing.last + 1 < min(self._seen, default=0):
            self.forget_seen()
        if not self._seen:
            self._first_seen = playing.last
        known = max(self._seen, default=playing.last - 1)
        for sequence in range(max(known + 1, playing.last - MOST_SEEN + 1), playing.last + 1):
            self._seen[sequence] = now
        while len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    def _hearsay_until(self, playing: Playing, sequence: int, now: float) -> float:
        """Holders of leases ask the origin, each in its turn; others are told by neighbours."""
        seen = self._seen[sequence]
        delay = self._leases.delay(SegmentKey(playing.rendition, sequence))
        if delay is not None and delay < HEARSAY:
            return seen + delay
        deadline = self._playhead.deadline(sequence, self.duration(playing.rendition), None)
        size = self._transfers.usual_bytes(playing.rendition)
        latest = deadline - self._transfers.http.takes(size)
        return min(seen + HEARSAY, max(seen, (seen + latest) / 2))

    def _ahead(self, playing: Playing) -> list[SegmentKey]:
        """No more than fit into half of the store, or they would drive one another out."""
        transfers, rendition = self._transfers, playing.rendition
        first = max(self._playhead.reached() + 1, playing.head)
        room = transfers.store.limit // 2 // transfers.usual_bytes(rendition)
        last = playing.last
        if playing.live:
            last = max(last, transfers.manifest(rendition).newest_known)
        end = min(last, first + min(max(room, 1), MOST_AHEAD) - 1)
        ahead: list[SegmentKey] = []
        looked_at = 0
        for sequence in range(self._whole_until(rendition, first), end + 1):
            key = SegmentKey(rendition, sequence)
            if transfers.holds(key):
                if not looked_at:
                    self._whole = (rendition, first, sequence)
                continue
            looked_at += 1
            if not transfers.knows(key) or self._neighbours.offers(key):
                ahead.append(key)
            if len(ahead) >= OPEN_AHEAD or looked_at >= KNOWN_AHEAD:
                break
        return ahead

    def _whole_until(self, rendition: str, first: int) -> int:
        """The first segment from ``first`` on that may not be held whole."""
        known, begin, end = self._whole
        return end + 1 if known == rendition and begin <= first <= end + 1 else first

    def _leased(self, playing: Playing, now: float) -> list[SegmentKey]:
        """What we hold a lease for, and our own player will ask for soon."""
        duration = self.duration(playing.rendition)
        horizon = now + self._playhead.target + EARLY * duration
        return [
            key
            for key in self._leases.segments()
            if key.rendition == playing.rendition
            and (key.sequence <= playing.last or self._transfers.knows(key))
            and key.sequence >= playing.head
            and not self._transfers.holds(key)
            and (playing.live or self._deadline(key, duration) <= horizon)
        ]

    # What the plan depends on

    def view(self, wanted: Collection[SegmentKey], now: float) -> View:
        """All that the decision depends on."""
        playhead, playing = self._playhead, self._playhead.playing
        rendition = playing.rendition if playing else ""
        bitrate = self._transfers.usual_bytes(rendition) / self.duration(rendition)
        links = self._neighbours.views(now)
        goodput = self._neighbours.goodput
        floor = self._trust.floor(playhead.target, self._transfers.http.is_shaky(bitrate), now)
        uplink = self._neighbours.uplink
        self._salt = (self._salt * 1_664_525 + 1_013_904_223) & 0xFFFF_FFFF
        view = View(
            starting=playhead.starting(now),
            live=playhead.live,
            buffer=playhead.buffer(now),
            target=playhead.target,
            floor=floor,
            patience=self._trust.patience(now),
            uplink=min(uplink.rate, uplink.cap) if self.upload else 0.0,
            sheltered=self._leases.importers,
            starved_until=self.starved_until,
            guided=self._signaling.state is State.IN and bool(links),
            hopeful_until=self._hopeful_until(now),
            bitrate=bitrate,
            goodput=goodput.rate(now),
            asking_since=goodput.asking_since,
            http=self._transfers.http,
            segments=self._segments(wanted, links, now),
            links=links,
            salt=(self._salt ^ self._own_salt()) >> 8 if links else 0,
        )
        uplink.yielding = view.starting or view.buffer < floor
        return view

    def _own_salt(self) -> int:
        """What tells us from others who see the same."""
        name, salt = self._own
        if name != self._signaling.peer:
            name = self._signaling.peer
            salt = hash32(name)
            self._own = (name, salt)
        return salt

    def _hopeful_until(self, now: float) -> float:
        """Until when it is worth waiting for a first link."""
        if not self.p2p:
            return now
        until = max(self._neighbours.quiet(now).values(), default=now)
        if self._signaling.connecting():
            return max(until, now + CONNECT_TIMEOUT)
        if self._signaling.alone:
            return until
        return max(until, self._born + HOPE)

    def _segments(
        self, wanted: Collection[SegmentKey], links: Sequence[LinkView], now: float
    ) -> list[SegmentView]:
        segments = [
            self._segment(transfer, bool(links), now)
            for transfer in self._transfers.open()
            if transfer.demanded is not None or transfer.key in wanted
        ]
        segments.sort(key=lambda segment: (segment.deadline, segment.key.sequence))
        return segments

    def _segment(self, transfer: Transfer, company: bool, now: float) -> SegmentView:
        key, demanded = transfer.key, transfer.demanded
        live = self._playhead.live
        loading, until = self._neighbours.loading(key, now) if company else (0, 0.0)
        fetched, late = self._transfers.fetched(key, now)
        coming = fetched & (transfer.origin | transfer.peer)
        return SegmentView(
            key=key,
            demanded=demanded is not None,
            deadline=self._deadline(key, self.duration(key.rendition))
            if demanded is None
            else demanded,
            since=transfer.known_at if live else transfer.since,
            chunks=transfer.record.chunks,
            missing=transfer.missing,
            asked=transfer.peer & ~fetched,
            late=transfer.origin & late,
            silent=bool(coming) and not coming & ~late,
            comes_until=self._transfers.comes_until(key),
            missing_bytes=transfer.bytes_missing(),
            rank=self._rank(key) if company else 0,
            loading=loading,
            loading_until=until,
            fetching=bool(transfer.origin | transfer.peer & fetched),
            old=key.sequence <= self._first_seen,
            helped=bool(transfer.origin or transfer.origin_bytes),
            origin_after=transfer.origin_after,
            leases=self._leases.views(key, transfer.record.chunks, transfer.known_at),
        )

    def _deadline(self, key: SegmentKey, duration: float) -> float:
        """When the play head gets to a segment that nobody asked for yet."""
        playing = self._playhead.playing
        if playing is None or key.rendition != playing.rendition:
            return inf
        newest = self._transfers.transfer(SegmentKey(key.rendition, self._playhead.reached()))
        demanded = newest.demanded if newest else None
        return self._playhead.deadline(key.sequence, duration, demanded)

    def _rank(self, segment: SegmentKey) -> int:
        """When it is our turn; who does not upload waits for all who do."""
        rank = self._ranks.get(segment)
        if rank is None:
            peers = self._neighbours.peers()
            rank = rank_of(self._signaling.peer, peers, segment) if self.upload else len(peers)
            self._ranks[segment] = rank
        return rank
