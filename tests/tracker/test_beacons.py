"""The last words of pages that go: taken once, of nobody but the peer, of use to nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from p2pcdn.wire.codec import encode
from p2pcdn.wire.tracker import Beacon, Invite, Joined, Report
from tests.p2pcdn.core.telling import chunks, gave, got, report, size
from tests.tracker.rig import Client, Rig, join, rig
from tracker.beacons import PATH

TEXT = "text/plain;charset=UTF-8"


async def macs(tracker: Rig, **changes: Any) -> tuple[Client, str]:
    """One more peer, and its code."""
    client = await tracker.client()
    await client.read()
    await client.send(join(**changes))
    joined = await client.expect(Joined)
    client.peer = joined.peer
    assert joined.mac is not None
    return client, joined.mac


async def post(tracker: Rig, body: Beacon | str | bytes, kind: str = TEXT, **more: str) -> int:
    """The status of the answer, which nobody can read."""
    data = encode(body) if isinstance(body, Beacon) else body
    url = f"{tracker.server.url}{PATH}"
    headers = {"Content-Type": kind, "Origin": "https://page.example", **more}
    async with tracker.session.post(url, data=data, headers=headers) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
        if response.status == 204:
            assert await response.read() == b""
        return response.status


def refused(tracker: Rig) -> dict[str, int]:
    failures = tracker.ledger.take_reading().failures
    return {reason: count for (kind, reason), count in failures.items() if kind == "report"}


async def test_the_last_report_of_a_page_that_has_gone_counts() -> None:
    async with rig() as tracker:
        early, late = await macs(tracker), await macs(tracker)
        pairing = (await late[0].expect(Invite)).pairing
        await early[0].send(report(1, gave(chunks(0, 9), pairing=pairing)))
        await late[0].socket.close()
        await tracker.until(lambda: tracker.ledger.summary().viewers == 1)
        last = Beacon(late[0].peer, late[1], report(1, got(chunks(0, 9), pairing=pairing)))
        assert await post(tracker, last) == 204
        await tracker.until(lambda: tracker.ledger.summary().peer_bytes_confirmed)
        assert tracker.ledger.summary().peer_bytes_confirmed == size(10)
        assert await post(tracker, last) == 204, "nobody is told"
        assert refused(tracker) == {"replayed": 1}
        assert tracker.ledger.summary().peer_bytes_confirmed == size(10)


@pytest.mark.parametrize("first", ["socket", "beacon"])
async def test_what_comes_both_ways_counts_once(first: str) -> None:
    async with rig() as tracker:
        client, mac = await macs(tracker)
        said = Report(1, waste_bytes=7)
        if first == "socket":
            await client.send(said)
            await tracker.until(lambda: tracker.ledger.summary().waste_bytes)
        assert await post(tracker, Beacon(client.peer, mac, said)) == 204
        await client.send(said)
        assert await client.lives()
        assert tracker.ledger.summary().waste_bytes == 7
        assert refused(tracker) == ({"replayed": 1} if first == "socket" else {})


async def test_nobody_reports_in_anothers_name() -> None:
    async with rig() as tracker:
        (client, _), (_, other) = await macs(tracker), await macs(tracker)
        for mac in (other, "A" * 22):
            beacon = Beacon(client.peer, mac, Report(1, waste_bytes=7))
            assert await post(tracker, beacon) == 204
        assert tracker.ledger.summary().waste_bytes == 0
        assert refused(tracker) == {"forged": 2}


async def test_a_code_is_of_one_process() -> None:
    async with rig() as one, rig() as two:
        client, mac = await macs(one)
        assert await post(two, Beacon(client.peer, mac, Report(1))) == 204
        assert refused(two) == {"forged": 1}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "[]",
        '{"type":"beacon"}',
        '{"type":"beacon","peer":"0123456789abcdef","mac":"AAAAAAAAAAAAAAAAAAAAAA","report":'
        '{"number":1,"waste_bytes":-1}}',
        '{"type":"beacon","peer":"0123456789abcdef","mac":"AAAAAAAAAAAAAAAAAAAAAA","report":'
        '{"number":NaN}}',
        b"\xff",
    ],
)
async def test_what_is_no_report_is_refused_and_counted(body: str | bytes) -> None:
    async with rig() as tracker:
        assert await post(tracker, body) == 400
        assert refused(tracker) == {"malformed": 1}


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "text/html", ""]
)
async def test_other_kinds_are_not_taken(kind: str) -> None:
    async with rig() as tracker:
        client, mac = await macs(tracker)
        assert await post(tracker, Beacon(client.peer, mac, Report(1, waste_bytes=7)), kind) == 415
        assert tracker.ledger.summary().waste_bytes == 0


@pytest.mark.parametrize(("length", "status"), [(1024, 400), (1025, 413), (10**6, 413)])
async def test_it_has_a_limit(length: int, status: int) -> None:
    async with rig(message_bytes=1024) as tracker:
        assert await post(tracker, "x" * length) == status


async def test_an_address_sends_only_so_many() -> None:
    async with rig(joins_per_second=2) as tracker:
        statuses = [await post(tracker, "x") for _ in range(6)]
        assert statuses[:2] == [400, 400]
        assert 429 in statuses[2:]
        assert (await tracker.joined()).peer, "and may join all the same"


async def test_its_bytes_are_overhead() -> None:
    async with rig() as tracker:
        before = tracker.ledger.summary().overhead_bytes
        await post(tracker, "x" * 1000)
        assert tracker.ledger.summary().overhead_bytes - before == 1000


async def test_it_cannot_be_got_or_asked_about() -> None:
    async with rig() as tracker:
        url = f"{tracker.server.url}{PATH}"
        async with tracker.session.get(url) as response:
            assert response.status == 405
        headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        async with tracker.session.options(url, headers=headers) as response:
            assert response.status == 405
            assert "Access-Control-Allow-Origin" not in response.headers
