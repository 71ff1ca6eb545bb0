"""The limits of WebTorrent's clients: their messages, and what one of them may have and do."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from p2pcdn.config import WebTorrentConfig
from p2pcdn.core.torrent_ports import TorrentRules
from p2pcdn.wire.webtorrent import DESCRIPTION_BYTES, MOST_SCRAPED, decode
from tests.limits.case import code_of, counted
from tests.p2pcdn.core.torrenting import HASH, World, ids
from tests.tracker.rig import rig
from tracker.webtorrent import PATH


def description_of(size: int) -> str:
    text = {"sdp": "x" * (size - len('{"sdp": ""}'))}
    said = {"action": "announce", "info_hash": HASH, "peer_id": ids("a")}
    offers = [{"offer": text, "offer_id": "o" * 20}]
    data = json.dumps(said | {"offers": offers}).encode()
    return code_of(lambda: decode(data)) and "refused"


def scrape_of(number: int) -> str:
    hashes = [f"{count:020}" for count in range(number)]
    data = json.dumps({"action": "scrape", "info_hash": hashes}).encode()
    return code_of(lambda: decode(data)) and "refused"


def offers_of(number: int) -> str:
    world = World(TorrentRules(offers=3))
    for count in range(9):
        world.join(f"{count}")
    world.join("a", offers=number)
    passed = world.torrents.tally.offers
    assert passed <= 3
    return "" if passed == number else "not passed on"


def offers_to(number: int) -> str:
    world = World(TorrentRules(pending_offers=2))
    victim = world.join("v")
    for count in range(number):
        world.join(f"{count}", offers=10)
    return "" if len(world.offers(victim)) == number else "not passed on"


def swarms_of(number: int) -> str:
    world = World(TorrentRules(swarms_per_socket=3))
    socket = world.connect()
    for count in range(number):
        world.announce(socket, "a", info_hash=f"{count:020}")
    assert world.torrents.swarms <= 3
    return "" if world.torrents.swarms == number else "refused"


def peers_of(number: int) -> str:
    world = World(TorrentRules(peers_per_address=3))
    for count in range(number):
        world.join(f"{count}", source="9.9.9.9")
    assert world.torrents.peers <= 3
    return "" if world.torrents.peers == number else "refused"


async def message_of(size: int) -> str:
    given = WebTorrentConfig(origins=("*",), message_bytes=1024)
    async with rig(webtorrent=given) as tracker:
        socket = await tracker.session.ws_connect(tracker.server.url + PATH)
        said = {"action": "announce", "info_hash": HASH, "peer_id": ids("a"), "x": ""}
        head, tail = json.dumps(said).encode()[:-2], b'"}'
        data = head + b"x" * (min(size, 2048) - len(head) - len(tail)) + tail
        # Far above the limit its head alone is enough: nothing of it is waited for.
        length = (
            b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
        )
        assert socket._conn is not None
        assert socket._conn.transport is not None
        socket._conn.transport.write(b"\x81" + length + bytes(4) + data)
        async with asyncio.timeout(5):
            if size <= 1024:
                told = await socket.receive_json()
                await socket.close()
                return "" if told["incomplete"] == 1 else "?"
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        return "too_large" if socket.close_code == 1009 else "?"


CASES = [
    counted("tracker.webtorrent.message_bytes", 1024, message_of, "too_large"),
    counted(
        "p2pcdn.wire.webtorrent.DESCRIPTION_BYTES",
        DESCRIPTION_BYTES,
        description_of,
        "refused",
        far=1_000_000,
        peak=8_000_000,
    ),
    counted(
        "p2pcdn.wire.webtorrent.MOST_SCRAPED",
        MOST_SCRAPED,
        scrape_of,
        "refused",
        far=20_000,
        peak=20_000_000,
    ),
    counted("tracker.webtorrent.offers", 3, offers_of, "not passed on", far=300),
    counted("tracker.webtorrent.pending_offers", 2, offers_to, "not passed on", far=200),
    counted("tracker.webtorrent.swarms_per_socket", 3, swarms_of, "refused"),
    counted("tracker.webtorrent.peers_per_address", 3, peers_of, "refused", far=600),
]
