"""The figures over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.tracker.rig import PATIENCE, Rig, rig
from tracker import api

FIELDS = {
    "origin_bytes",
    "peer_bytes_confirmed",
    "peer_bytes_claimed",
    "waste_bytes",
    "origin_mismatches",
    "overhead_bytes",
    "saved_bytes",
    "offload",
    "viewers",
    "swarms",
}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples come quicker than once a second."""
    monkeypatch.setattr(api, "EVERY", 0.05)


async def event(response: aiohttp.ClientResponse) -> Any:
    async with asyncio.timeout(PATIENCE):
        line = await response.content.readline()
        assert line.startswith(b"data: ")
        assert await response.content.readline() == b"\n"
    return msgspec.json.decode(line.removeprefix(b"data: "))


def stream(tracker: Rig) -> Any:
    return tracker.session.get(f"{tracker.server.url}/api/v1/stream")


async def test_the_summary_has_all_figures_from_the_start() -> None:
    async with rig() as tracker:
        summary = await tracker.json("/api/v1/summary")
        assert summary.keys() >= FIELDS
        assert all(summary[field] == 0 for field in FIELDS)


async def test_it_is_for_no_page_of_another_origin() -> None:
    async with rig() as tracker:
        for path in ("/api/v1/summary", "/api/v1/stream"):
            async with tracker.session.get(
                f"{tracker.server.url}{path}", headers={"Origin": "https://elsewhere.example"}
            ) as response:
                assert "Access-Control-Allow-Origin" not in response.headers
                assert response.headers["Cache-Control"] == "no-store"


async def test_the_stream_begins_with_what_was_and_goes_on() -> None:
    async with rig() as tracker:
        await tracker.until(lambda: tracker.tracker._api._series.count >= 3)
        async with stream(tracker) as response:
            assert response.content_type == "text/event-stream"
            first = await event(response)
            assert first["summary"].keys() >= FIELDS
            assert len(first["series"]) >= 3
            tracker.ledger.origin_sent(4321)
            seen = 0
            while not seen:
                later = await event(response)
                assert 1 <= len(later["series"]) <= 3
                seen = sum(sample["origin_bytes"] for sample in later["series"])
            assert seen == later["summary"]["origin_bytes"] == 4321
            ats = [sample["at"] for sample in first["series"] + later["series"]]
            assert ats == sorted(ats)


async def test_streams_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST_STREAMS", 2)
    async with rig() as tracker:
        async with stream(tracker) as one, stream(tracker) as two:
            await event(one)
            await event(two)
            async with stream(tracker) as three:
                assert three.status == 429
                assert (await three.json())["error"]["code"] == "too_many"
        await tracker.until(lambda: tracker.tracker._api._streams == 0)
        async with stream(tracker) as again:
            await event(again)


async def test_a_stream_that_nobody_reads_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "WRITE_TIMEOUT", 0.2)
    async with rig() as tracker:
        monkeypatch.setattr(tracker.tracker._api, "_event", lambda _: b"data: " + b"x" * 10**6)
        reader, writer = await asyncio.open_connection("127.0.0.1", tracker.server.port, limit=1)
        writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: t\r\n\r\n")
        await tracker.until(lambda: tracker.tracker._api._streams == 1)
        await tracker.until(lambda: tracker.tracker._api._streams == 0)
        writer.close()
        del reader


async def test_streams_end_when_the_tracker_stops() -> None:
    async with rig() as tracker, stream(tracker) as response:
        await event(response)
        await tracker.server.close()
        async with asyncio.timeout(PATIENCE):
            await response.read()
