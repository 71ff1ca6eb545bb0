"""A native peer: one content, held and shared for as long as its context is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Self

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from p2pcdn.config import Config, PeerConfig
from p2pcdn.core.node import Node
from p2pcdn.core.ports import Allow, Caps, TrackerDown, TrackerRefused, TrackerSays
from p2pcdn.core.signaling import Identity
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.errors import ErrorCode, P2pcdnError, SourceError, SourceReason
from p2pcdn.model import SegmentKey
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest, SegmentRecord
from p2pcdn.wire.stun import stun_server
from p2pcdn.wire.tracker import FromTracker, Joined, Welcome
from peer.native.addresses import (
    ContentAddress,
    socket_of,
    tracker_url,
    turn_servers,
)
from peer.native.disk.disk import Disk
from peer.native.disk.disk_store import DiskStore
from peer.native.disk.recall import Recall, furnish
from peer.native.engine import Engine, Surroundings
from peer.native.fetches import Fetches
from peer.native.http_source import HttpSource
from peer.native.keeper import Keeper, Progress
from peer.native.links import Links
from peer.native.memory_store import MemoryStore
from peer.native.readers import Reader
from peer.native.shares import Wish
from peer.native.tokens import Tokens
from peer.native.tracker_client import TrackerClient, TrackerError
from peer.native.transport import Transport
from peer.native.transport.choice import transport_of

HOPELESS = {
    ErrorCode.UNKNOWN_SITE,
    ErrorCode.NO_PEERS,
    ErrorCode.UNSUPPORTED_PROTOCOL,
    ErrorCode.WRONG_ORIGIN,
    ErrorCode.BANNED,
}
"""Refusals that no later attempt will change."""

UNPROVED = {ErrorCode.BAD_TOKEN, ErrorCode.EXPIRED, ErrorCode.REVOKED}
"""Refusals that another token may change."""


PATIENCE = 20.0
"""Seconds that a player waits for a segment, and who only wants the bytes for any more of them."""


SAMPLE = 256
"""Segments that are looked at to tell how rare they are."""


class PeerError(P2pcdnError):
    """The peer cannot do what it is for. Its text is one sentence."""


class NativePeer:
    """Holds the content at a URL, and shares it: ``async with NativePeer(url) as peer: ...``"""

    def __init__(
        self,
        url: str,
        *,
        config: Config | None = None,
        tracker: str | None = None,
        transport: Transport | None = None,
        keep: bool = True,
        disk: Disk | None = None,
        share: int | None = None,
        session: Callable[[], aiohttp.ClientSession] = aiohttp.ClientSession,
        key: EllipticCurvePrivateKey | None = None,
    ) -> None:
        """``tracker`` is needed where the tracker is not beside the origin; ``transport`` carries
        the links, aiortc's by default; without ``keep`` nothing is fetched but what is read.
        ``disk`` is a store that several contents have together, and ``share`` how many bytes of it
        are this one's; without it, the store is the one that is configured, and all of it.
        ``session`` makes what asks origin and tracker, where not everything may be asked; ``key``
        is what the join token is bound to, if somebody has got one for it."""
        self.url = url
        self.address = ContentAddress.parse(url)
        self.tracker = self.address.tracker if tracker is None else tracker_url(tracker)
        self._config = config or Config()
        self._transport = transport
        self._keep = keep
        self._session = session
        self._key = key
        self.renditions: tuple[str, ...] = ()
        """What can be read of it, by the origin's manifest; a file has one."""
        self._disk = disk
        self.share = share
        """How many bytes of the disk are this content's; None: all of it."""
        self._recall: Recall | None = None
        peer = self._config.peer
        self._limits = peer.upload, Caps(peer.upload_rate, peer.upload_budget, peer.upload_ratio)
        """Whether anything is given, and how much."""

    # What others ask

    @property
    def node(self) -> Node:
        """The core's part of this peer."""
        return self._engine.node

    @property
    def stats(self) -> Stats:
        """What came from where."""
        return self.node.stats

    @property
    def store(self) -> Store:
        """What is held."""
        return self.node.store

    @property
    def progress(self) -> Progress:
        """How much of what exists is held."""
        return self._engine.keeper.progress

    @property
    def peer(self) -> str:
        """Our id in the swarm; empty until the tracker has let us in."""
        return self.node.peer

    @property
    def links(self) -> dict[int, str]:
        """The links that are up, and the peers at their other ends."""
        return dict(self._engine.links_up)

    @property
    def failure(self) -> BaseException | None:
        """What has ended it, if something has."""
        return self._engine.failure

    def segment(self, key: SegmentKey) -> bytes | None:
        """A segment, if all of it is held."""
        record = self._engine.keeper.record(key)
        if record is None or len(self.store.chunks(key)) < record.chunks:
            return None
        return self.store.assemble(key)

    def uri(self, key: SegmentKey) -> str | None:
        """What the manifest calls a segment, relative to its rendition; None if it knows none."""
        record = self._engine.keeper.record(key)
        return None if record is None else record.uri

    def record(self, key: SegmentKey) -> SegmentRecord | None:
        """What the manifest says of a segment, as far as that is known."""
        return self._engine.keeper.record(key)

    @property
    def expected_size(self) -> int:
        """The bytes of all that is wanted, as far as one can tell by now."""
        return self._engine.keeper.expected_size

    def is_live(self) -> bool:
        """Whether there will be more of it, as far as is known."""
        return any(self.extent(rendition)[2] for rendition in self.renditions)

    def is_complete(self) -> bool:
        """Whether everything that exists is held, as far as it fits."""
        return self._engine.keeper.is_complete()

    async def complete(self) -> None:
        """Wait until everything that exists is held, as far as it fits."""
        await self.until(self.is_complete)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on this peer holds; raises what ended the peer, if it did."""
        await self._engine.until(condition)

    def extent(self, rendition: str) -> tuple[int, int, bool]:
        """The oldest and the newest segment of a rendition (below the oldest if there are none, or
        nothing is known yet), and whether there will be more."""
        return self._engine.keeper.extent(rendition)

    def follow(self, key: SegmentKey) -> Reader:
        """Who would read this segment next, if there is somebody; else somebody new."""
        return self._engine.readers.follow(key) or Reader()

    async def fetch(self, reader: Reader, key: SegmentKey, within: float | None = None) -> bytes:
        """A segment, verified; `SourceError` if neither peers nor the origin can bring it.

        ``within`` are the seconds until it is needed, if the reader knows; else they are judged by
        what it has been given. A player is told after a while that nobody brings it; who only wants
        the bytes waits as long as there are more and more.
        """
        answers: asyncio.Future[bytes | SourceReason] = asyncio.get_running_loop().create_future()

        def answer(given: bytes | SourceReason) -> None:
            if not answers.done():
                answers.set_result(given)

        if self._engine.failure is not None:
            raise SourceError(SourceReason.ABORTED, "the peer has ended")
        self._engine.ask(reader, key, answer, within)
        try:
            given = await self._awaited(answers, reader.plays)
        finally:
            self._engine.forgo(key, answer)
        if isinstance(given, SourceReason):
            raise SourceError(given, f"{key}")
        return given

    async def _awaited(
        self, answers: asyncio.Future[bytes | SourceReason], plays: bool
    ) -> bytes | SourceReason:
        while True:
            before = self._received()
            await asyncio.wait([answers], timeout=PATIENCE)
            if answers.done():
                return answers.result()
            if plays or self._received() == before:
                return SourceReason.TIMEOUT

    def _received(self) -> int:
        """Bytes of this content that have come from anybody."""
        return self._around.fetches.received + self.stats.peer_bytes

    def leave(self, reader: Reader) -> None:
        """A reader has what it wanted: nothing more is fetched for it."""
        self._engine.leave(reader)

    async def pause(self) -> None:
        """Leave the swarm, and keep what is held; what is read comes by HTTP alone."""
        self._engine.farewell()
        await self._around.tracker.close()

    async def resume(self) -> None:
        """Come back after `pause`."""
        self._allow(True)
        await self._join()

    def give_token(self, token: str) -> None:
        """Another join token, for when the one before is about to expire."""
        self._around.tokens.give(token)

    def limit(self, *, upload: bool, rate: float | None, budget: int | None) -> None:
        """From now on this is what may be given: so many bytes a second, and so many more."""
        peer = self._config.peer
        most = None if budget is None else self.stats.uploaded_bytes + budget
        given = upload and peer.upload, Caps(rate, most, peer.upload_ratio)
        if given != self._limits:
            self._limits = given
            self._allow(True)

    def wish(self) -> Wish:
        """What this content would have of a store that it shares with others."""
        keeper, node = self._engine.keeper, self.node
        kept = list(islice(keeper.kept_segments(), SAMPLE))
        rare = sum(not node.is_offered(key) for key in kept) / len(kept) if kept else 1.0
        return Wish(keeper.whole_size, self.store.size, len(self.links), rare)

    def wait(self, waits: bool) -> None:
        """Demand nothing more for now, or go on; what is read comes all the same."""
        keeper = self._engine.keeper
        if keeper.waits != waits:
            keeper.waits = waits
            self._engine.look_again()

    def resize(self, share: int, memory: int | None = None) -> None:
        """From now on so many bytes of the disk are this content's, and of memory so many for what
        is not on it."""
        self.share = self.store.limit = share
        if memory is not None and isinstance(self.store, DiskStore):
            self.store.memory = memory
        self._engine.keeper.resize(share)
        self._engine.look_again()

    # Its life

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._disk is None and self._config.peer.store is not None:
                self._disk = Disk(self._config.peer.store, self._config.peer.max_size)
                stack.callback(self._disk.close)
            session = await stack.enter_async_context(self._session())
            await self._start(session, stack)
            self._end = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end.aclose()

    async def _start(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        source = HttpSource(session, self.address, self._config.peer.keys)
        manifest = await self._manifest(source)
        renditions = _renditions(manifest)
        if not renditions:
            raise PeerError(f"{self.url} has no renditions: there is nothing to keep.")
        self.renditions = tuple(renditions)
        self._compose(manifest, renditions, source, session)
        stack.push_async_callback(self._leave)
        await self._join()
        for rendition in renditions:
            self._around.fetches.follow(rendition)

    async def _join(self) -> None:
        try:
            await self._around.tracker.open()
        except TrackerError as error:
            raise PeerError(
                f"There is no tracker at {self.tracker} ({error}); --tracker says where it is."
            ) from error

    async def _leave(self) -> None:
        """Say goodbye to everybody, at once and not for long."""
        around = self._around
        self._engine.farewell()
        await asyncio.gather(
            around.links.close(),
            around.tracker.close(),
            around.fetches.close(),
            around.tokens.close(),
            *([] if self._recall is None else [self._recall.close()]),
        )
        self._engine.stop()
        if isinstance(self.store, DiskStore):
            self.store.close()

    async def _manifest(self, source: HttpSource) -> PresentationManifest | RenditionManifest:
        try:
            return await source.manifest(self.address.path)
        except SourceError as error:
            raise PeerError(_sentence(self.url, error)) from error

    def _compose(
        self,
        manifest: PresentationManifest | RenditionManifest,
        renditions: list[str],
        source: HttpSource,
        session: aiohttp.ClientSession,
    ) -> None:
        """Make everybody known to whom he needs."""
        settings = self._config.peer
        identity = Identity(manifest.site, manifest.content, "native")
        store = self._store(manifest.content)
        node = Node(identity, asyncio.get_running_loop().time(), store=store)
        keeper = Keeper(renditions, store.limit, self._keep)
        engine = self._engine = Engine(node, keeper, self._refused)
        store.worth, store.evicted = keeper.worth, keeper.evicted
        if isinstance(store, DiskStore):
            self._recall = furnish(store, engine)
        self._transport = self._transport or _transport(settings)
        lost = partial(engine.feed, TrackerDown())
        self._around = Surroundings(
            TrackerClient(
                session, socket_of(self.tracker, manifest.content), hear=self._hear, lost=lost
            ),
            Links(self._transport, engine.feed),
            Fetches(
                source,
                engine.feed,
                engine.page,
                node.record,
                None if self._recall is None else self._recall.take_hashes,
            ),
            Tokens(
                session,
                site=manifest.site,
                content=manifest.content,
                url=f"/media/{self.address.path}",
                token=settings.token,
                token_url=settings.token_url,
                proved=engine.feed,
                failed=lambda: self._around.tracker.drop(),
                key=self._key,
            ),
        )
        engine.start(self._around)
        self._transport.confine(settings.mode, ())
        self._allow(True)

    def _allow(self, p2p: bool) -> None:
        settings = self._config.peer
        known = self._around.tokens.known
        upload, caps = self._limits
        upload = upload and p2p
        self._engine.feed(Allow(p2p, upload, token=known, mode=settings.mode, caps=caps))

    def _store(self, content: str) -> MemoryStore | DiskStore:
        memory = self._config.peer.store_bytes
        if self._disk is None:
            return MemoryStore(memory)
        share = self._disk.share if self.share is None else self.share
        return DiskStore(self._disk, content, share, memory)

    # The tracker

    def _hear(self, message: FromTracker) -> None:
        assert self._transport is not None
        if isinstance(message, Welcome):
            tracker = self._around.tracker
            self._transport.place(
                local=tracker.local, stun=stun_server(message.stun, tracker.remote)
            )
        elif isinstance(message, Joined):
            self._transport.confine(message.mode, turn_servers(message.relays))
        self._engine.feed(TrackerSays(message))

    def _refused(self, refusal: TrackerRefused) -> None:
        if refusal.code in HOPELESS:
            self._engine.fail(PeerError(f"The tracker at {self.tracker} says {refusal.code}."))
        elif refusal.code in UNPROVED and not self._around.tokens.renewable:
            self._engine.fail(
                PeerError(
                    f"The tracker at {self.tracker} says {refusal.code}: --token-url names a back "
                    "end that gives join tokens, --token is one."
                )
            )
        else:
            self._around.tracker.drop(refusal.retry_after)


def _renditions(manifest: PresentationManifest | RenditionManifest) -> list[str]:
    if isinstance(manifest, RenditionManifest):
        return [manifest.rendition]
    return [ref.rendition for ref in manifest.renditions]


def _sentence(url: str, error: SourceError) -> str:
    match error.reason:
        case SourceReason.MISSING:
            return f"There is no content at {url}."
        case SourceReason.UNREACHABLE:
            return f"The origin of {url} cannot be reached: {error.detail}."
        case SourceReason.TIMEOUT:
            return f"The origin of {url} does not answer."
        case SourceReason.INTEGRITY:
            return f"The manifest of {url} is not signed by a key that is pinned (--key)."
    return f"The origin gives no manifest for {url}: {error.detail}."


def _transport(settings: PeerConfig) -> Transport:
    try:
        return transport_of(settings.transport, settings.advertise)
    except ImportError as error:
        if settings.transport != "fast":
            raise PeerError(
                f"Native peers need aiortc, which cannot be imported ({error}): `pip install "
                "aiortc`; of the container images, the full one has it."
            ) from error
        raise PeerError(
            f"peer.transport is {settings.transport}, which cannot be imported ({error}): it takes "
            "Python 3.12 or later and `pip install '.[fast]'` in a clone of the project."
        ) from error
