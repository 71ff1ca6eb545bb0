"""A swarm of native peers and viewers, in which some of the peers are killed again and again.

::

    survivors   ----------------------------------------------------
    victims     ------x--------------------x-------------------------   kill -9, and started again
                 --------x--------------------x----------------------   on the store that they had
    viewers         --------------------------------------------   of recordings they take all that
                              ----------------------------------   peers have as they come: so they
                                        ------------------------   come while peers go
    one plain viewer among them: the same film, with no snippet on its page

Looked at are what each process takes (`/proc`), whether the players wait, and at the end each file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from origin.synth import Rendition
from peer.native.disk.segment_file import SegmentFile
from peer.native.transport.ice import local_addresses
from tests.e2e.servers import Command, peer
from tests.e2e.viewer import Stage, Viewer

SMALL = (Rendition("180p", 320, 180, 200_000, segment_bytes=100_000),)
"""Segments of two chunks: twenty copies of a minute are 60 MB, which two cores have time for."""

STARTING = 3
"""Peers that start at once: each takes most of a second of a core to be imported."""
PATIENCE = 60.0
"""Seconds that a state may take to be reached on a busy machine."""

GROWTH = 1.1
"""By how much what a process takes may grow from the half to the end, when nothing comes any more:
it is a hundredth at most, and a tenth is what the allocator does with some more links."""
NOTHING = "0 B, 0 B"
SPARE = 3
"""Descriptors that may be more than before: a connection that is kept for the next question, or
what a first question opened. A killed neighbour that is not forgotten keeps one for each address
of the machine, and even in half a minute a survivor has one or two of them, and some have more."""

SHORT = {"maxBufferLength": 6, "maxMaxBufferLength": 6}
"""A player that would soon wait if nothing came."""

COUNT_WAITS = """
window.waits = 0;
document.addEventListener("waiting", ({ target: video }) => {
  const ranges = [...Array(video.buffered.length).keys()];
  const isThere = ranges.some((n) => video.buffered.start(n) <= video.currentTime + 0.1
    && video.buffered.end(n) > video.currentTime + 0.5);
  if (video.currentTime > 0 && !video.seeking && !isThere) window.waits += 1;
}, true);
"""
"""Stalls for want of media. A picture that stands while there is some to play stands for want of
a core, and says something of the machine."""

FIGURES = re.compile(
    r": (?P<state>complete|\d+ of \d+ segments|looking what there is): "
    r"(?P<origin>[\d.]+ \w+) by the origin, (?P<peers>[\d.]+ \w+) by peers; "
    r".* shared, (?P<links>\d+) links?$"
)
"""What `p2pcdn peer` prints."""


@dataclass(frozen=True)
class Use:
    """What a process takes."""

    memory: int
    """Bytes that are resident."""
    descriptors: int

    @classmethod
    def of(cls, command: Command, media: Path | None = None) -> Use:
        """Of a server, but for the files of its media that it keeps open for whoever is next."""
        process = Path("/proc") / str(command.process.pid)
        found = re.search(r"^VmRSS:\s+(\d+) kB$", (process / "status").read_text(), re.MULTILINE)
        assert found, f"{process} has ended"
        opened = 0
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                kept = media is not None and descriptor.readlink().is_relative_to(media)
                opened += not kept
        return cls(int(found[1]) * 1024, opened)


@dataclass
class Native:
    """A native peer with a store, which may be killed and started again."""

    media: str
    store: Path
    command: Command = field(init=False)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start(self) -> None:
        """Run it; it has joined when this returns."""
        self.command = await self._stack.enter_async_context(
            peer(self.media, "--store", str(self.store))
        )
        await self.command.printed("by the origin")

    async def kill(self) -> None:
        await self.command.kill()
        await self._stack.aclose()

    async def stop(self) -> None:
        await self._stack.aclose()

    @property
    def figures(self) -> dict[str, str]:
        """What it has printed last."""
        for line in reversed(self.command.output):
            if found := FIGURES.search(line):
                return found.groupdict()
        raise AssertionError(self.command.text)

    @property
    def is_complete(self) -> bool:
        return self.figures["state"] == "complete"

    @property
    def beside_links(self) -> int:
        """Descriptors that are not of links, of which each has a socket on each address."""
        sockets = len(local_addresses(None))
        return Use.of(self.command).descriptors - sockets * int(self.figures["links"])

    def files(self) -> list[str]:
        """The digest of each segment that is in its store."""
        return sorted(
            hashlib.sha256(b"".join(file.read(chunk) or b"" for chunk in file.chunks())).hexdigest()
            for file in map(SegmentFile, self.store.glob("?" * 32 + "/??/*"))
        )


@dataclass
class Outcome:
    """What came of it."""

    uses: dict[str, list[tuple[float, Use]]]
    """Of the server and of each survivor, by the seconds since the first was killed; the first of
    them before that, the last after all has settled."""
    kills: int
    anew: list[str]
    """What those who had all when they were killed took from others when they were back."""
    waits: list[int]
    """Of each viewer; the last is the plain one."""
    stalls: list[int]
    """The same, whatever the reason."""
    compared: int
    """Segments of viewers that were the film's."""
    copies: float
    """Of the film that the origin sent to all together."""
    plain_copies: float
    """Of these, what the plain viewer's player was given."""

    def by(self, at: float) -> tuple[Use, Use]:
        """What was seen last by then: of the server, and of a survivor on average."""
        seen = {
            name: [use for when, use in uses if when <= at or use is uses[0][1]][-1]
            for name, uses in self.uses.items()
        }
        server, others = seen.pop("server"), list(seen.values())
        return server, Use(
            sum(use.memory for use in others) // len(others),
            round(sum(use.descriptors for use in others) / len(others)),
        )

    @property
    def faults(self) -> list[str]:
        """What should not be; of descriptors `play` itself waits until they are few again."""
        *viewers, plain = self.waits
        found = [f"a viewer waited {n} times, the plain one {plain}" for n in viewers if n > plain]
        found += [f"of a whole store came anew: {took}" for took in self.anew if took != NOTHING]
        ends = max(when for when, _ in self.uses["server"])
        for who, half, end in zip(
            ("the server", "a peer"), self.by(ends / 2), self.by(ends), strict=True
        ):
            if end.memory > GROWTH * half.memory:
                found.append(f"{who} grew from {half.memory} bytes to {end.memory}")
        return found


@dataclass(frozen=True)
class Scene:
    """How many, and how long."""

    natives: int = 20
    viewers: int = 4
    victims: int = 5
    seconds: float = 120
    every: float = 6
    """Seconds between two kills."""


async def play(scene: Scene, stage: Stage, server: Command, film: Path, stores: Path) -> Outcome:
    """Play it. ``film`` is the directory of what is watched. Fails on whatever does not get to the
    state that it has to get to."""
    natives = [Native(stage.media, stores / str(n)) for n in range(scene.natives)]
    victims, survivors = natives[: scene.victims], natives[scene.victims :]
    turn = asyncio.Semaphore(STARTING)

    async def start(native: Native) -> None:
        async with turn:
            await native.start()

    empty = Use.of(server).descriptors
    async with contextlib.AsyncExitStack() as stack:
        for native in natives:
            stack.push_async_callback(native.stop)
        await asyncio.gather(*map(start, natives))
        # What grows until all is there says nothing of what grows without end.
        await until(lambda: all(native.is_complete for native in natives), natives)
        usual = median(native.beside_links for native in survivors)
        watched = {native.store.name: native.command for native in survivors} | {"server": server}
        async with looked_at(watched) as uses:
            coming = asyncio.create_task(come(scene, stage, stack))
            kills, anew = await churn(scene, victims)
            viewers = await coming
            await until(lambda: all(native.is_complete for native in natives), natives)
            # Nobody keeps a socket of those who were killed. A link that is being made has some
            # before it counts: whoever had none too many at any time since is well.
            unsettled = set(range(scene.victims, scene.natives))

            def is_settled() -> bool:
                level = [n for n in unsettled if natives[n].beside_links <= usual + SPARE]
                unsettled.difference_update(level)
                return not unsettled

            await until(is_settled, natives)
            await members(server, scene.natives + scene.viewers)
        outcome = await judged(viewers, server, film, uses, kills, anew)
        await asyncio.gather(*(native.stop() for native in natives))
    await members(server, 0)
    await until(lambda: Use.of(server, film).descriptors <= empty + SPARE, [])
    whole = sorted(hashlib.sha256(data).hexdigest() for data in segments(film))
    for native in natives:
        assert native.files() == whole, native.store
    return outcome


async def come(scene: Scene, stage: Stage, stack: contextlib.AsyncExitStack) -> list[Viewer]:
    """Open one viewer after the other as peers are killed, the plain one in their midst; it is the
    last that is returned."""
    queries: list[dict[str, Any]] = [{}] * scene.viewers
    queries.insert(scene.viewers // 2, {"snippet": ""})
    before = f"{COUNT_WAITS}window.playerConfig = {json.dumps(SHORT)}"
    viewers = []
    for query in queries:
        viewer = await stack.enter_async_context(stage.viewer(before=before, **query))
        viewers.append(viewer)
        await asyncio.sleep(scene.seconds / len(queries))
    plain = viewers.pop(scene.viewers // 2)
    for viewer in viewers:
        await viewer.links()
    return [*viewers, plain]


async def churn(scene: Scene, victims: list[Native]) -> tuple[int, list[str]]:
    """Kill one after the other, and start each again at once; how many were killed, and what those
    who had all took anew."""
    ends = time.monotonic() + scene.seconds
    kills, back = 0, []

    async def again(victim: Native) -> str:
        had_all = victim.is_complete
        await victim.kill()
        await victim.start()
        await until(lambda: victim.is_complete, [victim])
        figures = victim.figures
        return f"{figures['origin']}, {figures['peers']}" if had_all else ""

    while time.monotonic() < ends:
        back.append(asyncio.create_task(again(victims[kills % len(victims)])))
        kills += 1
        await asyncio.sleep(scene.every)
        # Who is not back yet cannot be killed.
        if kills >= len(victims):
            await back[kills - len(victims)]
    return kills, [took for took in await asyncio.gather(*back) if took]


@contextlib.asynccontextmanager
async def looked_at(
    commands: dict[str, Command],
) -> AsyncIterator[dict[str, list[tuple[float, Use]]]]:
    """Look at what these take, every second, from now until the end."""
    began = time.monotonic()
    uses: dict[str, list[tuple[float, Use]]] = {name: [] for name in commands}

    def look() -> None:
        for name, command in commands.items():
            uses[name].append((time.monotonic() - began, Use.of(command)))

    async def look_on() -> None:
        while True:
            look()
            await asyncio.sleep(1)

    looking = asyncio.create_task(look_on())
    try:
        yield uses
        look()
    finally:
        looking.cancel()


async def judged(
    viewers: list[Viewer],
    server: Command,
    film: Path,
    uses: dict[str, list[tuple[float, Use]]],
    kills: int,
    anew: list[str],
) -> Outcome:
    """What the viewers and the account say; fails unless all play on, what the film is."""
    probes = [await viewer.probe() for viewer in viewers]
    for viewer, probe in zip(viewers, probes, strict=True):
        assert probe["errors"] == [], (probe, viewer.console)
        await viewer.until(f"() => probe.played > {probe['played']} + 0.5 || video.ended")
    waits: list[Any] = [await viewer.page.evaluate("() => window.waits") for viewer in viewers]
    summary = await server.json("/api/v1/summary")
    size = sum(map(len, segments(film)))
    return Outcome(
        uses,
        kills,
        anew,
        waits,
        [probe["stalls"] for probe in probes],
        sum([await viewer.assert_exact(film.parent) for viewer in viewers]),
        summary["origin_bytes"] / size,
        probes[-1]["given"] / size,
    )


def segments(film: Path) -> list[bytes]:
    """What there is of it to be played, without its playlists."""
    return [path.read_bytes() for path in film.iterdir() if path.suffix not in (".m3u8", ".json")]


async def until(condition: Any, natives: list[Native]) -> None:
    """Wait for it to hold."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - of other processes
                await asyncio.sleep(0.25)
    except TimeoutError:
        said = [(n.store.name, n.beside_links, n.figures) for n in natives]
        raise AssertionError(f"not within {PATIENCE:.0f} s: {said}") from None


async def members(server: Command, count: int) -> None:
    """Wait until the tracker knows of so many peers, and no more."""
    found = -1.0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
            while found != count:
                async with http.get(f"{server.url}/metrics") as answer:
                    text = await answer.text()
                shown = re.search(r"^p2pcdn_tracker_peers (\S+)$", text, re.MULTILINE)
                found = float(shown[1]) if shown else -1
                await asyncio.sleep(0.25)
    assert found == count, f"the tracker knows {found} peers of {count}"
