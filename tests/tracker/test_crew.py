"""Workers of one tracker, here in one process, each on a port of its own: so a test decides where a
socket lands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.audit import Extent
from p2pcdn.core.firsts import Place
from p2pcdn.core.homes import home_of
from p2pcdn.model import home_of as address_of
from p2pcdn.service import server
from p2pcdn.service.server import ANSWER_TIME, CLOSE_TIME
from p2pcdn.service.worker import Worker
from p2pcdn.wire.candidate import parse_address
from p2pcdn.wire.codec import encode
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import Beacon, Invite, Joined, Leases, Move, Refused, SendOffer, Welcome
from tests.p2pcdn.core.swarming import live, published, sdp
from tests.p2pcdn.core.telling import gave, got, report, several, size
from tests.tracker.rig import PATIENCE, Client, Rig, join, link
from tracker import api, crew
from tracker.beacons import PATH


def content_at(index: int, among: int = 2) -> str:
    """The id of a content that is at home at this worker."""
    names = [str(number) for number in range(among)]
    ids = (f"{number:032x}" for number in range(1000))
    return next(id_ for id_ in ids if home_of(id_.encode(), names) == str(index))


FIRST, SECOND = content_at(0), content_at(1)
EXTENT = Extent(1000.0, 4, 0, 9)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "EVERY", 0.02)
    monkeypatch.setattr(api, "EVERY", 0.02)


async def rig_of(directory: Path, index: int, count: int, **limits: Any) -> Rig:
    config = Config(listen="127.0.0.1:0", tracker=TrackerConfig(**limits))
    worker = Worker(index=index, count=count, directory=str(directory), secret=b"s" * 32)
    made = Rig(config, worker=worker)
    await made.server.start()
    return made


@asynccontextmanager
async def workers(directory: Path, count: int = 2, **limits: Any) -> AsyncIterator[list[Rig]]:
    rigs = [await rig_of(directory, index, count, **limits) for index in range(count)]
    await meet(rigs)
    try:
        yield rigs
    finally:
        for rig in reversed(rigs):
            await rig.close()


async def meet(rigs: Sequence[Rig]) -> None:
    for rig in rigs:
        made = rig.tracker._crew
        assert made is not None
        await rig.until(lambda made=made: len(made._exchange.places) == len(rigs) - 1)


async def linked(early: Client, late: Client) -> str:
    """Introduce two who have just joined, the first before the second."""
    pairing = (await late.expect(Invite)).pairing
    await late.send(SendOffer(pairing, sdp()))
    await link(late, early, pairing)
    return pairing


@pytest.mark.parametrize("content", [FIRST, SECOND])
async def test_viewers_who_land_at_different_workers_find_each_other_and_count_once(
    tmp_path: Path, content: str
) -> None:
    async with workers(tmp_path) as (first, second):
        early, late = await first.joined(content=content), await second.joined(content=content)
        pairing = await linked(early, late)
        await early.send(report(1, gave(*several(75), pairing=pairing)))
        await late.send(report(1, got(*several(60), pairing=pairing)))
        await first.until(lambda: first.ledger.summary().peer_bytes_confirmed)
        summaries = [await rig.json("/api/v1/summary") for rig in (first, second)]
        for summary in summaries:
            assert summary["peer_bytes_confirmed"] == size(60)
            assert summary["peer_bytes_claimed"] == size(15)
            assert (summary["viewers"], summary["swarms"]) == (2, 1)
            assert (summary["joins"], summary["links_made"]) == (2, 1)
        async with asyncio.timeout(PATIENCE):
            # A reading is to come.
            while not (shares := await second.json("/api/v1/contents"))["contents"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert [share["content"] for share in shares["contents"]] == [content]
        await late.socket.close()
        await first.until(lambda: first.ledger.summary().viewers == 1)


async def test_the_path_may_say_what_a_socket_is_for(tmp_path: Path) -> None:
    async with workers(tmp_path) as (_, second):
        url = f"{second.url}/{FIRST}"
        client = Client(await second.session.ws_connect(url))
        await client.join(content=FIRST)
        await client.socket.close()
        for path in ("/x", f"/{FIRST}0", f"/{FIRST.upper()[:-1]}G"):
            async with second.session.get(f"{second.url}{path}") as response:
                assert response.status == 404


async def test_what_its_home_refuses_is_told_where_the_socket_is(tmp_path: Path) -> None:
    async with workers(tmp_path, joins_per_second=1.0) as (first, second):
        stranger = await second.client()
        await stranger.send(join(content=FIRST, site="pk_other"))
        assert await stranger.last_words() == ("unknown_site", 1008)
        late = await second.client()
        await late.expect(Welcome)
        await late.send(join(content=FIRST))
        refused = await late.expect(Refused)
        assert (refused.code.value, refused.retry_after is None) == ("too_fast", False)
        nobody = await second.client()
        await nobody.send("{}")
        assert await nobody.last_words() == ("malformed", 1008)
        assert first.ledger.summary().viewers == 0


async def test_with_a_worker_go_those_at_home_there_and_come_back(tmp_path: Path) -> None:
    async with workers(tmp_path) as (first, second):
        away, stays = await first.joined(content=SECOND), await first.joined(content=FIRST)
        await second.server.close()
        refused = await away.expect(Refused)
        assert refused.code.value == "draining"
        assert refused.retry_after is not None
        assert await away.last_words() == ("", 1012)
        assert await stays.lives()
        again = await first.client()  # too early
        await again.expect(Welcome)
        await again.send(join(content=SECOND))
        assert (await again.expect(Refused)).retry_after is not None
        await first.until(lambda: first.ledger.summary().viewers == 1)
        anew = await rig_of(tmp_path, 1, 2)
        await meet([first, anew])
        await first.joined(content=SECOND)
        await first.until(lambda: first.ledger.summary().viewers == 2)
        await anew.close()


async def test_while_the_first_is_away_the_others_go_on_adding_up(tmp_path: Path) -> None:
    async with workers(tmp_path) as (first, second):
        await second.joined(content=SECOND)
        await first.until(lambda: first.ledger.summary().joins == 1)
        await first.server.close()
        await second.joined(content=SECOND)
        second.tracker.account.measured(SECOND, "v", EXTENT)
        assert second.tracker.notes() != []
        async with second.session.get(f"{second.server.url}/api/v1/summary") as response:
            assert response.status == 503
        anew = await rig_of(tmp_path, 0, 2)
        await meet([anew, second])
        await anew.until(lambda: anew.ledger.summary().joins)
        summary = await second.json("/api/v1/summary")
        assert (summary["joins"], summary["viewers"]) == (1, 2)  # the other join was told before
        assert second.tracker.notes() == []
        await anew.until(lambda: list(anew.ledger.extents()) == [(SECOND, "v", EXTENT)])
        await anew.close()


async def test_the_last_that_a_worker_counted_is_written(tmp_path: Path) -> None:
    async with workers(tmp_path) as (first, second):
        second.ledger.origin_sent(1000)
        await asyncio.gather(first.server.close(), second.server.close())
        assert first.ledger.total.origin_bytes == 1000


async def test_a_mistake_as_it_tells_the_others_does_not_keep_it_from_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(tmp_path) as (first, second):
        made = second.tracker._crew
        assert made is not None
        mistakes: list[None] = []

        def mistake(*_: object) -> None:
            mistakes.append(None)
            raise RuntimeError("a mistake of ours")

        with monkeypatch.context() as patched:
            patched.setattr(made, "_tell_all", mistake)
            await second.until(lambda: mistakes)
        made._ledger.origin_sent(777)
        await first.until(lambda: first.ledger.summary().origin_bytes == 777)


async def test_who_drains_tells_at_once_what_it_has_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "EVERY", 1000.0)
    async with workers(tmp_path) as (first, second):
        second.ledger.origin_sent(1000)
        await second.tracker.drain()
        await first.until(lambda: first.ledger.total.origin_bytes == 1000)


async def test_the_first_writes_what_the_last_of_all_has_counted_before_it_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An answer under way at another worker may take this long, and then the ledger is written.
    assert ANSWER_TIME < crew.LAST_WORDS < CLOSE_TIME
    monkeypatch.setattr(crew, "LAST_WORDS", PATIENCE)
    monkeypatch.setattr(server, "CLOSE_TIME", PATIENCE)
    async with workers(tmp_path) as (first, second):
        made = first.tracker._crew
        assert made is not None
        written: list[int] = []
        hang_up, write = made._exchange.close, first.api.close

        async def writes() -> None:
            written.append(first.ledger.total.origin_bytes)
            await write()

        async def hangs_up() -> None:
            assert written == [1000]
            await hang_up()
            written.append(-1)

        monkeypatch.setattr(made._exchange, "close", hangs_up)
        monkeypatch.setattr(first.api, "close", writes)
        closing = asyncio.create_task(first.server.close())
        await first.until(lambda: not first.server._listeners)
        second.ledger.origin_sent(1000)
        await second.server.close()
        await closing
        assert written == [1000, -1]


async def test_a_page_that_goes_may_report_to_any_worker_and_counts_once(tmp_path: Path) -> None:
    async with workers(tmp_path) as (first, second):
        client = await first.client()
        await client.expect(Welcome)
        await client.send(join(content=FIRST))
        joined = await client.expect(Joined)
        assert joined.mac is not None
        last = Beacon(joined.peer, joined.mac, report(1, waste_bytes=7))
        forged = Beacon(joined.peer, "A" * 22, report(2, waste_bytes=9))
        for beacon in (last, last, forged):
            url = f"{second.server.url}{PATH}"
            headers = {"Content-Type": "text/plain"}
            async with second.session.post(url, data=encode(beacon), headers=headers) as response:
                assert response.status == 204
        # What comes again is refused at its home, what is forged where it came.
        await first.until(lambda: first.ledger.summary().refused_reports == 2)
        assert (await first.json("/api/v1/summary"))["waste_bytes"] == 7


async def test_sockets_of_an_address_are_counted_at_all_workers(tmp_path: Path) -> None:
    async with workers(tmp_path, sockets_per_address=2) as (first, second):
        one = await first.client()
        await first.client()

        def elsewhere() -> int:
            return sum(second.tracker._admission._elsewhere.get("0", {}).values())

        await second.until(lambda: elsewhere() == 2)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await second.client()
        assert caught.value.status == 429
        await one.socket.close()
        await second.until(lambda: elsewhere() == 1)
        await second.client()


async def test_what_an_origin_sends_counts_at_the_contents_home(tmp_path: Path) -> None:
    async with workers(tmp_path) as (first, second):
        await second.joined(content=SECOND)
        for rig in (first, second):
            rig.tracker.account.measured(SECOND, "v", EXTENT)
            rig.tracker.account.origin_sent(1000, 7, SECOND, Place("file", 0))
        await first.until(lambda: first.ledger.total.origin_bytes == 2000)
        total = first.ledger.total
        assert total.least_bytes == 1000  # peers could have had it
        assert second.ledger.total.least_bytes == 1000
        await first.until(lambda: list(first.ledger.extents()) == [(SECOND, "v", EXTENT)])
        assert list(second.ledger.extents()) == [(SECOND, "v", EXTENT)]


async def test_what_comes_out_reaches_its_home_and_is_told_once(tmp_path: Path) -> None:
    news = published(SECOND, 101).records
    async with workers(tmp_path) as (first, second):
        early = await first.joined(content=SECOND, position=live(100))
        late = await second.joined(content=SECOND)
        pairing = (await late.expect(Invite)).pairing
        await late.send(Move(True, live(100)), SendOffer(pairing, sdp()))
        await link(late, early, pairing)
        await early.expect(Leases)
        for rig in (first, second):
            rig.tracker.publish(news)
        assert await early.expect(Records) == news
        assert await early.lives()  # there was no second one before the answer to that
        assert not early.passed_over(Records)


async def test_a_swarm_that_is_too_large_goes_on_at_another_worker(tmp_path: Path) -> None:
    async with workers(tmp_path, largest_swarm=2) as (first, second):
        for _ in range(2):
            await second.joined(content=FIRST)
        await second.until(lambda: second.tracker._homes.is_parted(FIRST.encode()))
        third, fourth = await first.joined(content=FIRST), await second.joined(content=FIRST)
        await linked(third, fourth)
        assert second.ledger.sizes() == {FIRST: 2}
        await first.until(lambda: first.ledger.summary().viewers == 4)
        assert (await first.json("/api/v1/summary"))["swarms"] == 2


async def test_who_is_banned_at_one_worker_is_at_all(tmp_path: Path) -> None:
    address = parse_address("127.0.0.1")
    assert address is not None
    async with workers(tmp_path) as (first, second):
        second.tracker._mind.convicted(address_of(address))
        await first.until(lambda: first.tracker._mind._swarms._jury._banned)
        client = await first.client()
        await client.send(join(content=FIRST))
        assert await client.last_words() == ("banned", 1008)
