"""Who belongs to another node goes there: as he comes, as homes change, and as this node goes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from p2pcdn.core.homes import home_of
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.codec import encode_utf8
from p2pcdn.wire.tracker import Moved
from tests.tracker.exchange.meeting import FACTS, Echo
from tests.tracker.rig import join
from tracker.guests import Here, Realm
from tracker.homes import Homes
from tracker.nodes.moves import Moves
from tracker.visits import OURS, Tour, Visit

ME, OTHER, THIRD = (f"ws://{name}.example/tracker/v1" for name in "abc")


class Nodes:
    """Others, as a test will have them."""

    url = ME

    def __init__(self) -> None:
        self.there = [ME, OTHER]
        self.reached = {OTHER}
        self.realms = {OTHER: Echo(), THIRD: Echo()}

    @property
    def count(self) -> int:
        return len(self.there)

    def home(self, key: bytes) -> str:
        return home_of(key, self.there)

    def next_home(self, key: bytes) -> str | None:
        others = [url for url in self.there if url != ME]
        return home_of(key, others) if others else None

    def reaches(self, url: str) -> bool:
        return url in self.reached

    def at(self, url: str, index: int) -> Realm:
        return self.realms[url]


class Line:
    """A socket's."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.closed: list[ErrorCode | None] = []

    def tell(self, text: bytes) -> None:
        self.told.append(msgspec.json.decode(text))

    def dismiss(self, code: ErrorCode | None) -> None:
        self.closed.append(code)

    def refuse(self, text: bytes | None, code: ErrorCode) -> None:
        self.closed.append(code)


class Stage:
    def __init__(self) -> None:
        self.nodes = Nodes()
        self.here = Echo()
        self.moves = Moves(self.nodes, Homes.alone([self.here, Echo()]))
        self._contents = 0

    def content(self, url: str, there: list[str] | None = None) -> str:
        """One more that is at home there."""
        places = there or self.nodes.there
        while True:
            self._contents += 1
            content = f"{self._contents:032x}"
            if home_of(content.encode(), places) == url:
                return content

    def comes(self, content: str, *, follows: bool = True) -> Line:
        line = Line()
        visit = Visit(self.moves, self.moves.sends_on)
        visit.guest = Here(cast(Any, line), FACTS, lambda error, retry: None)
        self.moves.enter(visit)
        visit.hear(encode_utf8(join(content=content, follows=follows)))
        return line

    async def changes(self, *there: str, reached: str | None = None) -> None:
        self.nodes.there = list(there)
        if reached is not None:
            self.nodes.reached.add(reached)
        self.moves.changed()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


def moved(line: Line) -> str | None:
    [said] = line.told[-1:] or [{}]
    return said.get("url") if said.get("type") == "moved" else None


async def test_who_is_right_stays(stage: Stage) -> None:
    line = stage.comes(stage.content(ME))
    assert (moved(line), line.closed) == (None, [])
    assert len(stage.here.guests) == 1


async def test_who_follows_is_sent_on_as_he_comes(stage: Stage) -> None:
    content = stage.content(OTHER)
    line = stage.comes(content)
    assert (moved(line), line.closed) == (f"{OTHER}/{content}", [None])
    assert not stage.here.guests
    assert not stage.nodes.realms[OTHER].guests


async def test_who_does_not_is_passed_on(stage: Stage) -> None:
    line = stage.comes(stage.content(OTHER), follows=False)
    assert (moved(line), line.closed) == (None, [])
    assert len(stage.nodes.realms[OTHER].guests) == 1


async def test_or_matched_here_where_there_is_no_line(stage: Stage) -> None:
    stage.nodes.reached.clear()
    line = stage.comes(stage.content(OTHER), follows=False)
    assert line.closed == []
    assert len(stage.here.guests) == 1


async def test_a_client_of_webtorrents_is_at_the_homes_of_what_it_names(stage: Stage) -> None:
    theirs, ours = stage.content(OTHER).encode(), stage.content(ME).encode()
    assert stage.moves.home(theirs) == OTHER
    assert stage.moves.home(ours) == stage.moves.name
    assert not stage.moves.is_alone
    assert stage.moves.at(OTHER, OURS) is stage.nodes.realms[OTHER]
    assert stage.moves.at(stage.moves.name, OURS) is stage.here
    stage.nodes.there = [ME]
    assert stage.moves.is_alone


async def test_a_client_of_webtorrents_goes_along_as_nodes_come(stage: Stage) -> None:
    info_hash = next(
        h for h in map(str, range(10**19, 2 * 10**19)) if home(h, [ME, OTHER]) == OTHER
    )
    announce = b'{"action":"announce","info_hash":"%s"}' % info_hash.encode()
    stage.nodes.there = [ME]
    tour = Tour(stage.moves)
    tour.guest = Here(cast(Any, Line()), FACTS, lambda error, retry: None)
    tour.hear(announce)
    assert not stage.nodes.realms[OTHER].guests
    stage.nodes.there = [ME, OTHER]
    tour.hear(announce)
    assert len(stage.nodes.realms[OTHER].guests) == 1


async def test_when_homes_change_those_go_who_belong_elsewhere(stage: Stage) -> None:
    now, then = [ME, OTHER], [ME, OTHER, THIRD]
    going = next(c for c in iter(lambda: stage.content(ME, now), "") if home(c, then) == THIRD)
    staying = next(c for c in iter(lambda: stage.content(ME, now), "") if home(c, then) == ME)
    lines = [stage.comes(content) for content in (going, staying)]
    stubborn = stage.comes(going, follows=False)
    await stage.changes(*then)
    assert [moved(line) for line in lines] == [f"{THIRD}/{going}", None]
    assert stubborn.closed == [], "there is no way to have it thought for there"
    await stage.changes(*then, reached=THIRD)
    assert stubborn.closed == [ErrorCode.DRAINING], "it comes again, and is passed on"


async def test_those_of_a_swarm_that_is_full_stay(stage: Stage) -> None:
    """Newcomers belong to the next worker, those who are here belong here still."""
    homes = Homes("0", ["0", "1"], lambda _, index: stage.here, most=1)
    stage.moves = Moves(stage.nodes, homes)
    content = stage.content(ME)
    lines = [stage.comes(content, follows=follows) for follows in (True, False)]
    homes.told(homes.home(content.encode()), [content.encode()])
    await stage.changes(ME)
    assert [line.closed for line in lines] == [[], []]


async def test_who_was_passed_on_to_a_node_that_is_gone_comes_again(stage: Stage) -> None:
    line = stage.comes(stage.content(OTHER), follows=False)
    await stage.changes(ME)
    assert line.closed == [ErrorCode.DRAINING]


async def test_they_go_a_few_at_a_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await again.wait()

    stage.nodes.there = [ME]
    contents = [stage.content(OTHER, [ME, OTHER]) for _ in range(25)]
    lines = [stage.comes(content) for content in contents]
    stage.nodes.there = [ME, OTHER]
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", sleep)
        stage.moves.changed()
        task = stage.moves._task
        assert task is not None
        while not slept:
            await asyncio.wait([task], timeout=0.001)
        assert sum(moved(line) is not None for line in lines) == 10
        again.set()
        await task
    assert all(moved(line) is not None for line in lines)
    assert slept == [0.05, 0.05]


async def test_who_has_gone_is_not_sent(stage: Stage) -> None:
    line = stage.comes(stage.content(ME))
    [visit] = stage.moves._visits
    stage.moves.leave(visit)
    await stage.changes(OTHER)
    assert moved(line) is None


async def test_a_node_that_goes_sends_all_who_follow(stage: Stage) -> None:
    content = stage.content(ME)
    line, other = stage.comes(content), stage.comes(content, follows=False)
    stage.moves.drain()
    assert moved(line) == f"{OTHER}/{content}"
    assert 1.0 <= line.told[-1]["retry_after"] <= 5.0
    assert moved(other) is None
    await stage.moves.close()


async def test_many_who_are_sent_as_a_node_goes_do_not_all_come_at_once(stage: Stage) -> None:
    stage.nodes.there = [ME, OTHER, THIRD]
    content = stage.content(ME)
    lines = [stage.comes(content) for _ in range(8000)]
    stage.moves.drain()
    after = [line.told[-1]["retry_after"] for line in lines]
    assert 1.0 <= min(after) < 5.0
    assert 19.0 < max(after) <= 21.0, "4000 for each of the others, which let in 200 a second"
    await stage.moves.close()


async def test_the_last_node_sends_nobody(stage: Stage) -> None:
    line = stage.comes(stage.content(ME))
    stage.nodes.there = [ME]
    stage.moves.drain()
    assert line.closed == []


async def test_no_more_are_sent_once_it_is_closed(stage: Stage) -> None:
    line = stage.comes(stage.content(ME))
    stage.nodes.there = [OTHER]
    stage.moves.changed()
    await stage.moves.close()
    assert moved(line) is None


def test_a_url_with_a_content_may_be_sent() -> None:
    longest = f"wss://{'a' * 180}/tracker/v1"
    assert len(Moved(f"{longest}/{'0' * 32}").url) <= 256


def home(content: str, places: list[str]) -> str:
    return home_of(content.encode(), places)
