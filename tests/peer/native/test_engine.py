"""The loop around a node, with everybody else played by the test."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pcdn.core.node import Node
from p2pcdn.core.ports import (
    Allow,
    Check,
    Checked,
    ChunkRejected,
    CloseLink,
    Event,
    FetchManifest,
    Input,
    LinkDown,
    LinkSends,
    LinkUp,
    Outgoing,
    Playing,
    SegmentFailed,
    SegmentReady,
    TellLink,
    TellTracker,
    TrackerDown,
    TrackerMoved,
    TrackerRefused,
    Verify,
)
from p2pcdn.errors import ErrorCode, RemoteError, SourceReason
from p2pcdn.model import SegmentKey
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import Bye
from p2pcdn.wire.tracker import Leave
from peer.native.engine import Engine, Surroundings
from peer.native.keeper import Keeper

KEY = SegmentKey("v", 0)


class FakeNode:
    """Says what it was told to say, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[Input | str] = []
        self.messages: list[Outgoing] = []
        self.answers: dict[Input, list[Event]] = {}
        self.events: list[Event] = []
        self.wake_at: float | None = None
        self.woken = asyncio.Event()
        self.error: Exception | None = None

    def receive(self, given: Input, now: float) -> None:
        self.heard.append(given)
        self.events += self.answers.get(given, [])
        if self.error is not None:
            raise self.error

    def on_timer(self, now: float) -> None:
        assert self.wake_at is not None
        assert now >= self.wake_at
        self.wake_at = None
        self.woken.set()

    def timer_at(self) -> float | None:
        return self.wake_at

    def knows(self, key: SegmentKey) -> bool:
        return False

    def farewell(self) -> None:
        self.heard.append("farewell")

    def take_messages(self) -> list[Outgoing]:
        messages, self.messages = self.messages, []
        return messages

    def take_events(self) -> list[Event]:
        events, self.events = self.events, []
        return events


class Recorder:
    """Stands for the tracker, the links and the origin."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def send(self, message: Any) -> None:
        self.done.append(message)

    def do(self, event: Event) -> None:
        self.done.append(event)

    def move(self, url: str, retry_after: float | None) -> None:
        self.done.append((url, retry_after))


class Stage:
    def __init__(self) -> None:
        self.node = FakeNode()
        self.keeper = Keeper(["v"], 1000)
        self.refused: list[TrackerRefused] = []
        self.engine = Engine(cast(Node, self.node), self.keeper, self.refused.append)
        self.around = Recorder()
        self.engine.start(Surroundings(*(cast(Any, self.around) for _ in range(4))))


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_messages_leave_before_events_are_done(stage: Stage) -> None:
    stage.node.messages = [TellLink(1, Bye()), TellTracker(Leave())]
    stage.node.answers[TrackerDown()] = [CloseLink(1), FetchManifest("v", 0)]
    stage.engine.feed(TrackerDown())
    assert stage.around.done == [TellLink(1, Bye()), Leave(), CloseLink(1), FetchManifest("v", 0)]


async def test_a_check_is_answered_once_the_rest_is_done(stage: Stage) -> None:
    right, wrong = hashlib.sha256(b"x").digest(), bytes(32)
    stage.node.answers[TrackerDown()] = [Check(1, b"x", right), Check(2, b"x", wrong), CloseLink(1)]
    stage.node.answers[Checked(1, True)] = [CloseLink(2)]
    stage.engine.feed(TrackerDown())
    assert stage.node.heard == [TrackerDown(), Checked(1, True), Checked(2, False)]
    assert stage.around.done == [CloseLink(1), CloseLink(2)]


async def test_a_signature_is_verified(stage: Stage) -> None:
    origin = Ed25519PrivateKey.generate()
    key = origin.public_key().public_bytes_raw()
    genuine = Verify(1, "ed25519", b"x", key, origin.sign(b"x"))
    forged = Verify(2, "ed25519", b"y", key, origin.sign(b"x"))
    stage.node.answers[TrackerDown()] = [genuine, forged]
    stage.engine.feed(TrackerDown())
    assert stage.node.heard == [TrackerDown(), Checked(1, True), Checked(2, False)]


async def test_the_keeper_hears_and_is_heard(stage: Stage) -> None:
    from tests.peer.native.test_keeper import page

    stage.engine.page(page(0, 1))
    assert [type(heard).__name__ for heard in stage.node.heard] == ["ManifestArrived", "Playing"]
    stage.node.answers[TrackerDown()] = [SegmentReady(KEY, b"x", 1, 0)]
    stage.engine.feed(TrackerDown())
    assert stage.keeper.progress.kept == 1
    heard = stage.node.heard[-1]
    assert isinstance(heard, Playing)
    assert heard.head == 1


async def test_a_segment_that_failed_is_for_later(stage: Stage) -> None:
    stage.node.answers[TrackerDown()] = [SegmentFailed(KEY, SourceReason.STATUS)]
    stage.engine.feed(TrackerDown())
    assert stage.keeper.timer_at() is not None


async def test_the_timer_wakes_the_node(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    stage.node.wake_at = loop.time() + 60
    stage.engine.feed(TrackerDown())
    stage.node.wake_at = loop.time() + 0.01
    stage.engine.feed(TrackerDown())
    await asyncio.wait_for(stage.node.woken.wait(), 5)


async def test_a_timer_that_comes_soon_enough_is_left_as_it_is(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    timers = []
    for late in (60.0, 61.0, 30.0):
        stage.node.wake_at = loop.time() + late
        stage.engine.feed(TrackerDown())
        timers.append(stage.engine._timer)
    assert timers[0] is timers[1] is not timers[2]
    stage.node.wake_at = None
    stage.engine.feed(TrackerDown())
    stage.engine._wake()
    assert not stage.node.woken.is_set(), "there was nothing to do"


async def test_a_part_of_a_chunk_is_nothing_to_think_about(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    thought, looked = 0, 0

    def wishes(*asked: object) -> Iterator[Input]:
        nonlocal thought
        thought += 1
        return iter(())

    def condition() -> bool:
        nonlocal looked
        looked += 1
        return False

    monkeypatch.setattr(stage.keeper, "wishes", wishes)
    waiting = asyncio.create_task(stage.engine.until(condition))
    await asyncio.sleep(0)
    part, rest = (LinkSends(1, Frame(0, at, b"x")) for at in (0, 1))
    stage.node.answers[rest] = [LinkUp(1, "a")]
    stage.engine.feed(part)
    await asyncio.sleep(0)
    assert (thought, looked) == (0, 1)
    stage.engine.feed(rest)
    await asyncio.sleep(0)
    assert (thought, looked) == (1, 2)
    assert stage.node.heard == [part, rest]
    waiting.cancel()


async def test_links_that_are_up_are_known(stage: Stage) -> None:
    stage.node.answers[TrackerDown()] = [LinkUp(1, "a"), LinkUp(2, "b"), LinkDown(1, "closed")]
    stage.node.answers[Allow(p2p=True, upload=True)] = [ChunkRejected(KEY, 0, 2)]
    stage.engine.feed(TrackerDown())
    stage.engine.feed(Allow(p2p=True, upload=True))
    assert stage.engine.links_up == {2: "b"}


async def test_a_refusal_goes_to_the_owner(stage: Stage) -> None:
    refusal = TrackerRefused(ErrorCode.DRAINING, 1.0)
    stage.node.answers[TrackerDown()] = [refusal]
    stage.engine.feed(TrackerDown())
    assert stage.refused == [refusal]


async def test_the_trackers_socket_is_sent_to_another_node(stage: Stage) -> None:
    stage.node.answers[TrackerDown()] = [TrackerMoved("wss://b.example/tracker/v1", 1.5)]
    stage.engine.feed(TrackerDown())
    assert stage.around.done == [("wss://b.example/tracker/v1", 1.5)]


async def test_what_somebody_else_did_wrong_ends_nothing(stage: Stage) -> None:
    stage.node.error = RemoteError(ErrorCode.WRONG_CONTENT)
    stage.engine.feed(TrackerDown())
    stage.engine.feed(TrackerDown())
    assert len(stage.node.heard) == 2
    assert stage.engine.failure is None


async def test_a_bug_ends_it_and_everybody_who_waits_is_told(stage: Stage) -> None:
    waiting = asyncio.create_task(stage.engine.until(lambda: False))
    await asyncio.sleep(0)
    stage.node.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        stage.engine.feed(TrackerDown())
    with pytest.raises(ZeroDivisionError):
        await waiting
    stage.engine.feed(TrackerDown())
    assert len(stage.node.heard) == 1


async def test_waiting_for_a_condition(stage: Stage) -> None:
    waiting = asyncio.create_task(stage.engine.until(lambda: len(stage.node.heard) == 2))
    stage.engine.feed(TrackerDown())
    await asyncio.sleep(0)
    assert not waiting.done()
    stage.engine.feed(TrackerDown())
    await asyncio.wait_for(waiting, 5)


async def test_after_a_farewell_and_a_stop_nothing_is_taken_in(stage: Stage) -> None:
    stage.engine.farewell()
    assert stage.node.heard == ["farewell", Allow(p2p=False, upload=False)]
    stage.engine.stop()
    stage.engine.feed(TrackerDown())
    stage.engine.farewell()
    assert len(stage.node.heard) == 2
