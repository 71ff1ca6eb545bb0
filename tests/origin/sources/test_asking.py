"""What is asked of another server; what comes of its answers is in `test_upstream`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from origin.fetching.client import Client
from origin.fetching.place import Place
from origin.sources.arrivals import Arrival
from origin.sources.asking import NOTHING, Asker, RefusedError, ReplacedError
from origin.sources.versions import Version
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.upstreams import OLD, FakeUpstream, Kept, fake_upstream, head, says


@pytest.fixture
async def server() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as server:
        yield server


@pytest.fixture
async def asker(server: FakeUpstream) -> AsyncIterator[Asker]:
    async with Client(private=[ip_network("127.0.0.1/32")]) as client:
        yield Asker(client, Place.parse(server.url))


async def test_what_there_is(server: FakeUpstream, asker: Asker) -> None:
    server.files["/a"] = Kept(b"data", '"x"')
    found = await asker.look("a", NOTHING, whole=False)
    assert (found.version, found.data) == (Version(4, '"x"', OLD), None)
    assert await asker.look("b", NOTHING, whole=False) == NOTHING
    assert await asker.look("b", NOTHING, whole=True) == NOTHING
    assert [asked.method for asked in server.asked] == ["HEAD", "HEAD", "GET"]


async def test_a_whole_comes_if_it_has_changed(server: FakeUpstream, asker: Asker) -> None:
    server.files["/a"] = Kept(b"data", 'W/"x"', None)
    first = await asker.look("a", NOTHING, whole=True)
    assert first.data == b"data"
    assert first.version == Version(4, digest=hashlib.sha256(b"data").hexdigest())
    again = await asker.look("a", first, whole=True)
    assert (again.version, again.data) == (first.version, None)
    third = await asker.look("a", again, whole=True)
    assert (third.version, third.data) == (first.version, None)
    server.files["/a"] = Kept(b"other", 'W/"y"', None)
    assert (await asker.look("a", third, whole=True)).data == b"other"


async def test_an_answer_that_says_unchanged_though_nobody_asked(
    server: FakeUpstream, asker: Asker
) -> None:
    server.plays["/a"] = says(head(304, {"ETag": '"x"'}))
    with pytest.raises(SourceError) as caught:
        await asker.look("a", NOTHING, whole=True)
    assert caught.value.reason is SourceReason.STATUS


@pytest.mark.parametrize(
    ("status", "reason", "refused"),
    [
        (500, SourceReason.STATUS, False),
        (503, SourceReason.BUSY, False),
        (429, SourceReason.BUSY, False),
        (401, SourceReason.STATUS, True),
        (403, SourceReason.STATUS, True),
        (204, SourceReason.STATUS, False),
    ],
)
async def test_statuses(
    server: FakeUpstream, asker: Asker, status: int, reason: SourceReason, refused: bool
) -> None:
    server.plays["/a"] = says(head(status, {} if status == 204 else {"Content-Length": "0"}))
    with pytest.raises(SourceError) as caught:
        await asker.look("a", NOTHING, whole=False)
    assert caught.value.reason is reason
    assert isinstance(caught.value, RefusedError) == refused


async def test_of_what_is_known_by_its_bytes_nothing_is_given_before_all_is_right(
    server: FakeUpstream, asker: Asker
) -> None:
    server.files["/a"] = Kept(b"evil", None, None)
    version = Version(4, digest=hashlib.sha256(b"good").hexdigest())
    arrival = Arrival(4)
    with pytest.raises(ReplacedError):
        await asker.fetch("a", version, 0, arrival)
    assert arrival.data == b""
    server.files["/a"] = Kept(b"good", None, None)
    await asker.fetch("a", version, 0, arrival)
    assert arrival.data == b"good"
