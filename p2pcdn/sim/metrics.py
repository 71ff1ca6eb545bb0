"""What a run comes to: copies beside their limit, stalls, shares; per run, viewer and segment.

Copies are what the origin sent by the content's size. A live scene counts whole segments, those
that came out while it was measured, with all that was ever sent of them. A VOD scene counts what
was sent and watched while it was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from p2pcdn.sim import limits, traffic
from p2pcdn.sim.audience import GIVERS, Viewer
from p2pcdn.sim.network import Nat
from p2pcdn.sim.scene import Scene
from p2pcdn.sim.tally import Kind
from p2pcdn.sim.traffic import NetworkRow

if TYPE_CHECKING:
    from p2pcdn.sim.world import World


@dataclass(frozen=True, slots=True)
class ViewerRow:
    """What became of one viewer."""

    viewer: int
    conduct: str
    nat: str
    uplink: float
    """Mbit/s."""
    arrived: float
    stayed: float
    startup: float | None
    stalls: int
    stalled: float
    origin_bytes: int
    peer_bytes: int
    uploaded_bytes: int
    waste_bytes: int
    rejected_chunks: int
    rescues: int
    least_margin: float | None
    """Seconds that the tightest segment came before its time; negative if it came too late."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """What became of one segment."""

    segment: int
    viewers: float
    origin_bytes: int
    copies: float
    limit: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in a line."""

    scene: str
    seed: int
    viewers: float
    """Watching at a time, on average, while it was measured."""
    copies: float
    limit: float
    score: float | None
    """Copies by the limit: 1 is the best there is. None where next to nothing is needed."""
    offload: float
    """The share of what was watched that the origin did not send."""
    offload_limit: float
    """The most that it could be."""
    overhead: float
    """In copies: all that the origin and the tracker sent beside media."""
    startup: float
    """Seconds, on average."""
    startup_p95: float
    stalls: int
    stalled: float
    """Seconds a viewer, on average."""
    stalled_share: float
    """Of the viewers."""
    top_share: float
    """Of all that was uploaded, what one peer carried at most."""
    uplink_use_p95: float
    """Of its own uplink, what a peer used at most, but for a twentieth of them."""
    waste: float
    """Of all that peers and origin sent, what was of no use."""
    rescues: int
    margin_p01: float
    """Seconds that segments came before their time; one in a hundred came later."""
    margin_p50: float
    completion_p99: float
    """Seconds: live, from when a segment comes out until viewers have it; VOD, from when a viewer
    comes until he has the last."""
    intra: float | None
    """Of what peers brought, the share that stayed within a network; None without networks, as are
    all of these."""
    intra_limit: float | None
    """The most that it could be."""
    imports: float | None
    """Copies that a network got from elsewhere, on average."""
    imports_limit: float | None
    """The least that it could be."""
    imports_most: float | None
    """The copies of the network that got the most."""
    imports_origin: float | None
    """What of ``imports`` was from the origin."""
    events: int
    digest: str


@dataclass(frozen=True, slots=True)
class Results:
    """All that is known of one run."""

    summary: Summary
    viewers: list[ViewerRow]
    segments: list[SegmentRow]
    networks: list[NetworkRow]
    margins: list[float]
    overheads: dict[str, int]
    """Bytes by what they were for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same viewers with and without peers."""

    worse: float
    """Share of the viewers that stalled for over `WORSE` seconds more with peers."""
    better: float
    """Share of those that stalled for as much less. When which request goes out into bad weather
    is luck as well: harm is what makes more viewers worse than better, or anybody in good."""
    stalled: float
    """Seconds of stalls a viewer, with peers."""
    stalled_plain: float
    startup: float
    startup_plain: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The same viewers with a tracker that knows of networks, and with one that does not."""

    reached: float
    """The share of the attainable intra share that is reached; 1 where nothing is attainable."""
    reached_blind: float
    imports: float
    imports_blind: float
    completion: float
    """Of ``completion_p99``, what it is by the one of blind matching."""


WORSE = 0.3
LEAST_LIMIT = 0.1
"""Copies, below which chance decides what a score is."""


def measure(world: World, name: str) -> Results:
    """Take stock of a run that is over."""
    rows = [_viewer(world, viewer) for viewer in world.viewers if viewer.number in world.players]
    honest = [row for row in rows if row.conduct in ("honest", "free")] or rows
    segments = _segments(world)
    margins = sorted(m for player in world.players.values() for m in player.margins)
    copies, limit, share, least = _copies(world, segments)
    uploaded = [row.uploaded_bytes for row in rows]
    received = sum(row.origin_bytes + row.peer_bytes + row.waste_bytes for row in rows)
    started = [row.startup for row in honest if row.startup is not None]
    content = _content_bytes(world)
    networks = traffic.rows(world, content)
    local = traffic.locality(networks)
    summary = Summary(
        scene=name,
        seed=world.seed,
        viewers=present(world, world.scene.warmup, world.scene.seconds),
        copies=copies,
        limit=limit,
        score=copies / limit if limit >= LEAST_LIMIT else None,
        offload=1 - share,
        offload_limit=1 - least,
        overhead=world.tally.overhead() / content if content else 0.0,
        startup=fmean(started) if started else 0.0,
        startup_p95=quantile(sorted(started), 0.95),
        stalls=sum(row.stalls for row in honest),
        stalled=fmean(row.stalled for row in honest),
        stalled_share=fmean(row.stalls > 0 for row in honest),
        top_share=max(uploaded) / sum(uploaded) if any(uploaded) else 0.0,
        uplink_use_p95=quantile(sorted(map(_use, rows)), 0.95),
        waste=sum(row.waste_bytes for row in rows) / received if received else 0.0,
        rescues=sum(row.rescues for row in rows),
        margin_p01=quantile(margins, 0.01),
        margin_p50=quantile(margins, 0.5),
        completion_p99=quantile(traffic.completion(world, measured(world)), 0.99),
        intra=local.intra if local else None,
        intra_limit=local.attainable if local else None,
        imports=local.imports if local else None,
        imports_limit=local.imports_limit if local else None,
        imports_most=local.imports_most if local else None,
        imports_origin=local.imports_origin if local else None,
        events=world.clock.happened,
        digest=world.trace.digest(),
    )
    overheads = {kind.value: size for kind, size in world.tally.measured.items()}
    return Results(summary, rows, segments, networks, margins, overheads)


def compare(peers: Results, plain: Results) -> Comparison:
    """What peers changed for the viewers who mean well."""
    pairs = [
        (a, b) for a, b in zip(peers.viewers, plain.viewers, strict=True)
        if a.conduct in ("honest", "free")
    ]  # fmt: skip
    return Comparison(
        worse=fmean(a.stalled > b.stalled + WORSE for a, b in pairs),
        better=fmean(a.stalled < b.stalled - WORSE for a, b in pairs),
        stalled=fmean(a.stalled for a, _ in pairs),
        stalled_plain=fmean(b.stalled for _, b in pairs),
        startup=peers.summary.startup,
        startup_plain=plain.summary.startup,
    )


def gain(local: Results, blind: Results) -> Gain | None:
    """What knowing of networks changed; None where there are none."""
    ways = [traffic.locality(results.networks) for results in (local, blind)]
    if ways[0] is None or ways[1] is None:
        return None
    slow = blind.summary.completion_p99
    return Gain(
        reached=ways[0].reached,
        reached_blind=ways[1].reached,
        imports=ways[0].imports,
        imports_blind=ways[1].imports,
        completion=local.summary.completion_p99 / slow if slow else 1.0,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """What so many of the ordered values do not exceed."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def present(world: World, since: float, until: float) -> float:
    """How many viewers were there at a time, on average."""
    return world.present(world.viewers, since, until)


def _viewer(world: World, viewer: Viewer) -> ViewerRow:
    number = viewer.number
    player, shell = world.players[number], world.shells.get(number)
    stats = shell.node.stats if shell is not None and shell.node is not None else None
    return ViewerRow(
        viewer=number,
        conduct=viewer.conduct.value,
        nat=viewer.nat.value,
        uplink=viewer.up / 125_000,
        arrived=viewer.arrives,
        stayed=world.stayed[number] - viewer.arrives,
        startup=None if player.started is None else player.started - viewer.arrives,
        stalls=player.stalls,
        stalled=player.stalled,
        origin_bytes=world.origins[number].media_bytes,
        peer_bytes=stats.peer_bytes if stats else 0,
        uploaded_bytes=shell.links.sent() if shell else 0,
        waste_bytes=stats.waste_bytes if stats else 0,
        rejected_chunks=stats.rejected_chunks if stats else 0,
        rescues=shell.rescues if shell else 0,
        least_margin=min(player.margins, default=None),
    )


def _use(row: ViewerRow) -> float:
    return row.uploaded_bytes / (row.uplink * 125_000 * row.stayed) if row.stayed > 0 else 0.0


# Copies


def _segments(world: World) -> list[SegmentRow]:
    media, scene = world.media, world.scene
    starters = Counter(player.first for player in world.players.values())
    rows = []
    for sequence in measured(world):
        size = world.tally.media[sequence]
        out = media.published(sequence)
        there = [v for v in world.viewers if v.arrives <= out < world.stayed.get(v.number, 0.0)]
        # Whoever joins takes the segment that he begins with by HTTP: nothing is faster.
        limit = live_limit(there, scene) + starters[sequence] if scene.live else 1.0
        rows.append(SegmentRow(sequence, len(there), size, size / media.segment_bytes, limit))
    return rows


def measured(world: World) -> range:
    """The segments that count."""
    media, scene = world.media, world.scene
    if not scene.live:
        return range(media.count)
    first = media.newest(scene.warmup) + 1
    return range(first, media.newest(max(scene.seconds - scene.tail, 0.0)) + 1)


def live_limit(there: Iterable[Viewer], scene: Scene) -> float:
    """The limit for these viewers: what those who give have to give, and who is cut off."""
    viewers = list(there)
    if not viewers:
        return 0.0
    linked = [v for v in viewers if v.nat is not Nat.BLOCKED]
    given = sum(v.up for v in linked if v.conduct in GIVERS)
    ratio = given / (len(linked) * scene.bytes_per_second) if linked else 0.0
    return limits.live(len(viewers), 1 - len(linked) / len(viewers), 1.0, ratio)


def _copies(world: World, segments: list[SegmentRow]) -> tuple[float, float, float, float]:
    """Copies and their limit, and the share of what was watched that the origin sent, and had to
    send."""
    if world.scene.live:
        copies, limit, viewers = (
            fmean(figures) if segments else 0.0
            for figures in (
                [row.copies for row in segments],
                [row.limit for row in segments],
                [row.viewers for row in segments],
            )
        )
        return copies, limit, copies / (viewers or 1.0), limit / (viewers or 1.0)
    content = world.media.count * world.media.segment_bytes
    sent, watched, least = world.tally.measured[Kind.MEDIA], world.watched, vod_share(world)
    return sent / content, least * watched / content, sent / (watched or 1), least


def vod_share(world: World) -> float:
    """The least share f of a VOD scene."""
    scene = world.scene
    blocked = scene.nat.blocked
    length = world.media.count * world.media.duration
    if scene.arrivals.kind != "poisson":
        return limits.flash(len(world.players), blocked, world.media.duration, length)
    concurrent = present(world, scene.warmup, scene.seconds)
    if scene.peers.prefetch:
        least = limits.prefetched(concurrent)
    elif scene.sessions.linger:
        least = limits.lingering(concurrent / length, scene.sessions.linger, length)
    else:
        least = limits.poisson(concurrent)
    return blocked + (1 - blocked) * least


def _content_bytes(world: World) -> float:
    """What was published while it was measured."""
    scene, media = world.scene, world.media
    if scene.live:
        return scene.bytes_per_second * (scene.seconds - scene.warmup)
    return media.count * media.segment_bytes
