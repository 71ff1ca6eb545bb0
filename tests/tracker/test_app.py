"""The tracker as a whole, over real sockets."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import aiohttp
import pytest
from fakeredis import FakeAsyncRedis

from p2pcdn.config import Config, PeerConfig, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.rollup import Batch
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import (
    Answered,
    BeingFetched,
    Candidated,
    CandidatedTogether,
    Fetching,
    Invite,
    Leases,
    Linked,
    Move,
    Offered,
    PairingCandidates,
    PreparedCandidate,
    Refused,
    Report,
    SendAnswer,
    SendCandidate,
    SendCandidates,
    SendOffer,
    Taken,
    Unpaired,
    Welcome,
)
from tests.p2pcdn.core.swarming import CONTENT, live, mdns, published, sdp
from tests.p2pcdn.core.telling import gave, got, report, several, size
from tests.tracker.rig import PATIENCE, join, link, rig
from tracker import metrics
from tracker.app import Tracker
from tracker.nodes import nodes
from tracker.nodes import store as nodes_store
from tracker.nodes.store import Store
from tracker.storage import sqlite
from tracker.storage.sqlite import Sqlite


async def test_the_tracker_speaks_first() -> None:
    async with rig(report_every=2.0) as tracker:
        first = await (await tracker.client()).expect(Welcome)
        second = await (await tracker.client()).expect(Welcome)
        assert first.protocol == PROTOCOL
        assert first.nonce != second.nonce
        assert first.limits.messages_per_second == 20
        assert first.limits.links == 16
        assert first.report_every == 2.0
        assert first.stun == f"stun::{tracker.server.port}"


async def test_without_stun_none_is_named() -> None:
    async with rig(stun=False) as tracker:
        assert (await (await tracker.client()).expect(Welcome)).stun is None


async def test_two_peers_link_by_a_prepared_offer() -> None:
    async with rig() as tracker:
        early = await tracker.joined(1)
        await early.send(PreparedCandidate(1, mdns(1)))
        late = await tracker.joined()
        taken, offered = await early.expect(Taken), await late.expect(Offered)
        assert (taken.peer, taken.offer) == (late.peer, 1)
        assert (offered.peer, offered.pairing) == (early.peer, taken.pairing)
        assert f"a={mdns(1)}\r\n" in offered.sdp
        await late.send(SendAnswer(taken.pairing, sdp("active")))
        assert (await early.expect(Answered)).pairing == taken.pairing
        await late.send(SendCandidate(taken.pairing, mdns(2)))
        assert (await early.expect(Candidated)).candidate == mdns(2)
        found = PairingCandidates(taken.pairing, (mdns(3), mdns(4)))
        await early.send(SendCandidates((found,)))
        assert (await late.expect(CandidatedTogether)).candidates == found.candidates
        await early.send(Linked(taken.pairing, 120.0))
        assert await early.lives()


async def test_two_peers_link_by_an_invitation() -> None:
    async with rig() as tracker:
        early, late = await tracker.joined(), await tracker.joined()
        invite = await late.expect(Invite)
        await late.send(SendOffer(invite.pairing, sdp()))
        await link(late, early, invite.pairing)
        assert (await late.expect(Answered)).pairing == invite.pairing


async def test_two_who_watch_live_are_told_what_to_fetch_and_hear_of_it_when_it_is_out() -> None:
    given = metrics.LEASES.labels("given")._value.get()
    async with rig() as tracker:
        early, late = await tracker.joined(position=live(100)), await tracker.joined()
        invite = await late.expect(Invite)
        await late.send(Move(True, live(100)), SendOffer(invite.pairing, sdp()))
        await link(late, early, invite.pairing)
        told = [(await peer.expect(Leases)).leases for peer in (early, late)]
        assert {lease.sequence for lease in told[0]} >= {101, 105}
        assert len(told[0]) == len(told[1])
        assert metrics.LEASES.labels("given")._value.get() - given == 2 * len(told[0])
        news = published(CONTENT, 101).records
        tracker.tracker.publish(news)
        assert await early.expect(Records) == await late.expect(Records) == news
        await early.send(Fetching("v", 101, 0))
        assert await late.expect(BeingFetched) == BeingFetched("v", 101, 0)


async def test_what_they_moved_is_in_the_summary() -> None:
    async with rig() as tracker:
        early, late = await tracker.joined(), await tracker.joined()
        pairing = (await late.expect(Invite)).pairing
        await early.send(report(1, gave(*several(75), pairing=pairing)))
        await late.send(report(1, got(*several(60), pairing=pairing), waste_bytes=7))
        await tracker.until(lambda: tracker.ledger.summary().waste_bytes)
        summary = await tracker.json("/api/v1/summary")
        assert summary["peer_bytes_confirmed"] == size(60)
        assert summary["peer_bytes_claimed"] == size(15)
        assert (summary["viewers"], summary["swarms"]) == (2, 1)
        # Nobody has counted here what the origin sends.
        assert (summary["offload"], summary["best_offload"]) == (None, None)
        tracker.ledger.origin_sent(size(20))
        summary = await tracker.json("/api/v1/summary")
        assert (summary["offload"], summary["best_offload"]) == (0.75, 0.75)
        assert 0 < summary["overhead_bytes"] < 20_000
        assert summary["saved_bytes"] == size(60) - summary["overhead_bytes"]


async def test_a_peer_that_goes_is_told_to_the_one_that_waits_for_it() -> None:
    async with rig() as tracker:
        early, late = await tracker.joined(), await tracker.joined()
        pairing = (await late.expect(Invite)).pairing
        await late.socket.close()
        assert (await early.expect(Unpaired)).pairing == pairing


async def pairing_comes_to_nothing() -> None:
    async with rig() as tracker:
        early, late = await tracker.joined(), await tracker.joined()
        pairing = (await late.expect(Invite)).pairing
        assert (await early.expect(Unpaired)).pairing == pairing
        assert (await late.expect(Unpaired)).pairing == pairing


async def test_the_mind_is_woken_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pcdn.core.introducer.LINK_TIMEOUT", 0.2)
    await pairing_comes_to_nothing()


def test_uvloop_wakes_it_too_even_if_the_time_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    uvloop = pytest.importorskip("uvloop")
    monkeypatch.setattr("p2pcdn.core.introducer.LINK_TIMEOUT", 0.0)
    uvloop.run(pairing_comes_to_nothing())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol": PROTOCOL + 1}, "unsupported_protocol"),
        ({"site": "pk_other"}, "unknown_site"),
    ],
)
async def test_who_is_not_let_in(changes: dict[str, object], code: str) -> None:
    async with rig() as tracker:
        client = await tracker.client()
        await client.send(join(**changes))
        assert await client.last_words() == (code, 1008)


async def test_sites_are_those_of_the_configuration() -> None:
    async with rig(sites=("one", "two")) as tracker:
        for site in ("one", "two"):
            await tracker.joined(site=site)
        client = await tracker.client()
        await client.send(join())
        assert await client.last_words() == ("unknown_site", 1008)


async def test_a_socket_too_many_is_refused_before_it_opens() -> None:
    async with rig(sockets_per_address=2) as tracker:
        first = await tracker.joined()
        await tracker.joined()
        for _ in range(50):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await tracker.client()
            assert caught.value.status == 429
        await first.socket.close()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await tracker.joined()
                except aiohttp.WSServerHandshakeError:
                    await asyncio.sleep(0.01)
                else:
                    break


async def test_joins_beyond_the_rate_are_told_when_to_come_back() -> None:
    async with rig(joins_per_second=3.0) as tracker:
        answers = []
        for _ in range(10):
            client = await tracker.client()
            await client.expect(Welcome)
            await client.send(join())
            answer = await client.read()
            answers.append(answer)
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        assert 1 <= len(refused) <= 7
        for answer in refused:
            assert answer.code.value == "too_fast"
            assert answer.retry_after is not None
            assert 1.0 <= answer.retry_after <= 5.0


async def test_proxies_are_believed_as_configured() -> None:
    async with rig(sockets_per_address=1, trusted_proxies=("127.0.0.0/8",)) as tracker:
        for number in range(5):
            await tracker.client(headers={"X-Forwarded-For": f"198.51.100.{number}"})
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await tracker.client(headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.1"})


async def offered_candidates(*candidates: str, peer: PeerConfig | None = None) -> str:
    """What of these candidates reaches the other end, of a peer on this machine."""
    async with rig(peer=peer) as tracker:
        early, late = await tracker.joined(), await tracker.joined()
        pairing = (await late.expect(Invite)).pairing
        await late.send(SendOffer(pairing, sdp("actpass", *candidates)))
        return (await early.expect(Offered)).sdp


async def test_a_peer_on_this_machine_is_found_at_its_interfaces() -> None:
    host = "candidate:1 1 udp 2130706431 {} 50000 typ host"
    passed = await offered_candidates(
        host.format("127.0.0.1"), host.format("203.0.113.77"), mdns(), peer=None
    )
    assert "203.0.113.77" not in passed
    assert "127.0.0.1" not in passed
    assert mdns() in passed


async def test_an_advertised_address_passes() -> None:
    host = "candidate:1 1 udp 2130706431 203.0.113.77 50000 typ host"
    assert host in await offered_candidates(host, peer=PeerConfig(advertise=("203.0.113.77",)))


async def test_a_request_that_is_no_websocket_is_told_so() -> None:
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/tracker/v1") as response,
    ):
        assert response.status == 426
        assert response.headers["Upgrade"] == "websocket"
        error = (await response.json())["error"]
        assert error["code"] == "upgrade_required"
        assert "WebSocket" in error["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Key": "short"},
    ],
)
async def test_a_bad_handshake_is_told_so(headers: dict[str, str]) -> None:
    good = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    async with (
        rig() as tracker,
        tracker.session.get(f"{tracker.server.url}/tracker/v1", headers=good | headers) as response,
    ):
        assert response.status == 426


async def test_a_tracker_that_stops_says_so_and_when_to_come_back() -> None:
    async with rig() as tracker:
        clients = [await tracker.joined() for _ in range(3)]
        waiting = await tracker.client()
        closing = asyncio.create_task(tracker.server.close())
        for client in clients:
            refused = await client.expect(Refused)
            assert refused.code.value == "draining"
            assert refused.retry_after is not None
            assert await client.read() is None
            assert client.socket.close_code == 1012
        assert await waiting.last_words() == ("draining", 1012)
        await closing
        assert tracker.ledger.summary().viewers == 0


async def test_neither_guests_nor_the_ledger_wait_for_the_store_of_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Silent(Store):
        """Does not answer any more."""

        answers = True

        async def do(self, batch: nodes_store.Batch) -> None:
            if not self.answers:
                done.append("store asked")
                await asyncio.Event().wait()
            await super().do(batch)

    store = Silent("", FakeAsyncRedis())
    monkeypatch.setattr(nodes, "Store", lambda url: store)
    async with rig(store="valkey://127.0.0.1/0", url="ws://a.example/tracker/v1") as tracker:
        api = tracker.tracker._api
        assert api is not None
        write = api.close

        async def written() -> None:
            await write()
            done.append("ledger written")

        monkeypatch.setattr(api, "close", written)
        client = await tracker.joined()
        store.answers = False
        done.clear()
        async with asyncio.timeout(PATIENCE):
            draining = asyncio.create_task(tracker.tracker.drain())
            await client.expect(Refused)
            await draining
            asked = len(done)
            await tracker.tracker.close()
        assert asked >= 1
        assert done[asked] == "ledger written"
        assert "store asked" in done[asked + 1 :]


async def test_a_tracker_stops_in_time_whatever_its_peers_do() -> None:
    loop = asyncio.get_running_loop()
    async with rig() as tracker:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", tracker.server.port)
            writer.write(
                b"GET /tracker/v1 HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
        began = loop.time()
        await tracker.server.close()
        assert loop.time() - began < 3
        writer.close()


async def test_the_ledger_is_written_at_the_end_however_little_time_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, and whoever closes the tracker waits for nothing."""
    may_write = threading.Event()
    write = sqlite.Writer.write

    def slowly(writer: sqlite.Writer, batch: Batch) -> None:
        may_write.wait(30)
        write(writer, batch)

    monkeypatch.setattr(sqlite.Writer, "write", slowly)
    ledger, storage = Ledger(), Sqlite(tmp_path)
    tracker = Tracker(Config(tracker=TrackerConfig(stun=False)), ledger, storage=storage)
    ledger.origin_sent(1)
    await tracker.start()
    await asyncio.sleep(0)  # it begins to write
    ledger.origin_sent(2)
    closing = asyncio.create_task(tracker.close())
    await asyncio.sleep(0)
    ledger.origin_sent(4)  # by an origin that closes at the same time
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    may_write.set()
    await asyncio.to_thread(storage._writing.shutdown)  # as the end of a process does
    opening = await Sqlite(tmp_path).open(0.0)
    assert opening.total.origin_bytes == 7


async def test_a_bug_of_ours_ends_one_socket_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig() as tracker:
        other, client = await tracker.joined(), await tracker.joined(content="e" * 32)

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(tracker.tracker._ledger, "report", fail)
        await client.send(Report(1))
        assert await client.last_words() == ("internal", 1011)
        monkeypatch.undo()
        assert await other.lives()


async def test_two_services_of_one_process_do_not_mix() -> None:
    async with rig() as one, rig() as two:
        await one.joined()
        await two.joined()
        assert one.ledger.summary().viewers == two.ledger.summary().viewers == 1
