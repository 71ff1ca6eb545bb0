"""WebTorrent's clients: whose pages may come, and what their sockets hear, real ones included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from p2pcdn.config import Config, SiteConfig, TrackerConfig, WebTorrentConfig
from p2pcdn.core.access import Site
from p2pcdn.core.homes import home_of
from p2pcdn.errors import ErrorCode, RemoteError
from tests.p2pcdn.core.torrenting import HASH, ids, offer
from tests.tracker.rig import Rig, rig
from tests.tracker.test_crew import workers
from tracker.guests import Facts
from tracker.networks import Networks
from tracker.webtorrent import FIRST_WORDS, PATH, Doors, WebTorrent, limits, rules

HERE = "https://www.example.com"


# Who may come


def refused(doors: Doors, origin: str | None, host: str = "tracker.example.com") -> str:
    """Why somebody may not come; nothing if it may."""
    try:
        doors.check(origin, host)
    except RemoteError as error:
        return f"{error.code.value}: {error.detail}"
    return ""


def test_unless_told_otherwise_only_the_trackers_own_pages_may_come() -> None:
    doors = Doors(WebTorrentConfig(), {"pk_demo": Site()})
    assert refused(doors, HERE, "www.example.com") == ""
    assert refused(doors, HERE).startswith("wrong_origin: ")
    assert "tracker.webtorrent.origins" in refused(doors, HERE)
    assert HERE in refused(doors, HERE)
    assert "no page" in refused(doors, None)
    assert refused(doors, "null", "null")
    assert refused(doors, "https://www.example.com:8443", "www.example.com")


def test_pages_that_are_named_may_come() -> None:
    doors = Doors(WebTorrentConfig(origins=(HERE,)), {})
    assert refused(doors, HERE) == ""
    assert refused(doors, "http://www.example.com")
    assert refused(doors, None)


def test_anybody_may_come_if_the_operator_says_so() -> None:
    doors = Doors(WebTorrentConfig(origins=("*",)), {})
    assert refused(doors, None) == refused(doors, HERE) == refused(doors, "null") == ""


@pytest.mark.parametrize(
    "site", [Site(enabled=False), Site(tokens=True), Site(mode="lan"), Site(mode="off")]
)
def test_pages_of_a_site_may_come_if_it_is_open_to_all(site: Site) -> None:
    named = frozenset([HERE])
    doors = Doors(WebTorrentConfig(), {"a": Site(origins=named)})
    assert refused(doors, HERE) == ""
    closed = Site(site.enabled, site.mode, tokens=site.tokens, origins=named)
    assert doors.change({"a": closed}) == named
    assert refused(doors, HERE)
    assert refused(doors, HERE, "www.example.com")  # its own, but shut
    assert doors.change({"a": closed, "b": Site(origins=named)}) == frozenset()
    assert refused(doors, HERE) == ""


def test_who_is_named_elsewhere_stays_when_a_site_closes() -> None:
    site = {"a": Site(origins=frozenset([HERE]))}
    assert Doors(WebTorrentConfig(origins=(HERE,)), site).change({}) == frozenset()
    assert Doors(WebTorrentConfig(origins=("*",)), site).change({}) == frozenset()
    assert Doors(WebTorrentConfig(), site).change({}) == {HERE}


# What they may


def test_their_sockets_have_limits_of_their_own() -> None:
    config = TrackerConfig(webtorrent=WebTorrentConfig(message_bytes=5000), burst=7)
    assert limits(config).message_bytes == 5000
    assert limits(config).burst >= 2 * config.webtorrent.swarms_per_socket
    assert limits(config).hello_timeout == FIRST_WORDS


def test_the_mind_knows_what_the_settings_say() -> None:
    given = WebTorrentConfig(
        info_hashes=("ab" * 20,), interval=60, offers=3, pending_offers=4, swarms_per_socket=5,
        peers_per_address=6,
    )  # fmt: skip
    known = rules(TrackerConfig(webtorrent=given, peers_per_hour=7, prefix_share=0.5))
    assert known.info_hashes == {"\xab" * 20}
    assert (known.interval, known.offers, known.pending_offers) == (60, 3, 4)
    assert (known.swarms_per_socket, known.peers_per_address) == (5, 6)
    assert (known.peers_per_hour, known.prefix_share) == (7, 0.5)


# The realm


@dataclass
class Nobody:
    """A guest without a socket."""

    source: str = "203.0.113.7"
    told: list[dict[str, Any]] = field(default_factory=list)
    dismissed: list[ErrorCode | None] = field(default_factory=list)
    fails: bool = False

    @property
    def facts(self) -> Facts:
        return Facts(self.source, "Firefox", None, "nonce")

    def tell(self, text: bytes) -> None:
        if self.fails:
            raise OSError("gone")
        self.told.append(json.loads(text))

    def dismiss(self, code: ErrorCode | None) -> None:
        self.dismissed.append(code)

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        raise AssertionError


def announce(peer: str, offers: int = 0, **changes: Any) -> bytes:
    made = [{"offer": offer(), "offer_id": f"{number:020}"} for number in range(offers)]
    said = {"action": "announce", "info_hash": HASH, "peer_id": ids(peer), "offers": made}
    return json.dumps(said | changes).encode()


@pytest.fixture
async def realm() -> AsyncIterator[WebTorrent]:
    made = WebTorrent(TrackerConfig(), Networks())
    yield made
    made.close()


async def test_guests_are_told_what_the_mind_decides(realm: WebTorrent) -> None:
    a, b = Nobody("203.0.113.7"), Nobody("203.0.113.8")
    numbers = [realm.opened(a), realm.opened(b)]
    realm.said(numbers[0], announce("a"))
    realm.said(numbers[1], announce("b", offers=1))
    assert [set(said) & {"interval", "offer"} for said in a.told] == [{"interval"}, {"offer"}]
    realm.closed(numbers[0])
    realm.said(numbers[1], announce("b"))
    assert b.told[-1]["incomplete"] == 1


async def test_who_cannot_be_told_is_no_ones_loss(realm: WebTorrent) -> None:
    a, b, c = (Nobody(f"203.0.113.{number}") for number in range(3))
    numbers = [realm.opened(guest) for guest in (a, b, c)]
    realm.said(numbers[0], announce("a"))
    realm.said(numbers[1], announce("b"))
    a.fails = True
    with pytest.raises(OSError, match="gone"):
        realm.said(numbers[2], announce("c", offers=2))
    assert len(b.told) == 2


async def test_the_mind_is_woken(realm: WebTorrent) -> None:
    """Somebody who is never there is dismissed when his time is over."""
    guest = Nobody()
    number = realm.opened(guest)
    loop = asyncio.get_running_loop()
    assert 230 < (realm._wakes_at or 0.0) - loop.time() < 241
    realm._torrents._wheel.put(realm._torrents._sockets[number], loop.time() - 5)
    realm._act()
    async with asyncio.timeout(5):
        while not guest.dismissed:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
    assert guest.dismissed == [ErrorCode.TIMEOUT]
    assert realm._wakes_at is None
    realm.closed(number)


async def test_last_words_are_in_their_protocol(realm: WebTorrent) -> None:
    for error in (RemoteError(ErrorCode.TOO_FAST, "slower, please"), RemoteError(ErrorCode.SLOW)):
        text = realm.complain(error)
        assert text is not None
        told = json.loads(text)
        assert (told["action"], told["info_hash"]) == ("announce", "")
        assert told["failure reason"] == (error.detail or error.code.value)


# The socket


class Client:
    """A client's socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, said: bytes) -> None:
        await self.socket.send_str(said.decode())

    async def told(self) -> dict[str, Any]:
        """What it is told next, in a text frame."""
        async with asyncio.timeout(5):
            received = await self.socket.receive()
        assert received.type is aiohttp.WSMsgType.TEXT, received
        told: dict[str, Any] = json.loads(received.data)
        return told


async def client(tracker: Rig, origin: str | None = None) -> Client:
    headers = {} if origin is None else {"Origin": origin}
    url = tracker.server.url + PATH
    return Client(await tracker.session.ws_connect(url, headers=headers))


OPEN = WebTorrentConfig(origins=("*",))


async def test_clients_meet_over_sockets_and_hear_nothing_else() -> None:
    async with rig(webtorrent=OPEN) as tracker:
        a, b = await client(tracker), await client(tracker)
        await a.say(announce("a", event="started"))
        assert (await a.told())["incomplete"] == 1
        await b.say(announce("b", offers=1))
        assert (await b.told())["incomplete"] == 2
        passed = await a.told()
        assert passed["offer"] == offer()
        answer = {"answer": {"sdp": "x"}, "to_peer_id": ids("b"), "offer_id": passed["offer_id"]}
        await a.say(announce("a", **answer))
        assert (await b.told())["answer"] == {"sdp": "x"}
        await a.socket.close()
        await tracker.until(lambda: tracker.tracker._webtorrent._torrents.peers == 1)
        await b.say(announce("b", event="stopped"))
        assert (await b.told())["incomplete"] == 0
        await b.socket.close()
        await tracker.until(lambda: not tracker.tracker._announcers)


async def test_what_is_wrong_closes_no_socket() -> None:
    async with rig(webtorrent=OPEN) as tracker:
        a = await client(tracker)
        for wrong in (b"{", b"[]", announce("a", info_hash="short"), b'{"action":"dance"}'):
            await a.say(wrong)
            told = await a.told()
            assert told["action"] == "announce"
            assert told["failure reason"]
        await a.say(announce("a"))
        assert (await a.told())["incomplete"] == 1
        await a.socket.close()


async def test_a_message_may_be_larger_than_those_of_our_peers() -> None:
    async with rig(webtorrent=OPEN, message_bytes=1024) as tracker:
        a = await client(tracker)
        await a.say(announce("a", offers=20))
        assert (await a.told())["warning message"]
        await a.socket.close()


async def status(tracker: Rig, origin: str | None) -> tuple[int, str]:
    """What somebody from there is answered."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    } | ({} if origin is None else {"Origin": origin})
    url = tracker.server.url + PATH
    async with tracker.session.get(url, headers=headers) as answer:
        if answer.status == 101:
            return 101, ""
        return answer.status, (await answer.json())["error"]["code"]


async def test_strangers_pages_are_turned_away_before_they_have_a_socket() -> None:
    async with rig() as tracker:
        assert await status(tracker, None) == (403, "wrong_origin")
        assert await status(tracker, HERE) == (403, "wrong_origin")
        own = await client(tracker, tracker.server.url)
        await own.say(announce("a"))
        assert (await own.told())["incomplete"] == 1
        await own.socket.close()


async def test_what_is_no_socket_is_told_so() -> None:
    async with (
        rig(webtorrent=OPEN) as tracker,
        tracker.session.get(tracker.server.url + PATH) as answer,
    ):
        assert answer.status == 426


async def test_the_protocol_may_be_switched_off() -> None:
    async with rig(webtorrent=WebTorrentConfig(enabled=False)) as tracker:
        assert (await status(tracker, tracker.server.url))[0] == 404


async def test_pages_of_a_site_that_closes_have_to_go() -> None:
    site = SiteConfig(origins=(HERE,))
    config = Config(listen="127.0.0.1:0", sites={"a": site})
    tracker = Rig(config)
    await tracker.server.start()
    try:
        a, own = await client(tracker, HERE), await client(tracker, tracker.server.url)
        closed = structs.replace(config, sites={"a": structs.replace(site, enabled=False)})
        tracker.tracker._apply(closed)
        async with asyncio.timeout(5):
            received = await a.socket.receive()
        assert (received.type, received.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        assert await status(tracker, HERE) == (403, "wrong_origin")
        await own.say(announce("a"))
        assert (await own.told())["incomplete"] == 1
        await own.socket.close()
    finally:
        await tracker.close()


async def test_drained_sockets_are_told_in_their_protocol() -> None:
    async with rig(webtorrent=OPEN) as tracker:
        a = await client(tracker)
        draining = asyncio.create_task(tracker.tracker.drain())
        told = await a.told()
        assert (told["action"], told["info_hash"]) == ("announce", "")
        assert "going away" in told["failure reason"]
        async with asyncio.timeout(5):
            received = await a.socket.receive()
        assert (received.type, received.data) == (aiohttp.WSMsgType.CLOSE, 1012)
        await draining


# Several workers


def hash_at(index: int) -> str:
    """An info hash that is at home at this one of two workers."""
    ids_ = (f"{number:020}" for number in range(1000))
    return next(id_ for id_ in ids_ if home_of(id_.encode(), ["0", "1"]) == str(index))


FIRST, SECOND = hash_at(0), hash_at(1)


async def test_clients_who_land_at_different_workers_meet(tmp_path: Path) -> None:
    async with workers(tmp_path, webtorrent=OPEN) as (first, second):
        a, b = await client(first), await client(second)
        for info_hash in (FIRST, SECOND):
            await a.say(announce("a", info_hash=info_hash))
            assert (await a.told())["incomplete"] == 1
            await b.say(announce("b", offers=1, info_hash=info_hash, left=0))
            counts = await b.told()
            assert (counts["complete"], counts["incomplete"]) == (1, 1)
            passed = await a.told()
            answer = {"to_peer_id": ids("b"), "offer_id": passed["offer_id"], "answer": {}}
            await a.say(announce("a", info_hash=info_hash, **answer))
            assert (await b.told())["answer"] == {}
        # Each worker tells of what is at home there.
        await a.say(json.dumps({"action": "scrape", "info_hash": [FIRST, SECOND]}).encode())
        files = (await a.told())["files"] | (await a.told())["files"]
        assert {key: file["complete"] for key, file in files.items()} == {FIRST: 1, SECOND: 1}
        await b.socket.close()
        for rig_ in (first, second):
            await rig_.until(lambda made=rig_: made.tracker._webtorrent._torrents.peers == 1)


async def test_a_worker_that_goes_closes_no_socket_elsewhere(tmp_path: Path) -> None:
    async with workers(tmp_path, webtorrent=OPEN) as (first, second):
        a = await client(first)
        for info_hash in (FIRST, SECOND):
            await a.say(announce("a", info_hash=info_hash))
            assert (await a.told())["incomplete"] == 1
        await second.close()
        crew = first.tracker._crew
        assert crew is not None
        await first.until(lambda: not crew._exchange.places)
        await a.say(announce("a", info_hash=SECOND))
        told = await a.told()
        assert told["info_hash"] == SECOND
        assert "away" in told["failure reason"]
        await a.say(announce("a", info_hash=FIRST))
        assert (await a.told())["incomplete"] == 1


async def test_who_has_left_a_swarm_at_one_worker_stays_at_another(tmp_path: Path) -> None:
    """The one dismisses him in the end, and the socket serves the others."""
    async with workers(tmp_path, webtorrent=OPEN) as (first, second):
        a = await client(first)
        for info_hash in (FIRST, SECOND):
            await a.say(announce("a", info_hash=info_hash))
            assert (await a.told())["incomplete"] == 1
        away = second.tracker._webtorrent
        await a.say(announce("a", info_hash=SECOND, event="stopped"))
        assert (await a.told())["incomplete"] == 0
        (socket,) = away._torrents._sockets.values()
        away._torrents._wheel.put(socket, asyncio.get_running_loop().time() - 5)
        away._act()
        await second.until(lambda: not away._guests)
        await a.say(announce("a", info_hash=FIRST))
        assert (await a.told())["incomplete"] == 1
        await a.say(announce("a", info_hash=SECOND))
        assert (await a.told())["incomplete"] == 1
