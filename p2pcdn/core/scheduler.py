"""Who is asked for which chunk, and when: a pure function of what is known now.

The promise is that playback is never worse than plain HTTP, and that the origin sends close to one
copy. What the player has asked for is in one of these modes:

    START     nothing played yet: the origin, at once, exactly like the plain player
    URGENT    VOD with less in the buffer than the floor that trust asks for, or any segment whose
              *latest start* has come: the origin, at once, for all that is missing
    FILLING   VOD otherwise: peers, as long as what they bring is twice what is played (or as much,
              with a fair part of the buffer full); else the origin joins for the first half of
              what is missing
    LIVE      peers, for as long as patience lasts; then the origin as well, for as much as peers,
              as fast as they are now, would bring too late

The latest start of a segment is when the origin has to be asked so that the segment still comes in
time. What the player has not asked for lies ahead and is asked of peers alone, except for what we
hold a *lease* for: the tracker chose us to fetch that for everybody, so we do unless a neighbour
holds or loads it. What nobody holds or loads (an *orphan*) is fetched shortly before its latest
start by the neighbours in turn, by their rank for the segment; where no tracker gives leases, or
there is no time for all their turns, in turn from the beginning.

Of peers, what is due soon is asked for first, then what is rare, and of either the rare first: a
chunk that a single neighbour holds before those that several do. Of a recording what is played
next has to be there before what lies beyond is asked for at all. Of a live stream the rare come
even before what is due soon, the newest first, unless it is about to be late: they are what
everybody is to send next, and who has nothing to send is of no use to those who wait. Among equals
chance decides, and each is as likely as any other: so no two neighbours want the same, and whoever
has just fetched a run of chunks for all sends each of them to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Protocol

from p2pcdn.core.availability import Held
from p2pcdn.core.bits import first_of, pick, some_of, spans_in
from p2pcdn.core.http import Http
from p2pcdn.core.link import Need
from p2pcdn.core.ports import Rule
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey, Span

TURN = 0.4
"""Seconds that each rank waits for the one before it."""
LATEST_TURN = 4
"""Ranks beyond this one wait no longer than it."""
LEISURE = 3.0
"""Seconds in which others may bring what a peer without a screen wants."""
ORPHAN_LEAD = 1.5
"""Seconds before its latest start when an orphan is fetched by whoever is first in rank."""
STEP_IN = 1.2
"""Seconds before that when holders of a lease begin to doubt another one that has begun."""
LEISURELY = 2.0
"""Of a recording each holder of a lease waits so many times its delay longer, as far as there is
time: what those before it say may be slow to come where a crowd begins."""
AT_ONCE = 2
"""Segments of a recording that are fetched at a time where leases are for more. All are due at
once; together each would be slow, and the origin look like one that may not be relied upon."""
SOON = 2.0
"""Seconds before their latest start chunks are asked for before any others."""
REACH = 8.0
"""Of a recording nothing that is played later than in so many seconds is asked for while anything
that is played before is to come from peers."""
TO_SPREAD = 4
"""While something is due soon so many may be asked for before it that are to be spread,"""
UNDISTURBED = 0.7
"""and none in so many seconds before its latest start."""
FEW = 3
"""With fewer links that a single one holds something does not say that it is rare."""
SPREADS = 0.5
"""Who sends less than so much of what is played is not to be one of the first to have a chunk."""
PROOF = 1.0
"""Seconds that peers have for showing what they can do."""
SURPLUS = 2.0
"""Peers that fill the buffer bring so many times what is played, or the origin joins."""
FAIRLY_FULL = 1 / 8
"""With so much of its target in the buffer it is enough that it does not shrink."""
OLD_PATIENCE = 0.5
"""Seconds that peers have for what was out before we came, live."""
OLD_TURN = 0.25
"""The part of its usual turn that each rank waits for that."""
PROMPT = 0.3
"""Of links that bring a chunk within so many seconds none is too slow: they share the work."""
FARTHER = 0.02
"""Seconds of round trip beyond the nearest by which a link counts as far."""
NEAR_FIRST = 3.0
"""Seconds in which what far neighbours hold has to get to near ones."""
NEAR_LAST = 1.0
"""Seconds more that near ones have for passing it on."""
MARGIN = 1.2
"""What flows is fast enough if it would bring so many times what is missing."""
DOUBT = 1.0
"""Peers are waited for as much less as there are neighbours not to be believed; some of these are
only slow."""
LOOK_AGAIN = 0.25
LEAST_IN_ALL = 4
STARVED_IN_ALL = 2
"""Where our machine has no time for us: of what is not due soon."""
IN_ALL = 16
"""Wants open at once; fewer where less than half a second's worth."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """Chunks that we are to fetch for everybody."""

    chunks: int
    at: float
    """When, unless somebody holds or loads them by then."""
    begun: bool = False
    """Another holder has begun to fetch them: we step in if that comes to nothing."""
    delay: float = 0.0
    """How long those who hold the lease before us go before us."""
    imports: bool = False
    """We are also to bring them into our network from peers elsewhere."""


@dataclass(slots=True)
class SegmentView:
    """A segment that is wanted and not whole. Chunks are masks, as in `bits`."""

    key: SegmentKey
    demanded: bool
    """The player asked for it; otherwise it lies ahead."""
    deadline: float
    """When the play head gets there."""
    since: float
    """When it was first wanted; of a live segment, when we first knew its record."""
    chunks: int
    """How many it has."""
    missing: int
    """Those that have not arrived and are asked of nobody."""
    asked: int
    """Those that a link has been asked for, and the origin not."""
    missing_bytes: int
    """Of what has not arrived, whoever was asked for it."""
    rank: int = 0
    """Our rank among ourselves and the neighbours for it."""
    loading: int = 0
    """What neighbours are loading from the origin."""
    loading_until: float = 0.0
    """Until when that is to be believed."""
    late: int = 0
    """Those that the origin has been asked for and is late with, and that no link was asked for."""
    silent: bool = False
    """Whether the origin is late with all that it is still to bring, whoever else was asked."""
    comes_until: float = -inf
    """Until when the origin counts as bringing some of it, late or not, unless more of it comes."""
    fetching: bool = False
    """Whether we are fetching some of it from the origin."""
    old: bool = False
    """It was out before we came: a plain player would fill its buffer with it at once."""
    helped: bool = False
    """Whether the origin has brought, or is bringing, some of it."""
    origin_after: float = 0.0
    """Before this the origin is not asked again: it has just failed us."""
    leases: Sequence[LeaseView] = ()

    @property
    def at_leisure(self) -> bool:
        """Whether nobody watches: a peer without a screen wants what there is, at any time."""
        return self.deadline == inf


class LinkView(Protocol):
    """A link that can be asked."""

    @property
    def number(self) -> int: ...
    @property
    def in_flight(self) -> int:
        """Wants that are open."""

    @property
    def window(self) -> int:
        """Wants that may be open."""

    @property
    def rate(self) -> float:
        """Bytes a second that it brings when it is asked."""

    @property
    def rtt(self) -> float:
        """Seconds to the other end and back; 0 if that is not known."""

    @property
    def busy_until(self) -> float:
        """Before this it is not to be asked."""

    @property
    def received(self) -> int:
        """Bytes that it has brought, and that were verified."""

    def is_credible(self, now: float) -> bool:
        """Whether what it says it holds may be waited for."""

    @property
    def held(self) -> Held:
        """What it says it holds."""


@dataclass(slots=True)
class View:
    """All that the decision depends on."""

    starting: bool
    """Whether a viewer waits for his first segment."""
    live: bool
    buffer: float
    """Seconds of media in the player's buffer, ahead of the play head."""
    target: float
    """Seconds that the player wants to have there."""
    floor: float
    """Seconds that have to be there for peers to be waited for."""
    patience: float
    """The share of a live segment's time until its latest start in which peers are waited for."""
    guided: bool
    """Whether a tracker gives leases to us and our neighbours."""
    hopeful_until: float
    """Until when it is worth waiting for a first link."""
    bitrate: float
    """Bytes a second of the media."""
    goodput: float
    """Bytes a second that peers have brought in the last second."""
    asking_since: float
    """Since when a want has been open without a pause; infinity if none is."""
    http: Http
    segments: Sequence[SegmentView]
    """The earlier deadline first."""
    links: Sequence[LinkView]
    salt: int = 0
    """Which to choose among equals."""
    uplink: float = inf
    """Bytes a second that we can send."""
    sheltered: bool = False
    """Whether peers are named to bring what comes out into our network."""
    starved_until: float = 0.0
    """Until when our machine counts as one that has no time for us."""


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Ask a link for a chunk."""

    link: int
    key: SegmentKey
    chunk: int
    need: Need = Need.USUAL

    @property
    def chunk_key(self) -> ChunkKey:
        return ChunkKey(self.key.rendition, self.key.sequence, self.chunk)


@dataclass(frozen=True, slots=True)
class AskOrigin:
    """Ask the origin for a run of chunks."""

    key: SegmentKey
    chunks: Span
    rule: Rule
    rescue: bool = False
    """Peers had been trusted with it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to think again if nothing happens before."""

    asks: tuple[AskPeer | AskOrigin, ...]
    wake_at: float | None


def latest_start(segment: SegmentView, http: Http) -> float:
    """When the origin has to be asked at the latest."""
    return segment.deadline - http.takes(segment.missing_bytes)


def plan(view: View, now: float) -> Plan:
    """Decide."""
    asks: list[AskPeer | AskOrigin] = []
    wakes: list[float] = []
    if view.starting:
        # Nothing else may take its share of the line before there is a picture.
        for segment in view.segments:
            asks += _ask_all(segment, wakes, now)
        return Plan(tuple(asks), min((at for at in wakes if at > now), default=None))
    credible = [link for link in view.links if link.is_credible(now)]
    for segment in view.segments:
        asks += _ask_origin(segment, view, credible, wakes, now)
    room = _Room(view, now)
    asks += room.ask()
    wakes += room.wakes
    return Plan(tuple(asks), min((at for at in wakes if now < at < inf), default=None))


# The origin


def _ask_origin(
    segment: SegmentView,
    view: View,
    credible: Sequence[LinkView],
    wakes: list[float],
    now: float,
) -> Iterator[AskOrigin]:
    """What is to come from the origin now, which is then missing no more; and in ``wakes`` when
    more may have to. ``credible`` are the links that are to be believed."""
    if segment.demanded:
        all_at, rescue = everything_at(segment, view, now)
        if all_at <= now:
            rule: Rule = "floor" if _is_low(view) else "latest"
            yield from _runs(segment, segment.missing | segment.asked, rule, rescue=rescue)
            return
        wakes.append(all_at)
        if view.live and not segment.at_leisure:
            doubtful = len(view.links) - len(credible)
            yield from _make_up(segment, view, doubtful, wakes, now)
    orphans = segment.missing
    if orphans:
        orphans &= ~_held(segment.key, credible)
    if orphans and segment.loading and segment.loading_until > now:
        orphans &= ~segment.loading
        wakes.append(segment.loading_until)
    if orphans:
        if _has_room_for(segment, view, now):
            yield from _fetch_leased(segment, orphans, view, wakes, now)
        orphans &= segment.missing
    if not segment.demanded:
        return
    if orphans:
        at = max(turn_at(segment, view), segment.origin_after)
        if at <= now:
            yield from _runs(segment, orphans, "turn")
        else:
            wakes.append(at)
    if view.live or segment.at_leisure:
        return
    if not segment.fetching and segment.missing | segment.asked:
        joins_at = max(view.asking_since + PROOF, segment.origin_after)
        short = _falls_short(segment, view, now) if joins_at <= now else 0
        if short:
            yield from _runs(segment, short, "joins")
        else:
            wakes.append(joins_at if joins_at > now else now + LOOK_AGAIN)


def _is_low(view: View) -> bool:
    """Whether there is too little in the buffer for peers to be waited for."""
    return not view.live and view.buffer < view.floor


def surplus(view: View) -> float:
    """How many times what is played peers have to bring."""
    return SURPLUS if view.buffer < FAIRLY_FULL * view.target else 1.0


def _ask_all(segment: SegmentView, wakes: list[float], now: float) -> Iterator[AskOrigin]:
    """What the player asks for comes from the origin."""
    if segment.demanded and segment.origin_after <= now:
        yield from _runs(segment, segment.missing | segment.asked, "start")
    elif segment.demanded:
        wakes.append(segment.origin_after)


def everything_at(segment: SegmentView, view: View, now: float) -> tuple[float, bool]:
    """When the origin is to be asked for all that is missing, and whether that is a rescue."""
    if segment.at_leisure:
        return inf, False
    if _is_low(view):
        return max(now, segment.origin_after), False
    latest = latest_start(segment, view.http)
    if view.live:
        return max(latest, segment.origin_after), bool(view.links)
    tried = bool(segment.asked) and view.asking_since + PROOF <= now
    rescue = tried and not segment.helped and view.starved_until <= now
    return max(latest, segment.origin_after), rescue


def _make_up(
    segment: SegmentView, view: View, doubtful: int, wakes: list[float], now: float
) -> Iterator[AskOrigin]:
    """Patience is over: the origin brings as much as peers, as fast as they are now, cannot."""
    latest = latest_start(segment, view.http)
    at = max(patient_until(segment, view, doubtful, latest), segment.origin_after)
    if at > now:
        wakes.append(at)
        return
    left = segment.missing | segment.asked
    margin = SURPLUS if segment.old else MARGIN
    comes = int(view.goodput * max(latest - now, 0.0) / margin / CHUNK_SIZE)
    short = 0
    held = _held(segment.key, view.links)
    for some in (segment.missing & ~held, segment.missing & held, segment.asked):
        most = left.bit_count() - comes - short.bit_count()
        short |= some_of(some, most, view.salt)
    if short != left:
        wakes.append(now + LOOK_AGAIN)
    yield from _runs(segment, short, "patience")


def patient_until(segment: SegmentView, view: View, doubtful: int, latest: float) -> float:
    """How long a live segment is left to peers, however slow they are, if so many of the neighbours
    are not to be believed."""
    if segment.old:
        return segment.since + OLD_PATIENCE
    share = doubtful / max(len(view.links), 1)
    patience = view.patience * max(1 - DOUBT * share, 0.0)
    return segment.since + patience * max(latest - segment.since, 0.0)


def turn_at(segment: SegmentView, view: View) -> float:
    """When it is our turn to ask the origin for chunks that no neighbour holds."""
    if not view.links:
        return view.hopeful_until
    turn = min(segment.rank, LATEST_TURN) * TURN
    if segment.old:
        return segment.since + turn * OLD_TURN
    if not view.guided:
        return segment.since + turn
    if segment.at_leisure:
        return segment.since + LEISURE + turn
    return max(latest_start(segment, view.http) - ORPHAN_LEAD, segment.since) + turn


def lease_at(lease: LeaseView, segment: SegmentView, view: View) -> float:
    """When it is our turn to act on a lease: in any case before it is everybody's turn."""
    everybodys = latest_start(segment, view.http) - ORPHAN_LEAD
    if lease.begun:
        return min(lease.at, everybodys + min(lease.delay - STEP_IN, 0.0))
    if view.live:
        return lease.at
    return max(lease.at, min(lease.at + LEISURELY * lease.delay, everybodys))


def _has_room_for(leased: SegmentView, view: View, now: float) -> bool:
    """Whether one more segment may be fetched for all: after what we need ourselves."""
    if view.live or leased.fetching:
        return True
    if sum(segment.fetching for segment in view.segments) >= AT_ONCE:
        return False
    return not any(has_line(segment, view.http, now) for segment in view.segments)


def has_line(segment: SegmentView, http: Http, now: float) -> bool:
    """Whether the origin has no time to lose with what it brings, and does bring it."""
    if not segment.demanded or not segment.fetching or segment.late or segment.silent:
        return False
    return latest_start(segment, http) <= now


def _fetch_leased(
    segment: SegmentView, orphans: int, view: View, wakes: list[float], now: float
) -> Iterator[AskOrigin]:
    due = 0
    for lease in segment.leases:
        chunks = lease.chunks & orphans
        if not chunks or lease.imports:  # of peers alone
            continue
        at = max(lease_at(lease, segment, view), segment.origin_after)
        if at <= now:
            due |= chunks
        else:
            wakes.append(at)
    yield from _runs(segment, due, "lease")


def _falls_short(segment: SegmentView, view: View, now: float) -> int:
    """Where peers are too slow the origin joins in: for the first half of what is left, or less if
    peers, half as fast as they are now, bring the rest before its latest start; nothing where it is
    our machine that is slow."""
    if view.goodput >= surplus(view) * view.bitrate or view.starved_until > now:
        return 0
    left = segment.missing | segment.asked
    rest = left.bit_count()
    slack = latest_start(segment, view.http) - now
    comes = view.goodput * slack / SURPLUS / CHUNK_SIZE
    return first_of(left, ceil(min(rest / 2, rest - comes)))


def _runs(
    segment: SegmentView, chunks: int, rule: Rule, *, rescue: bool = False
) -> Iterator[AskOrigin]:
    segment.missing &= ~chunks
    segment.asked &= ~chunks
    segment.fetching = segment.fetching or chunks != 0
    for span in spans_in(chunks):
        yield AskOrigin(segment.key, span, rule, rescue)


class _Holder(Protocol):
    @property
    def held(self) -> Held: ...


def _held(key: SegmentKey, links: Iterable[_Holder]) -> int:
    """What any of these holds of a segment."""
    held = 0
    for link in links:
        held |= link.held.get(key, 0)
    return held


# Peers


@dataclass(slots=True)
class _Free:
    """A link that may be asked for more."""

    number: int
    rate: float
    held: Held
    open: int
    window: int
    received: int
    far: bool

    @property
    def turn(self) -> tuple[float, bool, float, int]:
        """Who is asked first: of those that are fast enough the near ones, of these whoever has
        brought the least so far; then the faster ones."""
        takes = (self.open + 1) * CHUNK_SIZE / self.rate
        if takes <= PROMPT:
            return 0.0, self.far, self.received + self.open * CHUNK_SIZE, self.number
        return takes, self.far, 0.0, self.number


@dataclass(slots=True)
class _Offer:
    """The chunks of a segment that a free link may be asked for."""

    link: _Free
    chunks: int


@dataclass(slots=True)
class _Room:
    """What may still be asked of whom."""

    view: View
    now: float
    wakes: list[float] = field(default_factory=list)
    free: list[_Free] = field(default_factory=list)
    near: list[LinkView] = field(default_factory=list)
    """Those that are near, busy or not."""
    left: int = 0
    asked: int = 0
    """Wants that are open."""

    def __post_init__(self) -> None:
        view, now = self.view, self.now
        most = int(LEAST_IN_ALL + view.goodput / 2 / CHUNK_SIZE)
        proven = open_in_all = 0
        horizon = _horizon(view)
        if view.sheltered:
            self.near = [x for x in view.links if x.rtt <= horizon and x.is_credible(now)]
        for link in view.links:
            open_, received = link.in_flight, link.received
            open_in_all += open_
            # What is asked of somebody who may be lying keeps nobody else from being asked.
            if open_ and received and link.is_credible(now):
                proven += open_
            busy_until, window = link.busy_until, link.window
            if busy_until > now:
                self.wakes.append(busy_until)
            elif open_ < window:
                far = link.rtt > horizon
                self.free.append(
                    _Free(link.number, link.rate, link.held, open_, window, received, far)
                )
        self.asked = open_in_all
        self.left = min(min(most, IN_ALL) - proven, IN_ALL - open_in_all)

    def ask(self) -> Iterator[AskPeer]:
        """Ask for what is to be spread and what is due soon, then for what is rare, then for the
        rest."""
        yield from self._spread()
        view = self.view
        reach = self._reach()
        later: list[SegmentView] = []
        for segment in view.segments:
            if self.left <= 0 or not self.free:
                return
            if has_line(segment, view.http, self.now):
                return  # the line is the origin's now
            comes_next = segment.demanded or (not view.live and segment.deadline <= reach)
            if comes_next and latest_start(segment, view.http) - SOON <= self.now:
                rare = segment.missing & self._rare(segment.key)
                yield from self._take(segment, rare, Need.SOON)
                yield from self._take(segment, segment.missing | segment.late, Need.SOON)
            elif segment.deadline <= reach:
                later.append(segment)
        if not view.live and view.starved_until > self.now:
            self.wakes.append(view.starved_until)
            self.left = min(self.left, STARVED_IN_ALL - self.asked)
        for segment in later:
            if self.left > 0 and segment.missing:
                rare = segment.missing & self._rare(segment.key)
                if rare:
                    yield from self._take(segment, rare)
        for segment in later:
            if self.left > 0:
                yield from self._take(segment, segment.missing | segment.late)

    def _comes_in_haste(self, segment: SegmentView) -> bool:
        """Whether the origin is bringing, of a recording, what the player has to have soon: what is
        for later would fill the line, as fast as peers are, and the origin be late."""
        if not segment.demanded or segment.comes_until <= self.now:
            return False
        if latest_start(segment, self.view.http) - SOON > self.now:
            return False
        self.wakes.append(segment.comes_until)
        return True

    def _reach(self) -> float:
        """When what is asked for is played at the latest, but for what is demanded and due soon."""
        view = self.view
        if view.live:
            return inf
        if any(map(self._comes_in_haste, view.segments)):
            return -inf
        end = self.now + REACH
        honest = [link for link in view.links if link.is_credible(self.now)]
        for segment in view.segments:
            if segment.deadline > end:
                break
            loading = segment.loading if segment.loading_until > self.now else 0
            if segment.asked or segment.missing & (loading | _held(segment.key, honest)):
                return end
        return inf

    def _spread(self) -> Iterator[AskPeer]:
        """Ask for what a single neighbour holds of a live stream, if we can pass it on. Where there
        are importers they see to it."""
        view, now = self.view, self.now
        if not view.live or view.sheltered or len(view.links) < FEW:
            return
        if view.uplink < SPREADS * view.bitrate:
            return
        demanded = [segment for segment in view.segments if segment.demanded]
        first = min((latest_start(s, view.http) for s in demanded if s.missing), default=inf)
        if first - UNDISTURBED <= now or any(has_line(s, view.http, now) for s in demanded):
            return
        kept = max(self.left - TO_SPREAD, 0) if first - SOON <= now else 0
        self.left -= kept
        for segment in reversed(view.segments):
            if self.left > 0 and segment.missing and not segment.old:
                yield from self._take(segment, segment.missing & self._rare(segment.key), Need.SOON)
        self.left += kept

    def _rare(self, key: SegmentKey) -> int:
        """The chunks that exactly one neighbour holds, busy or not."""
        once = twice = 0
        for link in self.view.links:
            held = link.held.get(key, 0)
            twice |= once & held
            once |= held
        return once & ~twice

    def _take(
        self, segment: SegmentView, chunks: int, need: Need = Need.USUAL
    ) -> Iterator[AskPeer]:
        if self._is_spare(segment):
            need = Need.SPARE
        imports = self._imports(segment)
        abroad = self._abroad(segment, imports)
        if not chunks:
            return
        offers = self._offers(segment.key, abroad)
        chunks &= _all_of(offers)
        while chunks and self.left > 0:
            chunk = pick(chunks, self.view.salt)
            bit = 1 << chunk
            link = _best(offers, bit)
            link.open += 1
            self.asked += 1
            self.left -= 1
            segment.missing &= ~bit
            segment.late &= ~bit
            chunks &= ~bit
            hurry = need is Need.USUAL and imports & bit
            yield AskPeer(link.number, segment.key, chunk, Need.IMPORTS if hurry else need)
            if link.open >= link.window:
                self.free.remove(link)
                offers = [offer for offer in offers if offer.link is not link]
                chunks &= _all_of(offers)

    def _is_spare(self, segment: SegmentView) -> bool:
        """Whether it can wait: the plain player would not ask for it yet."""
        if self.view.live or (segment.demanded and not segment.at_leisure):
            return False
        return segment.deadline - self.now > self.view.target

    def _imports(self, segment: SegmentView) -> int:
        """The chunks that we are to bring into our network, or as far as whoever is to."""
        ours = 0
        for lease in segment.leases:
            if lease.imports and lease.at <= self.now:
                ours |= lease.chunks
            elif lease.imports:
                self.wakes.append(lease.at)
        return ours

    def _abroad(self, segment: SegmentView, imports: int) -> int:
        """The chunks that far links may be asked for: all once near ones had time or time runs
        short, before that what we are to import and no near one holds."""
        everything = (1 << segment.chunks) - 1
        if not self.view.sheltered or (segment.demanded and not self.view.live):
            return everything
        if segment.demanded:
            short_at = latest_start(segment, self.view.http) - SOON
            if short_at <= self.now:
                return everything
            self.wakes.append(short_at)
        at = segment.since + NEAR_FIRST + min(segment.rank, LATEST_TURN) * TURN
        if at + NEAR_LAST <= self.now:
            return everything
        if at <= self.now:
            imports = everything
            at += NEAR_LAST
        self.wakes.append(at)
        return imports & ~_held(segment.key, self.near)

    def _offers(self, key: SegmentKey, abroad: int) -> list[_Offer]:
        """What each free link may be asked for; of far ones only chunks ``abroad``."""
        offers = []
        for link in self.free:
            held = link.held.get(key, 0)
            if link.far:
                held &= abroad
            if held:
                offers.append(_Offer(link, held))
        return offers


def _all_of(offers: Iterable[_Offer]) -> int:
    """The chunks that any of these offers."""
    chunks = 0
    for offer in offers:
        chunks |= offer.chunks
    return chunks


def _best(offers: Iterable[_Offer], bit: int) -> _Free:
    """The free holder whose turn it is; there has to be one."""
    holders = [offer.link for offer in offers if offer.chunks & bit]
    return min(holders, key=_turn) if len(holders) > 1 else holders[0]


def _turn(link: _Free) -> tuple[float, bool, float, int]:
    return link.turn


def _horizon(view: View) -> float:
    """The round trip beyond which a link is far; infinity if nobody says that there is anything to
    be gained."""
    known = [link.rtt for link in view.links if link.rtt]
    return min(known) + FARTHER if view.sheltered and known else inf
