"""The loop that drives one node: feed, drain, send, arm one timer again; and a player's loader.

As in a browser, a node begins when the first page of the manifest has come; until then the player
loads by plain HTTP, and what the tracker says is kept. A segment that the node does not deliver is
loaded past it, as soon as it says so, or when nothing happens although it is late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from p2pcdn.core import ports
from p2pcdn.core.node import Node
from p2pcdn.errors import ErrorCode
from p2pcdn.model import CHUNK_SIZE, SegmentKey
from p2pcdn.sim.audience import Conduct, Viewer
from p2pcdn.sim.http import Request
from p2pcdn.sim.links import Links
from p2pcdn.sim.media import IDENTITY, RENDITION
from p2pcdn.sim.network import End, Line
from p2pcdn.sim.origin import Origin
from p2pcdn.sim.player import Player
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.manifest import RenditionManifest
from p2pcdn.wire.tracker import FromTracker

if TYPE_CHECKING:
    from p2pcdn.sim.world import World

TICK = 1.0
"""Seconds between two looks at the player."""
LEAST_TIMER = 0.004
"""A browser's timers come no sooner, once they follow each other."""
MOST_SPINS = 20
"""So many timers may be due again at once; then something is wrong with a machine."""
LEAST_PATIENCE = 2.0
"""Seconds that a segment may take without any request to the origin, however late it is."""
LAST_MOMENT = 0.5
"""Seconds before its play time, when a segment that is not there is loaded past the node."""
LOOK_AGAIN = 1.0
MOST_EARLY = 12
"""Inputs that wait for the node, beyond which segments are not kept for it."""


class Shell:
    """What surrounds one viewer's node."""

    def __init__(self, world: World, viewer: Viewer, line: Line, origin: Origin) -> None:
        self.world = world
        self.viewer = viewer
        self.line = line
        self.origin = origin
        self.address = viewer.address
        self.node: Node | None = None
        self.conduct = world.make_conduct(self)
        self.links = Links(self)
        self.player: Player
        self.fetches: dict[int, tuple[SegmentKey, Request]] = {}
        self.peers_brought = 0
        """Segments that came whole from peers."""
        self.rescues = 0
        """Segments that were loaded past the node though it knew them."""
        self._early: list[ports.Input] = []
        self._introducing = False
        self._inbox: deque[ports.Input] = deque()
        self._busy = False
        self.over = False
        self._timer = inf
        self._spins = 0
        """Timers in a row after which the next was due at once."""
        self._waits: int | None = None
        """The segment that the node is to deliver."""
        self._acts: dict[type, Callable[[Any], None]] = {
            ports.SegmentReady: self._ready,
            ports.SegmentFailed: self._failed,
            ports.FetchManifest: self._fetch_manifest,
            ports.FetchRecords: self._fetch_records,
            ports.FetchHashes: self._fetch_hashes,
            ports.FetchRange: self._fetch_range,
            ports.AbortRange: self._abort_range,
            ports.Check: self._check,
            ports.Verify: self._verify,
            ports.MakeOffer: self.links.make_offer,
            ports.MakeAnswer: self.links.make_answer,
            ports.TakeAnswer: self.links.take_answer,
            ports.AddCandidate: _nothing,
            ports.CloseLink: self.links.close,
            ports.Entered: _nothing,
            ports.LinkUp: _nothing,
            ports.LinkDown: self._down,
            ports.ChunkRejected: self._rejected,
            ports.TrackerRefused: self._refused,
            ports.TrackerMoved: _nothing,
        }

    # Coming and going

    def start(self) -> None:
        self.world.tracker.connect(self)
        self.player.start()
        self.world.clock.after(TICK, self._tick)

    def stop(self) -> None:
        """The viewer leaves, with or without a word."""
        node = self.node
        if self.over:
            return
        if node is not None and not self.viewer.abruptly:
            node.farewell()
            self._turn(node)
        self.over = True
        self.world.tracker.close(self)
        self.links.close_all(self.world.scene.wave.noticed if self.viewer.abruptly else 0.0)
        self.origin.close()

    def _tick(self) -> None:
        if not self.over:
            self.moved()
            self.conduct.tick()
            self.world.clock.after(TICK, self._tick)

    # The loop

    def give(self, message: ports.Input) -> None:
        """Feed the node, and do what comes of it."""
        if self.over:
            return
        if self.node is None:
            self._early.append(message)
            return
        if self._busy:
            self._inbox.append(message)
        else:
            self.node.receive(message, self.world.clock.now)
            self._turn(self.node)

    def _turn(self, node: Node) -> None:
        """Drain the node, and go on until it has nothing more to say and nothing to hear."""
        inbox, now = self._inbox, self.world.clock.now
        self._busy = True
        self._drain(node)
        while inbox:
            node.receive(inbox.popleft(), now)
            self._drain(node)
        self._busy = False
        self._arm(node)

    def _drain(self, node: Node) -> None:
        acts = self._acts
        while True:
            messages, events = node.take_messages(), node.take_events()
            if messages:
                self._send(messages)
            elif not events:
                return
            for event in events:
                acts[type(event)](event)

    def _arm(self, node: Node) -> None:
        if self._timer <= self.world.clock.now + LEAST_TIMER:
            return  # as soon as a timer may come
        at = node.timer_at()
        if at is not None and at < self._timer:
            self._timer = at
            self.world.clock.at(max(at, self.world.clock.now + LEAST_TIMER), self._wake, at)

    def _wake(self, at: float) -> None:
        node, now = self.node, self.world.clock.now
        if self._timer != at or self.over or node is None:
            return
        self._timer = inf
        due = node.timer_at()
        if due is None or due > now:
            self._arm(node)
            return
        node.on_timer(now)
        self._turn(node)
        self._spins = self._spins + 1 if self._timer <= now else 0
        if self._spins > MOST_SPINS:
            raise RuntimeError(f"the node of viewer {self.viewer.number} spins, at {now}")

    def _send(self, messages: list[ports.Outgoing]) -> None:
        ends = self.links.ends
        frames: dict[int, list[Frame]] = {}
        for message in messages:
            if isinstance(message, ports.SendFrame):
                frames.setdefault(message.link, []).append(message.frame)
            elif isinstance(message, ports.TellLink):
                if (end := ends.get(message.link)) is not None:
                    end.say(message.message)
            else:
                self.conduct.tell(message.message)
        for link, some in frames.items():
            if (end := ends.get(link)) is not None:
                self.conduct.carry(end, some)

    # The tracker and links

    def hear(self, message: FromTracker) -> None:
        if self.conduct.hears(message):
            self.give(ports.TrackerSays(message))

    def said(self, end: End, message: Any) -> None:
        self.give(ports.LinkSays(end.number, message))

    def sent(self, end: End, frames: list[Frame]) -> None:
        """Frames that arrived together; the node is drained once for all."""
        node, now = self.node, self.world.clock.now
        if end.other is not None:
            size = sum([len(frame.payload) for frame in frames])
            self.world.brought(end.other.viewer, self.viewer, size)
        if self.over or node is None:
            return
        for frame in frames:
            node.receive(ports.LinkSends(end.number, frame), now)
        self._turn(node)

    def drained(self, end: End, buffered: int) -> None:
        self.give(ports.LinkDrained(end.number, buffered))

    # For the player

    def load_playlist(self) -> None:
        self.origin.playlist(self._playlist)

    def load(self, sequence: int, within: float) -> None:
        if self.node is None:
            self._plain(sequence)
            return
        self._waits = sequence
        patience = max(within - LAST_MOMENT, LEAST_PATIENCE)
        self.world.clock.after(patience, self._watch, sequence)
        self.give(ports.Demand(SegmentKey(RENDITION, sequence), within))

    def moved(self) -> None:
        if self.node is not None:
            self.give(self._playing())

    def _playing(self) -> ports.Playing:
        player, media = self.player, self.world.media
        last = player.newest
        if not media.live and not self.world.scene.peers.prefetch:
            last = player.reached
        return ports.Playing(RENDITION, player.head, last, player.buffer, media.live, player.target)

    def _playlist(self, newest: int) -> None:
        self.player.playlist(newest)
        if self.node is None and not self._introducing:
            self._introducing = True
            self.origin.page(self.player.head, self._begin)

    def _begin(self, page: RenditionManifest) -> None:
        """We know what the content is: so there can be a node for it."""
        if self.over:
            return
        scene, now = self.world.scene, self.world.clock.now
        store_bytes = int(scene.peers.store * 1024 * 1024)
        self.node = Node(IDENTITY, now, store_bytes, self.world.media.store(store_bytes))
        early, self._early = self._early, []
        upload = self.viewer.conduct is not Conduct.FREE
        self._inbox.extend([ports.Allow(p2p=True, upload=upload), ports.ManifestArrived(page)])
        self._inbox.extend([self._playing(), *early])
        self._turn(self.node)

    # Segments

    def _ready(self, event: ports.SegmentReady) -> None:
        self.world.played(self, event)
        if event.key.sequence == self._waits:
            self._waits = None
            now = self.world.clock.now
            self.peers_brought += event.origin_bytes == 0
            self.world.trace.note(
                now, "ready", self.viewer.number, event.key.sequence, event.origin_bytes,
                event.peer_bytes, f"{self.player.buffer:.3f}",
            )  # fmt: skip
            self.player.arrived(event.key.sequence)

    def _failed(self, event: ports.SegmentFailed) -> None:
        if event.key.sequence == self._waits:
            self.rescues += event.reason != "missing"
            self._past_the_node(event.key.sequence, event.reason.value)

    def _watch(self, sequence: int) -> None:
        """Nobody is trusted to come back."""
        if self._waits != sequence or self.over:
            return
        key = SegmentKey(RENDITION, sequence)
        if any(fetched == key for fetched, _ in self.fetches.values()):
            self.world.clock.after(LOOK_AGAIN, self._watch, sequence)
            return
        self.rescues += 1
        self._past_the_node(sequence, "watchdog")
        self.give(ports.Release(key))

    def _past_the_node(self, sequence: int, why: str) -> None:
        self._waits = None
        number, buffer = self.viewer.number, self.player.buffer
        self.world.trace.note(self.world.clock.now, "past", number, sequence, why, f"{buffer:.3f}")
        self._plain(sequence)

    def _plain(self, sequence: int) -> None:
        def done(request: Request) -> None:
            now = self.world.clock.now
            took = now - request.start
            self.world.trace.note(now, "plain", self.viewer.number, sequence, f"{took:.3f}")
            media = self.world.media
            data = media.bytes_of(sequence, 0, media.segment_bytes - 1)
            key = SegmentKey(RENDITION, sequence)
            if self.node is not None or len(self._early) < MOST_EARLY:
                self.give(ports.Loaded(key, data, False, request.ttfb, took))
            self.player.arrived(sequence)

        self.origin.whole(sequence, done)

    # The origin

    def _fetch_manifest(self, event: ports.FetchManifest) -> None:
        self.origin.page(event.sequence, self._page)

    def _fetch_records(self, event: ports.FetchRecords) -> None:
        first, last = event.sequences
        self.world.trace.note(self.world.clock.now, "records", self.viewer.number, first, last)
        self.origin.records(event.sequences, self._page)

    def _page(self, page: RenditionManifest) -> None:
        there = ports.ManifestArrived(page) if page.segments else ports.ManifestFailed(RENDITION)
        self.give(there)

    def _fetch_hashes(self, event: ports.FetchHashes) -> None:
        def arrived(data: bytes | None) -> None:
            self.give(ports.HashesArrived(event.rendition, event.sequences, data))

        self.origin.hashes(event.sequences, arrived)

    def _fetch_range(self, event: ports.FetchRange) -> None:
        number, sequence = event.fetch, event.key.sequence
        at = event.span.first

        def piece(size: int) -> None:
            nonlocal at
            first, at = at, at + size
            if number in self.fetches:
                data = self.world.media.bytes_of(sequence, first, at - 1)
                self.give(ports.RangeData(number, data))

        def done(request: Request) -> None:
            if self.fetches.pop(number, None) is not None:
                took = self.world.clock.now - request.start
                self.give(ports.RangeDone(number, request.ttfb, took))

        self._note_fetch(event)
        request = self.origin.segment(sequence, event.span, done, piece)
        self.fetches[number] = (event.key, request)

    def _abort_range(self, event: ports.AbortRange) -> None:
        fetched = self.fetches.pop(event.fetch, None)
        if fetched is not None:
            self.origin.abort(fetched[1])

    def _note_fetch(self, event: ports.FetchRange) -> None:
        """Why is the origin asked? What a person needs to know to tell."""
        first, last = (at // CHUNK_SIZE for at in event.span)
        holders = loaders = 0
        ends = self.links.open()
        for end in ends:
            other = self.world.shells[end.other.viewer] if end.other is not None else None
            if other is None or other.node is None:
                continue
            held = other.node.store.chunks(event.key)
            holders += all(chunk in held for chunk in range(first, last + 1))
            loaders += any(key == event.key for key, _ in other.fetches.values())
        player, media = self.player, self.world.media
        ahead = (event.key.sequence - player.head) * media.duration
        demanded = player.loading == event.key.sequence
        until = player.buffer if demanded else max(ahead, player.buffer)
        self.world.trace.note(
            self.world.clock.now, "fetch", self.viewer.number, event.key.sequence,
            f"{first}-{last}", f"{until:.3f}", "demanded" if demanded else "ahead", event.rule,
            f"age={self.world.clock.now - media.published(event.key.sequence):.3f}",
            f"links={len(ends)}", f"hold={holders}", f"load={loaders}",
        )  # fmt: skip

    # Checks, and what went wrong

    def _check(self, event: ports.Check) -> None:
        ok = self.world.media.is_true(event.data, event.digest)
        self._inbox.append(ports.Checked(event.check, ok))

    def _verify(self, event: ports.Verify) -> None:
        ok = self.world.media.is_signed(event.data, event.signature)
        self._inbox.append(ports.Checked(event.check, ok))

    def _rejected(self, event: ports.ChunkRejected) -> None:
        now, number = self.world.clock.now, self.viewer.number
        self.world.trace.note(now, "rejected", number, event.key.sequence, event.chunk)
        if event.link is not None and event.proved:
            self.world.blamed(self, event.link)

    def _down(self, event: ports.LinkDown) -> None:
        self.world.trace.note(self.world.clock.now, "down", self.viewer.number, event.reason)
        if event.reason == "integrity":
            self.world.blamed(self, event.link)

    def _refused(self, event: ports.TrackerRefused) -> None:
        if event.code is not ErrorCode.BANNED:
            raise RuntimeError(f"the tracker refused viewer {self.viewer.number}: {event.code}")
        self._inbox.append(ports.TrackerDown())


def _nothing(event: object) -> None:
    """What a shell need not act upon."""
