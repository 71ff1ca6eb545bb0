"""A client for servers that may be slow, broken, or not what their name promises."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import p2pcdn
from origin.fetching.client import Client, Patience
from origin.fetching.place import Place
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from tests.origin.fetching.ssrf import ADDRESSES, LITERALS, REDIRECTS
from tests.origin.upstreams import FakeUpstream, Kept, fake_upstream, head, says

HERE = (ip_network("127.0.0.1/32"),)

HASTY = Patience(connect=2.0, head=0.3, silence=0.3, grace=0.3, rate=100_000)
"""For what never comes."""


class Names(AbstractResolver):
    """Resolves each name to what comes next."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as server:
        yield server


class Secret:
    """A service of this machine, on all its addresses, which counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def connections(self) -> int:
        """How many came; the kernel has accepted them before anybody was told of it."""
        count = 0
        while True:
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return count
            connection.close()
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def secret() -> Iterator[Secret]:
    service = Secret()
    yield service
    service.close()


async def fetch(client: Client, url: str, most: int = 1_000_000, method: str = "GET") -> bytes:
    """The body at a URL, which is a place of its own."""
    place = Place.parse(url.rpartition("/")[0])
    async with client.ask(place, URL(url), method=method) as answer:
        assert answer.status == 200
        return await answer.read(most)


async def failure(client: Client, url: str, most: int = 1_000_000) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await fetch(client, url, most)
    return caught.value


async def test_a_body_and_what_is_said_of_it(upstream: FakeUpstream) -> None:
    upstream.files["/films/a.ts"] = Kept.of(b"data" * 100_000)
    async with Client(private=HERE) as client:
        place = Place.parse(f"{upstream.url}films")
        headers = {"If-Match": "x"}
        async with client.ask(place, place.url_of("a.ts"), headers=headers) as answer:
            assert (answer.status, answer.length) == (200, 400_000)
            assert answer.headers["etag"] == upstream.files["/films/a.ts"].etag
            assert await answer.read(400_000) == b"data" * 100_000
        assert await fetch(client, f"{upstream.url}films/a.ts", method="HEAD") == b""
    asked = upstream.asked[0].headers
    assert (asked["accept-encoding"], asked["if-match"]) == ("identity", "x")
    assert "cookie" not in asked
    assert asked["user-agent"] == f"p2pcdn/{p2pcdn.__version__}"
    assert upstream.connections == 1


async def test_a_body_in_pieces_of_unknown_number(upstream: FakeUpstream) -> None:
    chunked = head(200, {"Transfer-Encoding": "chunked"}) + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    upstream.plays["/a"] = says(chunked)
    async with Client(private=HERE) as client:
        assert await fetch(client, f"{upstream.url}a") == b"abcde"
        assert (await failure(client, f"{upstream.url}a", 4)).reason is SourceReason.LENGTH


async def test_a_body_that_nobody_wants_to_the_end_costs_its_connection(
    upstream: FakeUpstream,
) -> None:
    upstream.files["/a"] = Kept.of(bytes(5_000_000))
    upstream.files["/b"] = Kept.of(b"b")
    async with Client(private=HERE) as client:
        place = Place.parse(upstream.url)
        async with client.ask(place, place.url_of("a")):
            pass
        assert await fetch(client, f"{upstream.url}b") == b"b"


BROKEN = {SourceReason.CLOSED, SourceReason.LENGTH, SourceReason.STATUS}
"""Which of them depends on how the bytes come in; to a viewer they are the same."""

LATE = {SourceReason.TIMEOUT}

FAULTS = {
    "reset in the head": (says(b"HTTP/1.1 200", then="reset"), BROKEN),
    "closed without a word": (says(b"", then="close"), BROKEN),
    "no HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then="close"), BROKEN),
    "no head": (says(b"", then="wait"), LATE),
    "a head that drips": (says(b"HTTP/1.1 200 OK\r\n" * 9, drip=0.05), LATE),
    "truncated": (
        says(head(200, {"Content-Length": "10"}) + b"12345", then="close"),
        BROKEN,
    ),
    "truncated chunks": (
        says(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\n12345\r\n", then="close"),
        BROKEN,
    ),
    "broken chunks": (
        says(head(200, {"Transfer-Encoding": "chunked"}) + b"x\r\n12345\r\n0\r\n\r\n"),
        BROKEN,
    ),
    "reset in the body": (
        says(head(200, {"Content-Length": "10"}) + b"12345", then="reset"),
        BROKEN,
    ),
    "silent in the body": (
        says(head(200, {"Content-Length": "10"}) + b"12345", then="wait"),
        LATE,
    ),
    "a body that drips": (
        says(head(200, {"Content-Length": "100"}) + bytes(100), drip=0.01),
        LATE,
    ),
    "no length": (says(head(200, {}) + b"12345", then="close"), BROKEN),
    "two lengths": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"),
        BROKEN,
    ),
    "a length that is none": (
        says(head(200, {"Content-Length": "-5"}) + b"12345", then="close"),
        BROKEN,
    ),
    "too long": (says(head(200, {"Content-Length": "1000001"})), BROKEN),
    "gzip": (
        says(head(200, {"Content-Encoding": "gzip", "Content-Length": "5"}) + b"12345"),
        BROKEN,
    ),
    "an endless head": (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), BROKEN),
    "redirected in a circle": (
        says(head(302, {"Location": "/a", "Content-Length": "0"})),
        BROKEN,
    ),
    "redirected to nowhere": (says(head(302, {"Content-Length": "0"})), BROKEN),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults(upstream: FakeUpstream, fault: str) -> None:
    upstream.plays["/a"], reasons = FAULTS[fault]
    # Short for what never comes, and long for all else, which a busy machine may hold up.
    patience = HASTY if reasons == LATE else Patience()
    async with Client(private=HERE, patience=patience) as client:
        error = await failure(client, f"{upstream.url}a")
    assert error.reason in reasons, error
    assert "/a" in error.detail


async def test_what_follows_a_body_is_no_answer_to_the_next_request(
    upstream: FakeUpstream,
) -> None:
    good = head(200, {"Content-Length": "3"}) + b"one"
    upstream.plays["/a"] = says(good + head(200, {"Content-Length": "4"}) + b"evil")
    upstream.files["/b"] = Kept.of(b"good")
    async with Client(private=HERE) as client:
        assert await fetch(client, f"{upstream.url}a") == b"one"
        assert await fetch(client, f"{upstream.url}b") == b"good"


async def test_nobody_there(upstream: FakeUpstream) -> None:
    url = upstream.url
    await upstream.close()
    async with Client(private=HERE) as client:
        assert (await failure(client, f"{url}a")).reason is SourceReason.UNREACHABLE


async def test_a_name_that_does_not_resolve() -> None:
    class Nothing(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            raise OSError(-2, "Name or service not known")

    class Silence(Names):
        async def resolve(self, *_: object, **__: object) -> list[ResolveResult]:
            await asyncio.sleep(3600)
            return []

    for resolver, reason in (
        (Nothing(), SourceReason.UNREACHABLE),
        (Silence(), SourceReason.TIMEOUT),
    ):
        patience = HASTY if reason is SourceReason.TIMEOUT else Patience()
        async with Client(patience=patience, resolver=resolver) as client:
            assert (await failure(client, "http://cdn.example/a")).reason is reason


async def test_redirects_within_the_place_are_followed(upstream: FakeUpstream) -> None:
    upstream.files["/films/b"] = Kept.of(b"b")
    upstream.plays["/films/a"] = says(head(307, {"Location": "b", "Content-Length": "0"}))
    async with Client(private=HERE) as client:
        assert await fetch(client, f"{upstream.url}films/a") == b"b"


# Server-side request forgery


@pytest.mark.parametrize("host", LITERALS)
async def test_no_form_of_a_host_leads_to_this_machine(secret: Secret, host: str) -> None:
    async with Client() as client:
        with pytest.raises((SourceError, ConfigError)):
            await fetch(client, f"http://{host}:{secret.port}/a")
    assert secret.connections() == 0


@pytest.mark.parametrize("address", ADDRESSES)
async def test_no_name_leads_to_a_private_address(secret: Secret, address: str) -> None:
    async with Client(resolver=Names((address,))) as client:
        error = await failure(client, f"http://good.example:{secret.port}/a")
    assert error.reason is SourceReason.UNREACHABLE
    assert "is not public" in error.detail
    assert secret.connections() == 0


@pytest.mark.parametrize("location", REDIRECTS)
@pytest.mark.parametrize("status", [302])
async def test_no_redirect_leads_elsewhere(
    upstream: FakeUpstream, secret: Secret, location: str, status: int
) -> None:
    target = location.format(port=secret.port)
    upstream.plays["/films/a"] = says(head(status, {"Location": target, "Content-Length": "0"}))
    names = Names(("127.0.0.1",))  # so that what is not refused before is connected to
    async with Client(private=HERE, resolver=names) as client:
        await failure(client, f"http://good.example:{upstream.port}/films/a")
    assert [asked.path for asked in upstream.asked] == ["/films/a"]
    assert secret.connections() == 0


REBINDINGS = {
    "another address the second time": ((("127.0.0.1",), ("127.0.0.2",)), 1),
    "another address from the first": ((("127.0.0.2",), ("127.0.0.1",)), 0),
    "a good one first": ((("127.0.0.1", "127.0.0.2"),) * 2, 2),
    "a bad one first": ((("127.0.0.2", "127.0.0.1"),) * 2, 2),
    "bad ones on both sides": ((("::1", "127.0.0.1", "127.0.0.2"),) * 2, 2),
    "another family the second time": ((("127.0.0.1",), ("::1",)), 1),
    "mapped the second time": ((("127.0.0.1",), ("::ffff:127.0.0.1",)), 1),
    "everything the second time": ((("127.0.0.1",), ("0.0.0.0",)), 1),
}


@pytest.mark.parametrize("form", REBINDINGS)
async def test_names_that_change_their_mind(form: str) -> None:
    """A server of ours at 127.0.0.1 may be fetched from, all others on its port may not."""
    answers, good = REBINDINGS[form]
    async with fake_upstream() as upstream:
        upstream.plays["/a"] = says(head(200, {"Content-Length": "1"}) + b"a", then="close")
        others = [
            socket.create_server((host, upstream.port), family=family)
            for host, family in (("127.0.0.2", socket.AF_INET), ("::1", socket.AF_INET6))
        ]
        client = Client(private=HERE, resolver=Names(*answers), remember=0.0)
        try:
            async with client:
                for number in range(2):
                    url = f"http://good.example:{upstream.port}/a"
                    if good > number:
                        assert await fetch(client, url) == b"a"
                    elif form != "another address from the first":
                        assert "is not public" in (await failure(client, url)).detail
            for other in others:
                other.setblocking(False)
                with pytest.raises(BlockingIOError):
                    other.accept()
        finally:
            for other in others:
                other.close()


def test_how_many_forms_there_are() -> None:
    assert len({*LITERALS, *ADDRESSES, *REDIRECTS, *REBINDINGS}) >= 150
