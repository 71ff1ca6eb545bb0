"""The loop around a node.

::

    whatever happens --feed--> inbox --> node.receive --> messages --> tracker, links
                                 ^           '----------> events ----> origin, links, keeper
                                 '- wishes of readers and keeper, checks that were made -'

One input at a time: what comes of doing what the node said waits until all of it is done. One timer
wakes whoever wants to be woken first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

import structlog

from p2pcdn.core.node import Node
from p2pcdn.core.ports import (
    AbortRange,
    AddCandidate,
    Allow,
    Check,
    Checked,
    ChunkRejected,
    CloseLink,
    Entered,
    Event,
    FetchHashes,
    FetchManifest,
    FetchRange,
    FetchRecords,
    Input,
    LinkDown,
    LinkSends,
    LinkUp,
    MakeAnswer,
    MakeOffer,
    ManifestArrived,
    Outgoing,
    Prove,
    SegmentFailed,
    SegmentReady,
    TakeAnswer,
    TellTracker,
    TrackerMoved,
    TrackerRefused,
    Verify,
)
from p2pcdn.errors import RemoteError
from p2pcdn.model import SegmentKey
from p2pcdn.wire.manifest import RenditionManifest
from peer.native.fetches import Fetches
from peer.native.keeper import Keeper
from peer.native.links import Links
from peer.native.readers import Answer, Reader, Readers
from peer.native.tokens import Tokens
from peer.native.tracker_client import TrackerClient
from peer.native.verification import matches, verifies

log = structlog.get_logger("p2pcdn.peer")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who does what the node says."""

    tracker: TrackerClient
    links: Links
    fetches: Fetches
    tokens: Tokens


class Engine:
    """Feeds the node and does what it says, from the first `feed` until `stop`."""

    def __init__(
        self, node: Node, keeper: Keeper, refused: Callable[[TrackerRefused], None]
    ) -> None:
        self.node = node
        self.keeper = keeper
        self.readers = Readers(keeper)
        self.links_up: dict[int, str] = {}
        """The links that are up, and the peers at their other ends."""
        self.failure: BaseException | None = None
        """What ended it."""
        self.is_recalled: Callable[[SegmentKey], bool] = lambda _: True
        """Whether what an earlier session left of a known segment is in the store."""
        self._refused = refused
        self._inbox: deque[Input | None] = deque()
        """What is to be handled; None is the timer."""
        self._busy = False
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = inf
        """When it wakes us."""
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._around: Surroundings | None = None

    def start(self, around: Surroundings) -> None:
        """Begin to do what the node says."""
        self._around = around

    def stop(self) -> None:
        """Take nothing in any more."""
        self._stopped = True
        self.readers.end()
        if self._timer is not None:
            self._timer.cancel()

    def feed(self, given: Input) -> None:
        """Something happened."""
        self._take(given)

    def look_again(self) -> None:
        """There may be something to do that nothing has been fed for."""
        self._loop.call_soon(self._take, None)

    def page(self, page: RenditionManifest) -> None:
        """A page of a manifest has come."""
        self.keeper.page(page)
        self.feed(ManifestArrived(page))

    def ask(
        self, reader: Reader, key: SegmentKey, answer: Answer, within: float | None = None
    ) -> None:
        """A reader wants a segment now; see `Readers.ask`."""
        self.readers.ask(reader, key, answer, self._loop.time(), within)
        self._take(None)

    def forgo(self, key: SegmentKey, answer: Answer) -> None:
        """It no longer waits."""
        self.readers.forgo(key, answer)
        self._take(None)

    def leave(self, reader: Reader) -> None:
        """It has what it wanted."""
        self.readers.leave(reader)
        self._take(None)

    def farewell(self) -> None:
        """Tell the tracker and the other ends that we go."""
        if not self._stopped:
            self.node.farewell()
            self.feed(Allow(p2p=False, upload=False))

    def fail(self, error: BaseException) -> None:
        """Nothing more can be done; tell everybody who waits."""
        if self.failure is None:
            self.failure = error
        self.stop()
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; raises what ended the engine, if anything did."""
        while not condition():
            if self.failure is not None:
                raise self.failure
            self._news.clear()
            await self._news.wait()

    # The loop

    def _take(self, given: Input | None) -> None:
        """Handle it, and everything that comes of it; later, if something is being handled."""
        if self._stopped:
            return
        self._inbox.append(given)
        if self._busy:
            return
        self._busy = True
        try:
            something = self._empty_inbox()
        except Exception as error:
            self.fail(error)
            raise
        finally:
            self._busy = False
        if something:
            self._arm()

    def _empty_inbox(self) -> bool:
        """Whether anybody may want to be woken sooner than before."""
        something = False
        while self._inbox:
            while self._inbox:
                given = self._inbox.popleft()
                self._receive(given)
                # Most frames are but a part of a chunk: nobody has to think about those.
                something |= self._drain() or not isinstance(given, LinkSends)
            if something:
                self._inbox.extend(self._wishes(self._loop.time()))
        if something:
            self._news.set()
        return something

    def _wishes(self, now: float) -> Iterator[Input]:
        """What readers want; if there are none, what the keeper does."""
        if self.readers.active(now):
            self.keeper.interrupted()
            return self.readers.wishes(self._knows, now)
        return self.keeper.wishes(self._knows, now)

    def _knows(self, key: SegmentKey) -> bool:
        return self.node.knows(key) and self.is_recalled(key)

    def _receive(self, given: Input | None) -> None:
        now = self._loop.time()
        try:
            if given is None:
                self.node.on_timer(now)
            else:
                self.node.receive(given, now)
        except RemoteError as error:
            log.warning("refused", what=type(given).__name__, code=error.code, detail=error.detail)

    def _drain(self) -> bool:
        """Do what the node says; whether it said anything."""
        # Messages first: what is said over a link goes out before it is closed.
        messages = self.node.take_messages()
        for message in messages:
            self._send(message)
        events = self.node.take_events()
        for event in events:
            self._do(event)
        return bool(messages or events)

    def _timer_at(self) -> float:
        """When something is to be done though nothing happens; infinity if there is no need."""
        machines = (self.node, self.keeper, self.readers)
        return min([at for one in machines if (at := one.timer_at()) is not None], default=inf)

    def _arm(self) -> None:
        at = self._timer_at()
        if self._stopped or at >= self._armed_at:
            return  # by then it looks again
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = at
        self._timer = self._loop.call_at(at, self._wake)

    def _wake(self) -> None:
        self._armed_at = inf
        if self._timer_at() <= self._loop.time():
            self._take(None)
        else:
            self._arm()

    # What the node says

    def _send(self, message: Outgoing) -> None:
        around = self._around
        assert around is not None
        if isinstance(message, TellTracker):
            around.tracker.send(message.message)
        else:
            around.links.send(message)

    def _do(self, event: Event) -> None:
        around = self._around
        assert around is not None
        match event:
            case FetchManifest() | FetchRecords() | FetchHashes() | FetchRange() | AbortRange():
                around.fetches.do(event)
            case MakeOffer() | MakeAnswer() | TakeAnswer() | AddCandidate() | CloseLink():
                around.links.do(event)
            case Check(check, data, digest):
                # A chunk takes 0.1 ms or less: a thread would cost as much.
                self.feed(Checked(check, matches(data, digest)))
            case Verify(check, algorithm, data, key, signature):
                self.feed(Checked(check, verifies(algorithm, data, key, signature)))
            case Prove():
                around.tokens.do(event)
            case SegmentReady(key, data):
                self.keeper.kept(key)
                self.readers.ready(key, data, self._loop.time())
            case SegmentFailed(key, reason):
                log.info("segment_failed", key=key, reason=reason)
                self.keeper.failed(key, self._loop.time())
                self.readers.failed(key, reason)
            case TrackerRefused():
                self._refused(event)
            case TrackerMoved(url, retry_after):
                around.tracker.move(url, retry_after)
            case _:
                self._note(event)

    def _note(self, event: Entered | LinkUp | LinkDown | ChunkRejected) -> None:
        """What only people want to know."""
        match event:
            case Entered(peer):
                log.info("entered", peer=peer)
            case LinkUp(link, peer):
                self.links_up[link] = peer
                log.info("link_up", peer=peer)
            case LinkDown(link, reason):
                peer = self.links_up.pop(link, "")
                log.info("link_down", peer=peer, reason=reason)
            case ChunkRejected(key, chunk, link):
                sender = "origin" if link is None else self.links_up.get(link, "")
                log.warning("chunk_rejected", key=key, chunk=chunk, sender=sender)
