"""A scene that runs: everybody is put together here, comes, watches, and goes."""

from __future__ import annotations

import gc
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from p2pcdn.core.ports import SegmentReady
from p2pcdn.core.swarm_ports import Rules
from p2pcdn.sim.audience import Viewer, audience
from p2pcdn.sim.clock import Clock, chance
from p2pcdn.sim.conduct import CONDUCTS, Honest
from p2pcdn.sim.http import Http
from p2pcdn.sim.media import Media
from p2pcdn.sim.network import End, Line, Place, Queue
from p2pcdn.sim.networks import Seat, networks
from p2pcdn.sim.origin import Origin
from p2pcdn.sim.plain import PlainLoader
from p2pcdn.sim.player import PLAYLIST, Player
from p2pcdn.sim.scene import Scene
from p2pcdn.sim.shell import Shell
from p2pcdn.sim.tally import Tally
from p2pcdn.sim.trace import Trace
from p2pcdn.sim.tracker import Tracker
from p2pcdn.sim.weather import Weather
from p2pcdn.wire.candidate import Vantage

ORIGIN = Place(0.0, 0.0, 5.0)
LOOK = 1.0
"""Seconds between two looks at whether somebody has played everything."""


class World:
    """One run of a scene, with peers or (``plain``) without."""

    def __init__(
        self, scene: Scene, seed: int, *, plain: bool = False, trace: TextIO | None = None
    ) -> None:
        self.scene = scene
        self.seed = seed
        self.clock = Clock()
        self.trace = Trace(trace)
        self.media = self.make_media()
        self.tally = Tally(scene.warmup, scene.seconds)
        self.tracker = Tracker(self.clock, self.tally, seed, rules_of(scene))
        self.viewers = audience(scene, seed)
        self.networks = networks(scene, seed, [Seat(v.network, v.address) for v in self.viewers])
        self._exits = self._make_exits()
        self.players: dict[int, Player] = {}
        self.origins: dict[int, Origin] = {}
        self.shells: dict[int, Shell] = {}
        self.stayed: dict[int, float] = {}
        """When each viewer left."""
        self.watched = 0
        """Bytes of segments that players got while the scene was measured."""
        self._plain = plain
        for viewer in self.viewers:
            self.clock.at(viewer.arrives, self._arrive, viewer)
        if scene.live and scene.peers.pushed and not plain:
            for sequence in range(self.media.behind, self.media.count):
                news = (self.tracker.publish, self.media.news(sequence))
                self.clock.at(self.media.published(sequence), *news)

    # What another kind of world may do otherwise

    def make_media(self) -> Media:
        """What is watched."""
        return Media(*shape(self.scene))

    def make_conduct(self, shell: Shell) -> Honest:
        """How a viewer's peer behaves."""
        return CONDUCTS[shell.viewer.conduct](shell)

    def linked(self, end: End, other: End) -> None:
        """These two are the open ends of a link."""

    def blamed(self, shell: Shell, link: int) -> None:
        """A viewer has found that what a link brought is wrong."""

    def played(self, shell: Shell, segment: SegmentReady) -> None:
        """A viewer's node has given a segment to the player."""

    # Between networks

    def vantage(self, viewer: Viewer) -> Vantage:
        """What the tracker knows of where a viewer is."""
        network = self.networks.get(viewer.network)
        address = ipaddress.ip_address(viewer.address)
        if network is None or self.scene.networks.blind:
            return Vantage(address)
        return Vantage(address, operator=network.name, country=network.country)

    def join(self, end: End, other: End) -> None:
        """Make one link of two ends, with whatever lies between their networks."""
        one, two = (self.viewers[e.viewer].network for e in (end, other))
        abroad = one != two
        transit = self.scene.networks.transit / 1000 if abroad else 0.0
        end.join(other, self.scene.lines.loss, transit)
        if abroad:
            end.leave_by(self._exits.get(one))
            other.leave_by(self._exits.get(two))

    def brought(self, giver: int, taker: Viewer, size: int) -> None:
        """A peer has brought bytes of media to another."""
        self.tally.route(self.viewers[giver].network, taker.network, size, self.clock.now)

    def present(self, viewers: Iterable[Viewer], since: float, until: float) -> float:
        """How many of these were there at a time, on average."""
        if until <= since:
            return 0.0
        stayed = self.stayed
        return sum(
            max(min(stayed[v.number], until) - max(v.arrives, since), 0.0)
            for v in viewers
            if v.number in stayed
        ) / (until - since)

    def _make_exits(self) -> dict[int, Queue]:
        """By network, what all that leaves it has to pass; none if that is wide enough."""
        part = self.scene.networks.uplink
        ups: Counter[int] = Counter()
        for viewer in self.viewers:
            ups[viewer.network] += int(viewer.up)
        return {number: Queue(part * ups[number]) for number in self.networks if part}

    # Its course

    def run(self, progress: Callable[[float], None] = lambda share: None) -> None:
        """Let the scene happen. ``progress`` is told now and then how much of it has."""
        steps = max(int(self.scene.seconds), 1)
        with _no_collection():
            for step in range(1, steps + 1):
                self.clock.run(self.scene.seconds * step / steps)
                progress(step / steps)
            for viewer in self.viewers:
                if viewer.number in self.players:
                    self._leave(viewer, "end")

    def _arrive(self, viewer: Viewer) -> None:
        number = viewer.number
        line = Line(viewer.up, viewer.down, viewer.place)
        http = self._http(viewer, line)
        origin = Origin(self.clock, self.media, self.tally, http, viewer.network)
        loader: PlainLoader | Shell
        if self._plain:
            loader = PlainLoader(origin)
        else:
            loader = self.shells[number] = Shell(self, viewer, line, origin)
        player = Player(self.clock, self.media, self.scene.peers.buffer, loader, self._watch)
        loader.player = player
        self.players[number], self.origins[number] = player, origin
        self.trace.note(self.clock.now, "arrive", number, viewer.conduct.value, f"{viewer.up:.0f}")
        self.clock.at(viewer.leaves, self._leave, viewer, "leave")
        if not self.scene.live:
            self.clock.after(LOOK, self._look, viewer, self.scene.sessions.linger)
        loader.start()

    def _watch(self) -> None:
        if self.clock.now >= self.scene.warmup:
            self.watched += self.media.segment_bytes

    def _look(self, viewer: Viewer, linger: float) -> None:
        """A viewer who has seen everything goes, sooner or later."""
        if viewer.number in self.stayed:
            return
        if self.players[viewer.number].done:
            self.clock.after(linger, self._leave, viewer, "done")
        else:
            self.clock.after(LOOK, self._look, viewer, linger)

    def _leave(self, viewer: Viewer, why: str) -> None:
        number = viewer.number
        if number in self.stayed:
            return
        now = self.clock.now
        self.stayed[number] = now
        player = self.players[number]
        player.stop()
        self.trace.note(now, why, number, player.stalls, f"{player.stalled:.3f}")
        if why == "end":
            return
        if number in self.shells:
            self.shells[number].stop()
        self.origins[number].close()

    def _http(self, viewer: Viewer, line: Line) -> Http:
        part = self.scene.http
        weather = Weather(
            part.good, part.bad, part.dip, part.outages,
            chance(self.seed, "weather", viewer.number),
        )  # fmt: skip
        dice = chance(self.seed, "http", viewer.number)
        return Http(self.clock, line, ORIGIN, viewer.http, part.loss, weather, dice)


def rules_of(scene: Scene) -> Rules:
    """What the tracker goes by."""
    if scene.networks.blind:
        return Rules(local_share=0.0)
    return Rules(importers=scene.networks.importers)


def shape(scene: Scene) -> tuple[int, float, int, int]:
    """What a `Media` is made of: bytes and seconds of a segment, how many, how many behind."""
    part = scene.media
    size = round(scene.bytes_per_second * part.segment)
    if scene.live:
        count = PLAYLIST + int(scene.seconds / part.segment) + 1
        return size, part.segment, count, PLAYLIST
    return size, part.segment, max(round(part.length / part.segment), 1), 0


@contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of nodes live as long as the run does: looking for those that are garbage would
    take more time than anything else."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
