"""The figures over HTTP."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Sequence
from typing import Any, cast

import aiohttp
import jsonschema
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Failure, Group
from p2pcdn.core.rollup import Figures
from tests.tracker.rig import PATIENCE, Rig, rig
from tracker import api
from tracker.nodes.totals import Total
from tracker.storage import Range, Share, StorageError
from tracker.storage.sqlite import Sqlite

FIELDS = {
    "origin_bytes",
    "peer_bytes_confirmed",
    "peer_bytes_claimed",
    "peer_bytes_disputed",
    "edge_bytes",
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
        await tracker.until(lambda: tracker.api._series.count >= 3)
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


async def test_a_tracker_that_is_alone_is_all_there_is() -> None:
    async with rig() as tracker:
        await tracker.joined(1)
        told = [await tracker.json(f"/api/v1/summary?scope={scope}") for scope in ("node", "all")]
        assert told[0]["viewers"] == told[1]["viewers"] == 1
        async with tracker.session.get(f"{tracker.server.url}/api/v1/summary?scope=x") as response:
            assert response.status == 400
        async with stream(tracker) as response:
            assert (await event(response))["nodes"] == 1


async def test_any_node_tells_the_sum_of_all() -> None:
    class Nodes:
        count = 3

        def total(self) -> Total:
            return Total(Amounts(origin_bytes=30, peer_bytes_confirmed=10), 7, 2, 1, 5.0)

    async with rig() as tracker:
        tracker.api.nodes = cast(Any, Nodes())
        told = await tracker.json("/api/v1/summary?scope=all")
        assert (told["origin_bytes"], told["viewers"], told["swarms"]) == (30, 7, 2)
        assert (told["offload"], told["since"], told["refused_reports"]) == (0.25, 5.0, 1)
        assert (await tracker.json("/api/v1/summary"))["origin_bytes"] == 0
        async with stream(tracker) as response:
            assert (await event(response))["nodes"] == 3


async def test_the_stream_says_what_a_gigabyte_costs() -> None:
    async with rig() as tracker, stream(tracker) as response:
        told = await event(response)
        assert (told["site"], told["price"]) == ("pk_demo", None)
    async with rig(price_per_gb=0.05, currency="EUR") as tracker, stream(tracker) as response:
        assert (await event(response))["price"] == {"per_gb": 0.05, "currency": "EUR"}


async def test_streams_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST_STREAMS", 2)
    async with rig() as tracker:
        async with stream(tracker) as one, stream(tracker) as two:
            await event(one)
            await event(two)
            async with stream(tracker) as three:
                assert three.status == 429
                assert (await three.json())["error"]["code"] == "too_many"
        await tracker.until(lambda: tracker.api._streams == 0)
        async with stream(tracker) as again:
            await event(again)


async def test_a_stream_that_nobody_reads_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "WRITE_TIMEOUT", 0.2)
    async with rig() as tracker:
        monkeypatch.setattr(tracker.api, "_event", lambda _: b"data: " + b"x" * 10**6)
        reader, writer = await asyncio.open_connection("127.0.0.1", tracker.server.port, limit=1)
        writer.write(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await tracker.until(lambda: tracker.api._streams == 1)
        await tracker.until(lambda: tracker.api._streams == 0)
        writer.close()
        del reader


async def test_streams_end_when_the_tracker_stops() -> None:
    async with rig() as tracker, stream(tracker) as response:
        await event(response)
        await tracker.server.close()
        async with asyncio.timeout(PATIENCE):
            await response.read()


async def answer(tracker: Rig, path: str, **headers: str) -> tuple[int, str, Any]:
    """Status, content type and text of an answer."""
    url = f"{tracker.server.url}/api/v1/{path}"
    async with tracker.session.get(url, headers=headers) as response:
        return response.status, response.content_type, await response.text()


async def told(tracker: Rig, path: str) -> Any:
    status, kind, text = await answer(tracker, path)
    assert (status, kind) == (200, "application/json"), text
    return json.loads(text)


async def test_the_series_has_what_has_just_happened() -> None:
    async with rig() as tracker:
        await tracker.joined()
        tracker.ledger.origin_sent(1000, 50, "d" * 32)
        count = tracker.api._series.count
        await tracker.until(lambda: tracker.api._series.count > count + 1)
        series = await told(tracker, "series")
        summary = await told(tracker, "summary")
        assert series["step"] == 10
        assert series["to"] - series["from"] in (3600, 3610)
        assert 0 <= time.time() - series["as_of"] < 60
        assert series["total"]["origin_bytes"] == summary["origin_bytes"] == 1000
        assert series["total"]["joins"] == summary["joins"] == 1
        assert series["total"]["viewers_max"] == 1
        assert sum(point["origin_bytes"] for point in series["points"]) == 1000
        assert all(series["from"] <= point["at"] < series["to"] for point in series["points"])
        tracker.tracker.find_paths_by({"d" * 32: "film/index.m3u8"}.get)
        contents = (await told(tracker, "contents"))["contents"]
        assert contents[0]["content"] == "d" * 32
        assert [row["path"] for row in contents] == ["film/index.m3u8", None]
        assert contents[0]["origin_bytes"] == 1000
        assert contents[1]["joins"] == contents[1]["viewers_max"] == 1


async def test_the_summary_goes_on_from_what_was_written() -> None:
    async with rig() as tracker:
        before = time.time()
        assert before - 60 < (await told(tracker, "summary"))["since"] <= before


@pytest.mark.parametrize("name", ["summary", "series", "contents"])
async def test_tables_come_as_csv_too(name: str) -> None:
    async with rig() as tracker:
        tracker.ledger.origin_sent(77, 0, "d" * 32)
        count = tracker.api._series.count
        await tracker.until(lambda: tracker.api._series.count > count + 1)
        given = await told(tracker, name)
        rows = {
            "summary": [given],
            "series": given.get("points"),
            "contents": given.get("contents"),
        }
        for path, accept in ((f"{name}?format=csv", "*/*"), (name, "text/csv")):
            status, kind, text = await answer(tracker, path, Accept=accept)
            assert (status, kind) == (200, "text/csv")
            table = list(csv.DictReader(io.StringIO(text, newline="")))
            assert table[0].keys() == (rows[name] or [{}])[0].keys()
            assert sum(int(row["origin_bytes"]) for row in table) == 77


async def test_networks_and_failures_have_what_has_just_happened() -> None:
    async with rig() as tracker:
        await tracker.joined()
        ledger = tracker.ledger
        ledger.joined("1", "a", 0.0, groups=[Group("country", "=DE"), Group("browser", "Firefox")])
        ledger.paired("p", "1", "2")
        ledger.failed("p", "timeout")
        count = tracker.api._series.count
        await tracker.until(lambda: tracker.api._series.count > count + 1)
        networks = (await told(tracker, "networks"))["networks"]
        rows = {(row["by"], row["name"]): row for row in networks}
        assert rows["country", "=DE"]["joins"] == rows["browser", "other"]["joins"] == 1
        assert rows["browser", "Firefox"]["links_failed"] == 1
        assert rows["browser", "Firefox"]["link_success"] == 0.0
        assert rows["country", "unknown"]["startup_p95"] is None
        only = (await told(tracker, "networks?by=browser"))["networks"]
        assert {row["by"] for row in only} == {"browser"}
        status, _, text = await answer(tracker, "networks?by=address")
        assert status == 400
        assert "by is one of country" in text
        assert (await told(tracker, "failures"))["failures"] == [
            {"kind": "link", "reason": "timeout", "count": 1}
        ]
        _, kind, text = await answer(tracker, "failures?format=csv")
        assert (kind, text) == ("text/csv", "kind,reason,count\r\nlink,timeout,1\r\n")
        _, _, text = await answer(tracker, "networks?format=csv&by=country")
        assert {line.split(",")[1] for line in text.splitlines()} == {"name", "'=DE", "unknown"}


async def test_what_a_route_has_says_nothing_of_what_went_by_no_route() -> None:
    async with rig() as tracker:
        route = tracker.ledger._books.of_group(Group("route", "host"))
        route.links_made = route.peer_bytes_confirmed = 3
        count = tracker.api._series.count
        await tracker.until(lambda: tracker.api._series.count > count + 1)
        (row,) = (await told(tracker, "networks?by=route"))["networks"]
        assert (row["links_made"], row["peer_bytes_confirmed"]) == (3, 3)
        assert (row["link_success"], row["offload"]) == (None, None)


@pytest.mark.parametrize("is_counted", [False, True])
async def test_no_offload_is_told_where_nobody_counts_what_the_origin_sends(
    is_counted: bool,
) -> None:
    async with rig() as tracker:
        for amounts in tracker.ledger._books.of("c" * 32, [Group("browser", "Firefox")]):
            amounts.peer_bytes_confirmed = 3
        if is_counted:
            tracker.ledger.origin_sent(1, 0, "d" * 32)
        count = tracker.api._series.count
        await tracker.until(lambda: tracker.api._series.count > count + 1)
        series = await told(tracker, "series")
        contents = (await told(tracker, "contents"))["contents"]
        (content,) = [row for row in contents if row["content"] == "c" * 32]
        assert content["peer_bytes_confirmed"] == 3
        told_of = [(row["offload"], row["best_offload"]) for row in (series["total"], content)]
        # A content of which the origin has sent nothing may be one that peers had.
        assert told_of == ([(0.75, 0.75), (1.0, 1.0)] if is_counted else [(None, None)] * 2)
        # What viewers say themselves that they took from the origin is known.
        (row,) = (await told(tracker, "networks?by=browser"))["networks"]
        assert row["offload"] == 1.0


async def test_who_is_turned_away_is_counted() -> None:
    async with rig() as tracker:
        client = await tracker.client()
        await client.send("nonsense")
        await client.last_words()
        assert tracker.ledger.take_reading().failures.get(Failure("socket", "malformed")) == 1


async def test_a_content_is_no_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as tracker:
        evil = Share("=HYPERLINK(1)", Figures())

        async def shares(spans: Sequence[Range], most: int) -> list[Share]:
            return [evil]

        monkeypatch.setattr(tracker.api._storage, "shares", shares)
        _, _, text = await answer(tracker, "contents?format=csv")
        assert text.splitlines()[1].startswith("'=HYPERLINK(1),,0,")


async def test_when_the_storage_fails_a_query_says_so_and_viewers_hear_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig() as tracker:

        async def fail(*arguments: Any) -> Any:
            raise StorageError("no space left")

        storage = tracker.api._storage
        monkeypatch.setattr(storage, "write", fail)
        monkeypatch.setattr(storage, "points", fail)
        status, _, text = await answer(tracker, "series")
        assert status == 503
        assert json.loads(text)["error"]["code"] == "service_unavailable"
        assert (await answer(tracker, "summary"))[0] == 200
        assert (await tracker.joined()).peer


async def test_only_so_many_queries_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST_QUERIES", 2)
    async with rig() as tracker:
        gate = asyncio.Event()
        storage = tracker.api._storage
        points = storage.points

        async def slow(*arguments: Any) -> Any:
            await gate.wait()
            return await points(*arguments)

        monkeypatch.setattr(storage, "points", slow)
        queries = [asyncio.create_task(answer(tracker, "series")) for _ in range(3)]
        await tracker.until(lambda: any(query.done() for query in queries))
        gate.set()
        assert sorted([status for status, _, _ in await asyncio.gather(*queries)]) == [
            200,
            200,
            429,
        ]
        assert (await answer(tracker, "series"))[0] == 200


# The description


def spec() -> Any:
    return json.loads(api.OPENAPI.read_text(encoding="utf-8"))


async def test_the_description_is_served() -> None:
    async with rig() as tracker:
        assert await told(tracker, "openapi.json") == spec()


def test_the_description_has_all_routes() -> None:
    made = api.Api(Ledger(), Sqlite(None))
    assert {path for path, _ in made.routes()} == set(spec()["paths"])


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_the_server_does_what_its_description_says(mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_dict(spec()).exclude(path="/api/v1/stream")
    found: list[Any] = list(described.get_all_operations())
    operations = [result.ok() for result in found]
    assert len(operations) == len(spec()["paths"]) - 1

    def check(url: str) -> None:
        for operation in operations:

            @seed(1)
            @settings(max_examples=8, deadline=None, database=None,
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(operation.as_strategy(mode))
            def holds(case: Any) -> None:
                response = case.call_and_validate(
                    base_url=url, excluded_checks=[positive_data_acceptance]
                )
                if mode is GenerationMode.POSITIVE and response.status_code != 200:
                    # All that no schema can say.
                    message = response.json()["error"]["message"]
                    assert message.startswith(("from has to be earlier", "An answer has 1500"))

            if mode is GenerationMode.POSITIVE or operation.query:
                holds()

    async with rig() as tracker:
        tracker.ledger.origin_sent(1000, 50, "c" * 32)
        await asyncio.to_thread(check, tracker.server.url)


async def test_events_are_as_described() -> None:
    described = spec()
    schema = {"$ref": "#/components/schemas/Event", "components": described["components"]}
    async with rig() as tracker, stream(tracker) as response:
        for _ in range(2):
            jsonschema.validate(await event(response), schema)
