"""Whole nodes: a few of them watch the same thing over a wire that loses, lies and dawdles.

What one node does for each input is told by the scenarios; here is what has to hold whatever
happens: every segment arrives bit-exact, and every byte is accounted for, once.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcdn.core import ports
from p2pcdn.core.node import STORE_BYTES, Node
from p2pcdn.model import SegmentKey
from p2pcdn.wire.link import Bye
from p2pcdn.wire.tracker import Lease, Leases, Leave, Report
from tests.p2pcdn.core.media import IDENTITY, Media, Piece
from tests.p2pcdn.core.network import Habits, World
from tests.p2pcdn.core.shell import Shell
from tests.p2pcdn.core.viewer import LiveViewer, Viewer

MEDIA = Media.of(Piece(SegmentKey("v", n), 90_000 + 7_919 * n) for n in range(6))
LENGTH = sum(piece.length for piece in MEDIA.pieces.values())

HABITS = {
    "all is well": Habits(),
    "links break": Habits(link_breaks=0.03),
    "frames lie": Habits(frame_lies=0.03),
    "the origin fails": Habits(http_fails=0.2),
    "the origin dribbles": Habits(piece=700, http_rate=300_000),
    "uplinks are narrow": Habits(uplink=80_000),
    "everything is far away": Habits(latency=0.4, jitter=0.3),
    "everything at once": Habits(
        latency=0.1, jitter=0.3, uplink=300_000, link_breaks=0.01, frame_lies=0.01, http_fails=0.1
    ),
}


def watch(habits: Habits, seed: int, store_bytes: int = STORE_BYTES) -> tuple[World, list[Viewer]]:
    """Three viewers, three seconds apart, until all have played everything, and a while longer."""
    world = World(MEDIA, seed, replace(habits))
    viewers: list[Viewer] = []
    for number in range(3):
        world.later(number * 3.0, lambda: viewers.append(Viewer(Shell(world, store_bytes), "v")))
    finished = world.run(300.0, lambda: len(viewers) == 3 and all(v.done() for v in viewers))
    assert finished, "somebody still waits for a segment"
    world.habits = Habits()
    world.run(world.now + 20.0)  # what is under way arrives
    return world, viewers


def assert_accounted_for(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        node, arrived = viewer.shell.node, viewer.shell.arrived
        kept = node.stats.origin_bytes + node.stats.peer_bytes + node.stats.cache_bytes
        assert kept == node.store.size == LENGTH
        assert kept + node.stats.waste_bytes == arrived.links + arrived.ranges


@pytest.mark.parametrize("habits", HABITS.values(), ids=list(HABITS))
def test_every_byte_is_accounted_for(habits: Habits) -> None:
    _, viewers = watch(habits, seed=1)
    assert_accounted_for(viewers)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    habits=st.builds(
        Habits,
        latency=st.floats(0.0, 0.5),
        jitter=st.floats(0.0, 0.5),
        uplink=st.floats(20_000, 5_000_000),
        http_rate=st.floats(200_000, 5_000_000),
        piece=st.integers(2_000, 200_000),
        link_breaks=st.floats(0.0, 0.1),
        frame_lies=st.floats(0.0, 0.1),
        http_fails=st.floats(0.0, 0.3),
    ),
)
def test_every_byte_is_accounted_for_whatever_happens(seed: int, habits: Habits) -> None:
    _, viewers = watch(habits, seed)
    assert_accounted_for(viewers)


def test_when_all_is_well_who_comes_later_takes_most_from_peers() -> None:
    _, viewers = watch(Habits(), seed=2)
    first, *later = (viewer.shell.node.stats for viewer in viewers)
    assert first.origin_bytes == LENGTH
    for stats in later:
        assert stats.peer_bytes > LENGTH / 2
        assert stats.waste_bytes < LENGTH / 5
    received = sum(stats.peer_bytes for stats in later)
    assert sum(viewer.shell.node.stats.uploaded_bytes for viewer in viewers) >= received


def test_who_lies_is_cut_off_and_costs_one_chunk_a_link() -> None:
    _, viewers = watch(Habits(frame_lies=1.0), seed=3)
    for viewer in viewers:
        rejected = viewer.shell.rejected
        links = [event.link for event in rejected]
        assert None not in links
        assert len(set(links)) == len(links) == viewer.shell.node.stats.rejected_chunks
        assert viewer.shell.node.stats.peer_bytes == 0
    assert sum(viewer.shell.node.stats.rejected_chunks for viewer in viewers) > 0


def test_the_store_stays_within_its_bound() -> None:
    world, viewers = watch(Habits(), seed=4, store_bytes=LENGTH // 2)
    for viewer in viewers:
        assert 0 < viewer.shell.node.store.size <= LENGTH // 2
        assert set(viewer.shell.ready) == set(world.media.pieces)


def test_playback_never_waits_for_peers_that_break() -> None:
    alone = World(MEDIA, 5)
    plain = Viewer(Shell(alone), "v")
    assert alone.run(100.0, plain.done)
    _, viewers = watch(Habits(link_breaks=0.2, frame_lies=0.1), seed=5)
    assert all(viewer.stalled <= plain.stalled + 1e-9 for viewer in viewers)


# Live

STREAM = Media.of(
    (Piece(SegmentKey("v", n), 150_000, published=2.0 * n - 8.0) for n in range(16)), live=True
)


def grant_leases(world: World) -> None:
    """What the tracker does, long before: the first holder of each segment is somebody else."""
    for number, shell in enumerate(world.shells):
        turns = {n: (number - n) % len(world.shells) for n in range(16)}
        held = [Lease("v", n, 0, 1, 0.4 * turn) for n, turn in turns.items()]
        shell.hear(Leases(tuple(held)))


def watch_live(habits: Habits, seed: int, *, leases: bool) -> list[LiveViewer]:
    """Three viewers of a live stream, half a second apart, to its end."""
    world = World(STREAM, seed, replace(habits))
    viewers: list[LiveViewer] = []
    for number in range(3):
        world.later(number / 2, lambda: viewers.append(LiveViewer(Shell(world), "v")))
    if leases:
        world.later(3.0, lambda: grant_leases(world))
    finished = world.run(120.0, lambda: len(viewers) == 3 and all(v.done() for v in viewers))
    assert finished, "somebody still waits for a segment"
    world.habits = Habits()
    world.run(world.now + 20.0)
    return viewers


@pytest.mark.parametrize("habits", HABITS.values(), ids=list(HABITS))
def test_live_every_byte_is_accounted_for(habits: Habits) -> None:
    for viewer in watch_live(habits, seed=7, leases=True):
        node, arrived = viewer.shell.node, viewer.shell.arrived
        stats = node.stats
        kept = stats.origin_bytes + stats.peer_bytes + stats.cache_bytes
        assert kept == node.store.size >= len(viewer.keys) * 150_000
        assert kept + stats.waste_bytes == arrived.links + arrived.ranges


@pytest.mark.parametrize("leases", [True, False])
def test_each_live_segment_comes_from_the_origin_once(leases: bool) -> None:
    viewers = watch_live(Habits(), seed=8, leases=leases)
    from_origin = sum(viewer.shell.node.stats.origin_bytes for viewer in viewers)
    copies = from_origin / (len(viewers[0].keys) * 150_000)
    assert 1.0 <= copies < 1.5, "one, and what each began with"
    assert all(viewer.stalled <= 1.0 for viewer in viewers)


# One node


def node_at_zero() -> Node:
    return Node(IDENTITY, 0.0)


def test_a_node_is_nobody_until_the_tracker_lets_it_in() -> None:
    node = node_at_zero()
    assert node.peer == ""
    assert not node.knows(SegmentKey("v", 0))
    assert node.timer_at() is None
    assert node.take_messages() == []
    assert node.take_events() == []


def test_what_comes_over_links_that_are_over_is_ignored() -> None:
    node, now = node_at_zero(), 0.0
    for message in (
        ports.LinkSays(7, Bye()),
        ports.LinkDrained(7, 0),
        ports.LinkClosed(7, "closed"),
        ports.LinkOpened(7),
        ports.LinkBroke(7, "malformed"),
        ports.Described(7, "sdp"),
        ports.CandidateFound(7, "candidate", "0"),
        ports.RangeDone(7, 0.1, 0.2),
        ports.Checked(7, ok=True),
    ):
        node.receive(message, now)
    assert node.take_messages() == []
    assert node.take_events() == []


def test_late_bytes_of_a_range_are_waste() -> None:
    node = node_at_zero()
    node.receive(ports.RangeData(7, b"late"), 0.0)
    assert node.stats.waste_bytes == 4


def test_a_manifest_of_another_content_is_ignored() -> None:
    node, now = node_at_zero(), 0.0
    node.receive(ports.Playing("v", 0, 5, 10.0, live=False), now)
    page = msgspec.structs.replace(MEDIA.page("v", 0, now), content="f" * 32)
    node.receive(ports.ManifestArrived(page), now)
    assert [type(event) for event in node.take_events()] == [ports.FetchManifest]


def test_farewell_says_the_last_figures_to_a_tracker_that_listens() -> None:
    node = node_at_zero()
    node.farewell()
    assert node.take_messages() == []
    world = World(MEDIA, 6)
    shell = Shell(world)
    world.run(5.0)
    shell.node.stats.cache_bytes += 1
    shell.node.farewell()
    said = [m.message for m in shell.node.take_messages() if isinstance(m, ports.TellTracker)]
    assert [type(message) for message in said] == [Report, Leave]
    shell.node.farewell()
    assert shell.node.take_messages() == [], "it has left"


def test_one_lateness_counts_once_however_many_messages_wait() -> None:
    node = Node(IDENTITY, 0.0)
    node._wake_at = 1.0
    node._neighbours.goodput.asking(0.9)
    assert node.timer_at() == 1.0
    for number in range(40):  # they are heard before the timer rings
        node.receive(ports.Device(), 1.2 + number / 2000)
        assert node.timer_at() == 1.0
    assert node._neighbours.goodput.asking_since == pytest.approx(1.15)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_hidden_page_is_late_without_being_short_of_time(hidden: bool) -> None:
    node = Node(IDENTITY, 0.0)
    node.receive(ports.Device(hidden=hidden), 0.0)
    node._wake_at = 1.0
    node.timer_at()
    node.on_timer(1.5)
    assert (node._survey.starved_until > 1.5) is not hidden


def test_a_decision_is_put_off_anew_once_there_is_one() -> None:
    node = Node(IDENTITY, 0.0)
    for at in (1.0, 10.0):  # a report that is late leaves nothing to be decided
        node._dirty = False
        node._wake_at = at
        node.timer_at()
        node._look_at_the_clock(at + 0.4)
        assert node._decided_at == at + 0.4
