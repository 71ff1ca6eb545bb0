"""A client for servers that may be slow, broken, or not what their name promises.

::

    Place, URL --> is the URL below the place? --> resolve --> may this address be connected to?
                          ^                                      |  (asked for each socket)
                          `------ redirect, 3 at the most ---- head, in time and not compressed
                                                                 |
                                                     body: whole, in time, not too large

What goes wrong is a `SourceError`: UNREACHABLE (no connection, or none that is allowed), TIMEOUT,
STATUS (an answer of no use), LENGTH and CLOSED (a body that is not what was promised). Details
name servers, so they are for the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from origin.fetching.addresses import may_connect
from origin.fetching.place import Place
from p2pcdn import __version__
from p2pcdn.config import IPNetwork
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.failures import why

_REDIRECTS = 3
_REDIRECTED = frozenset({301, 302, 303, 307, 308})


class Patience(NamedTuple):
    """How long another server is waited for, in seconds."""

    connect: float = 5.0
    """For a connection, its name resolved."""
    head: float = 10.0
    """For the head of an answer, connection and redirects included."""
    silence: float = 10.0
    """For more of a body."""
    grace: float = 30.0
    """For a body that comes more slowly than `rate`."""
    rate: float = 16_384
    """Bytes a second: who is slower for long only holds up others."""


class ForbiddenAddressError(OSError):
    """A name or a URL leads to an address that may not be connected to."""


class Answer:
    """An answer whose head is there."""

    def __init__(self, response: aiohttp.ClientResponse, patience: Patience) -> None:
        self._response = response
        self._patience = patience
        self.url = response.url
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        self.length = None if _is_chunked(response) else response.content_length
        """Bytes of the body; None if they are not known before its end. After HEAD, of the body
        that GET would have."""

    async def blocks(self, most: int) -> AsyncIterator[bytes]:
        """The body as it comes; `SourceError` unless it ends as it should (aiohttp counts), after
        no more than ``most`` bytes. What came before the error is not to be believed."""
        if self.length is not None and self.length > most:
            raise self._error(SourceReason.LENGTH, f"has {self.length} bytes, more than {most}")
        received, waited = 0, 0.0
        loop = asyncio.get_running_loop()
        while True:
            left = self._patience.grace + received / self._patience.rate - waited
            begin = loop.time()
            block = await self._block(min(self._patience.silence, max(left, 0.0)))
            waited += loop.time() - begin
            if not block:
                break
            received += len(block)
            if received > most:
                raise self._error(SourceReason.LENGTH, f"has more than {most} bytes")
            yield block

    async def read(self, most: int) -> bytes:
        """The body as a whole, as `blocks` gives it."""
        return b"".join([block async for block in self.blocks(most)])

    async def _block(self, patience: float) -> bytes:
        try:
            async with asyncio.timeout(patience):
                return await self._response.content.readany()
        except TimeoutError:
            raise self._error(SourceReason.TIMEOUT, "comes too slowly") from None
        except aiohttp.ClientPayloadError as error:
            raise self._error(SourceReason.LENGTH, f"breaks off ({error})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._error(SourceReason.CLOSED, f"breaks off ({error})") from error

    def _error(self, reason: SourceReason, what: str) -> SourceError:
        return SourceError(reason, f"What {self.url} answers {what}.")


class Client:
    """Asks servers, and keeps connections to them for a while. It belongs to one event loop."""

    def __init__(
        self,
        *,
        private: Iterable[IPNetwork] = (),
        connections: int = 16,
        patience: Patience | None = None,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        remember: float = 10.0,
    ) -> None:
        """``private`` networks may be connected to beside the public internet (`addresses`).
        ``connections`` are the most at once to one server; what a name resolves to is remembered
        for ``remember`` seconds."""
        self._remember = remember
        self._private = tuple(private)
        self._connections = connections
        self._patience = patience or Patience()
        self._resolver = resolver
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def ask(
        self,
        place: Place,
        url: URL,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Answer]:
        """The answer to a request for ``url``, which has to lie below ``place``, as have those that
        it redirects to. Answers of any other status are given as they are."""
        asked = {hdrs.ACCEPT_ENCODING: "identity", **(headers or {})}
        response = await self._head(place, url, method, asked)
        try:
            yield Answer(response, self._patience)
        finally:
            if response.content.is_eof():
                response.release()
            else:
                response.close()

    async def reach(self, place: Place) -> None:
        """Ask for the place itself, whatever its server answers; `SourceError` if it does not."""
        with _failing(place.base):
            async with asyncio.timeout(self._patience.head):
                (await self._request(hdrs.METH_HEAD, place.base, {})).close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _head(
        self, place: Place, url: URL, method: str, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        asked = url
        with _failing(asked):
            async with asyncio.timeout(self._patience.head):
                for _ in range(_REDIRECTS + 1):
                    if not place.holds(url):
                        what = "is" if url is asked else "redirects to what is"
                        message = f"{asked} {what} not below {place.base}."
                        raise SourceError(SourceReason.UNREACHABLE, message)
                    response = await self._request(method, url, headers)
                    if response.status not in _REDIRECTED:
                        _check(response)
                        return response
                    response.close()
                    url = _target(response)
        raise SourceError(SourceReason.STATUS, f"{asked} redirects too often.")

    async def _request(
        self, method: str, url: URL, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._open()
        return await self._session.request(method, url, headers=headers, allow_redirects=False)

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=self._connections,
            use_dns_cache=self._remember > 0,
            ttl_dns_cache=round(self._remember),
            resolver=self._resolver or aiohttp.ThreadedResolver(),
            socket_factory=self._socket,
            ssl=self._tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={hdrs.USER_AGENT: f"p2pcdn/{__version__}"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect),
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket that will be connected to just this address, whoever told it."""
        family, kind, protocol, _, address = info
        if not may_connect(str(address[0]), self._private):
            raise ForbiddenAddressError(
                f"the address {address[0]} is not public; if it is meant, its network has to be in "
                "origin.upstream.private_networks",
            )
        return socket.socket(family, kind, protocol)


@contextlib.contextmanager
def _failing(asked: URL) -> Iterator[None]:
    """What goes wrong before there is an answer, as a `SourceError`."""
    try:
        yield
    except TimeoutError:
        raise SourceError(SourceReason.TIMEOUT, f"{asked} did not answer in time.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise SourceError(_reason(error), f"{asked} cannot be had: {why(error)}.") from error


def _check(response: aiohttp.ClientResponse) -> None:
    """Whether there is a body as it was asked for, whose end can be told from its breaking off."""
    headers = response.headers
    coding = headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if coding != "identity":
        problem = f"is sent as {coding}, although identity was asked for"
    elif len(set(headers.getall(hdrs.CONTENT_LENGTH, []))) > 1:
        problem = "has several lengths"
    elif _has_body(response) and response.content_length is None and not _is_chunked(response):
        problem = "does not say how long it is"
    else:
        return
    response.close()
    raise SourceError(SourceReason.STATUS, f"What {response.url} answers {problem}.")


def _has_body(response: aiohttp.ClientResponse) -> bool:
    return response.method != hdrs.METH_HEAD and response.status not in (204, 304)


def _is_chunked(response: aiohttp.ClientResponse) -> bool:
    return hdrs.TRANSFER_ENCODING in response.headers


def _target(response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get(hdrs.LOCATION, "")
    target = URL(location, encoded=True)
    if not location or (target.scheme and not target.raw_host):
        raise SourceError(SourceReason.STATUS, f"{response.url} redirects to nowhere.")
    return response.url.join(target)


def _reason(error: Exception) -> SourceReason:
    if isinstance(error, aiohttp.ServerTimeoutError):
        return SourceReason.TIMEOUT
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return SourceReason.CLOSED
    if isinstance(error, aiohttp.ClientResponseError):
        return SourceReason.STATUS
    return SourceReason.UNREACHABLE
