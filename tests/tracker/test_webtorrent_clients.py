"""Unmodified `bittorrent-tracker` clients in Node, with WebRTC, and our tracker between them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from p2pcdn.config import WebTorrentConfig
from tests.tracker.rig import Rig, rig
from tests.tracker.webtorrent_clients import Clients, clients, needs_packages
from tracker.webtorrent import PATH

pytestmark = needs_packages

ONE, TWO, FORBIDDEN = "aa" * 20, "ff00e9" * 6 + "2200", "bb" * 20
BYTES = 100_000


@pytest.fixture
async def tracker() -> AsyncIterator[Rig]:
    given = WebTorrentConfig(origins=("*",), info_hashes=(ONE, TWO))
    async with rig(webtorrent=given) as made:
        yield made


@pytest.fixture
async def node() -> AsyncIterator[Clients]:
    async with clients() as made:
        yield made


def open_client(
    node: Clients, tracker: Rig, name: str, info_hash: str = ONE, socket: str = ""
) -> None:
    """A client; those with another word for the socket have another one."""
    url = f"{tracker.server.url}{PATH}{socket and '?' + socket}".replace("http:", "ws:")
    node.do("open", name, url=url, infoHash=info_hash, peerId=name.ljust(20, "-").encode().hex())


async def test_they_meet_and_exchange_bytes(tracker: Rig, node: Clients) -> None:
    open_client(node, tracker, "a", socket="one")
    open_client(node, tracker, "b", socket="two")
    node.do("start", "a")
    first = await node.hears("update", "a")
    assert (first["complete"], first["incomplete"], first["interval"]) == (0, 1, 120)
    node.do("start", "b", opts={"left": 0})
    assert (await node.hears("update", "b"))["complete"] == 1
    for name in "ab":
        await node.hears("connect", name)
    node.do("send", "b", bytes=BYTES)
    await node.hears("data", "a", received=BYTES)
    node.do("send", "a", bytes=BYTES)
    await node.hears("data", "b", received=BYTES)
    assert not [said for said in node.said if said["event"] in ("warning", "error")]


async def test_they_meet_in_several_swarms_by_one_socket(tracker: Rig, node: Clients) -> None:
    """As do those of one page; with ids that JSON writes in several ways."""
    for name, info_hash in (("a", ONE), ("b", TWO), ("c", ONE), ("d", TWO)):
        open_client(node, tracker, name, info_hash)
        node.do("start", name)
        await node.hears("update", name)
    await node.hears("connect", "d")
    assert len(tracker.tracker._guests) == 1
    assert tracker.tracker._webtorrent._torrents.swarms == 2


async def test_complete_and_stopped_are_counted_and_answered(tracker: Rig, node: Clients) -> None:
    open_client(node, tracker, "a")
    node.do("start", "a", opts={"left": 9})
    assert (await node.hears("update", "a"))["incomplete"] == 1
    node.do("complete", "a", opts={"left": 0})
    assert (await node.hears("update", "a"))["complete"] == 1
    node.do("stop", "a")
    gone = await node.hears("update", "a")
    assert (gone["complete"], gone["incomplete"]) == (0, 0)
    node.do("destroy", "a")
    await node.hears("destroyed", "a")
    await tracker.until(lambda: not tracker.tracker._guests)


async def test_scrapes(tracker: Rig, node: Clients) -> None:
    open_client(node, tracker, "a", TWO)
    node.do("start", "a", opts={"left": 0})
    await node.hears("update", "a")
    url = f"{tracker.server.url}{PATH}".replace("http:", "ws:")
    node.do("scrape", url=url, infoHash=TWO)
    assert (await node.hears("scrape"))["results"]["complete"] == 1
    node.do("scrape", url=url, infoHash=[ONE, TWO])
    results = (await node.hears("scrape"))["results"]
    assert {key: found["complete"] for key, found in results.items()} == {ONE: 0, TWO: 1}


async def test_an_error_is_a_warning_to_one_and_nothing_to_the_others(
    tracker: Rig, node: Clients
) -> None:
    """They share a socket, which a client gives up for minutes if it is told what it does not
    know."""
    open_client(node, tracker, "a")
    open_client(node, tracker, "bad", FORBIDDEN)
    node.do("start", "a")
    await node.hears("update", "a")
    node.do("start", "bad")
    warning = await node.hears("warning", "bad")
    assert "tracker.webtorrent.info_hashes" in warning["message"]
    node.do("update", "a")
    await node.hears("update", "a")
    for name in ("a", "bad"):
        node.do("state", name)
        assert (await node.hears("state", name))["reconnecting"] is False
    assert [said for said in node.said if said["event"] == "warning"] == [warning]


async def test_a_client_that_comes_back_by_another_socket_is_itself(
    tracker: Rig, node: Clients
) -> None:
    """By an update, as after a socket that was lost, and before the tracker knows that it was."""
    open_client(node, tracker, "a", socket="one")
    node.do("start", "a")
    await node.hears("update", "a")
    open_client(node, tracker, "b", socket="two")
    node.do("start", "b")
    assert (await node.hears("update", "b"))["incomplete"] == 2
    open_client(node, tracker, "a", socket="three")
    node.do("update", "a")
    assert (await node.hears("update", "a"))["incomplete"] == 2
