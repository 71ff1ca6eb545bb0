"""A CDN is asked as its URL says, and leads nowhere that was not named."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from origin.elsewhere.asking import asking
from origin.elsewhere.places import Places
from origin.fetching.client import Client
from p2pcdn.config import ElsewhereConfig, UpstreamConfig
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.upstreams import FakeUpstream, Kept, fake_upstream, head, says

LOOPBACK = UpstreamConfig(private_networks=("127.0.0.1/32",)).networks


@pytest.fixture
async def cdn() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as server:
        yield server


async def ask(cdn: FakeUpstream, path: str, *, private: bool = True) -> tuple[int, bytes]:
    places = Places([ElsewhereConfig(prefix=f"{cdn.url}films/")])
    client = Client(private=LOOPBACK if private else ())
    try:
        async with asking(client, places)(f"{cdn.url}{path}", {"X-Test": "1"}) as answer:
            return answer.status, b"".join([block async for block in answer.blocks(1000)])
    finally:
        await client.close()


async def test_a_query_goes_as_it_came(cdn: FakeUpstream) -> None:
    target = "films/a%20b.ts?sig=%2Fx%3d+y&Expires=1"
    cdn.files[f"/{target}"] = Kept.of(b"media")
    assert await ask(cdn, target) == (200, b"media")
    assert cdn.asked[0].headers["x-test"] == "1"


async def test_within_what_was_named_it_may_redirect(cdn: FakeUpstream) -> None:
    cdn.files["/films/b.ts"] = Kept.of(b"media")
    for where in ("/films/b.ts", f"{cdn.url}films/b.ts"):
        cdn.plays["/films/a.ts"] = says(head(302, {"Location": where, "Content-Length": "0"}))
        assert await ask(cdn, "films/a.ts") == (200, b"media")


@pytest.mark.parametrize(
    "where",
    [
        "/secret",
        "http://169.254.169.254/films/a.ts",
        "http://localhost:{port}/films/b.ts",
        "http://127.0.0.1:1/films/b.ts",
        "//127.0.0.2:{port}/films/b.ts",
        "/films/%2e%2e/secret",
        "http://me@127.0.0.1:{port}/films/b.ts",
        "file:///etc/passwd",
    ],
)
async def test_it_may_redirect_nowhere_else(cdn: FakeUpstream, where: str) -> None:
    location = where.replace("{port}", str(cdn.port))
    cdn.plays["/films/a.ts"] = says(head(302, {"Location": location, "Content-Length": "0"}))
    with pytest.raises(SourceError) as error:
        await ask(cdn, "films/a.ts")
    assert error.value.reason in (SourceReason.UNREACHABLE, SourceReason.STATUS)
    assert len(cdn.asked) == 1


async def test_a_name_may_not_lead_into_this_network_unless_that_is_meant(
    cdn: FakeUpstream,
) -> None:
    with pytest.raises(SourceError, match="unreachable"):
        await ask(cdn, "films/a.ts", private=False)
    assert cdn.connections == 0
