"""The end point over HTTP, as pages of other sites see it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

import aiohttp

from p2pcdn.doctor import Finding, doubt, good, wrong
from p2pcdn.errors import ConfigError
from p2pcdn.failures import why

SNIPPET = "/p2pcdn.js"
SOMEBODY = "https://page-of-another-site.example"
"""The origin of a page that nobody has, where no page is named."""
CLOCK = 5.0
"""Seconds that two clocks may differ by: about as much as a join token forgives."""
FAR_OFF = 60.0
MOST_BYTES = 1_048_576
"""Of an answer that are read."""


def parse(url: str) -> SplitResult:
    """The address of an end point; `ConfigError` if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{url!r} is no URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ConfigError(f"A URL is like https://cdn.example; {url!r} is not.")
    return parts._replace(path=parts.path.rstrip("/"), query="", fragment="")


def is_local(host: str) -> bool:
    """Whether browsers take the host for their own machine, as the Secure Contexts standard has it:
    pages from there are secure without TLS."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def text_of(answer: aiohttp.ClientResponse) -> str:
    """What an answer says, or as much of it as anybody wants to read."""
    data = b""
    while len(data) < MOST_BYTES and (block := await answer.content.read(MOST_BYTES - len(data))):
        data += block
    return data.decode(errors="replace")


class Site:
    """An end point. ``page`` is the origin of the page that embeds it, if one is named."""

    def __init__(
        self, session: aiohttp.ClientSession, url: SplitResult, page: str | None = None
    ) -> None:
        self._session = session
        self._url = url
        self._page = page

    async def examine(self) -> AsyncIterator[Finding]:
        """What there is to say; ends early if nobody is there."""
        reached = await self._reach()
        yield reached
        if reached.advice:
            return
        for look in (self._ready, self._secure, self._snippet, self._shared, self._asked):
            yield await look()
        yield await self._clock()

    def at(self, path: str) -> str:
        """The URL of something there."""
        return self._url.geturl() + path

    async def _reach(self) -> Finding:
        try:
            async with self._session.get(self.at("/livez")) as answer:
                if answer.status == 200:
                    return good("reach", f"A server answers at {self._url.geturl()}.")
                status = answer.status
        except aiohttp.ClientConnectorCertificateError as error:
            return wrong(
                "reach",
                f"The certificate of {self._url.netloc} is not one that browsers believe: "
                f"{error.certificate_error}.",
                "Get one for this name, for example by Let's Encrypt, with its whole chain.",
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            return wrong(
                "reach",
                f"Nothing answers at {self._url.geturl()}: {why(error)}.",
                "Is the server running, does it listen on this address (listen), and does no "
                "firewall close the port?",
            )
        return wrong(
            "reach",
            f"{self.at('/livez')} answers {status}: this is no p2pcdn, or a proxy in front does "
            "not pass the path on.",
            "Name the address that the snippet is loaded from, without /p2pcdn.js.",
        )

    async def _ready(self) -> Finding:
        async with self._session.get(self.at("/readyz?verbose")) as answer:
            if answer.status == 200:
                return good("ready", "It is ready.")
            text = " ".join((await text_of(answer)).split())[:500]
        return wrong("ready", f"It is not ready: {text}", "Mend what it says; its log has more.")

    async def _secure(self) -> Finding:
        if self._url.scheme == "https":
            return good("secure", "It is a secure page's neighbour: https.")
        if is_local(self._url.hostname or ""):
            return good("secure", "Browsers of this machine take it for secure, as it is local.")
        return wrong(
            "secure",
            f"Browsers give a page at {self._url.geturl()} neither WebCrypto nor peers, and a page "
            "by https loads nothing from it.",
            "Serve by https: tls.cert and tls.key, or a proxy with a certificate in front.",
        )

    async def _snippet(self) -> Finding:
        async with self._session.get(self.at(SNIPPET)) as answer:
            kind = answer.content_type
            if answer.status != 200 or "javascript" not in kind:
                return wrong(
                    "snippet",
                    f"{self.at(SNIPPET)} answers {answer.status} ({kind}).",
                    "Does a proxy in front pass /p2pcdn.js on to the origin?",
                )
        return good("snippet", "The snippet is there.")

    async def _shared(self) -> Finding:
        """Whether the page may read what it fetches."""
        page = self._page or SOMEBODY
        async with self._session.get(self.at(SNIPPET), headers={"Origin": page}) as answer:
            allowed = answer.headers.get("Access-Control-Allow-Origin")
        if allowed in ("*", page):
            return good("cors", "Pages of other sites may fetch its media (CORS).")
        if allowed and self._page is None:
            return doubt(
                "cors",
                f"Pages of {allowed} alone may fetch its media (CORS).",
                "If the page is another one, name it in origin.allow_origin, or look at it with "
                "--page.",
            )
        return wrong(
            "cors",
            f"{page} may not fetch its media: Access-Control-Allow-Origin is "
            f"{allowed or 'missing'}.",
            "Set origin.allow_origin, and let a proxy in front pass the header on.",
        )

    async def _asked(self) -> Finding:
        """Whether a browser that asks first (a preflight) hears that it may."""
        headers = {
            "Origin": self._page or SOMEBODY,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "range",
        }
        async with self._session.options(self.at("/media/doctor"), headers=headers) as answer:
            words = answer.headers.get("Access-Control-Allow-Headers", "").lower()
            allows = "range" in words and answer.status in (200, 204)
        if allows:
            return good(
                "preflight", "Browsers that ask before they fetch a range hear that they may."
            )
        return wrong(
            "preflight",
            f"A browser that asks whether it may fetch a range hears {answer.status}, and is "
            f"allowed {words or 'nothing'}.",
            "Let a proxy in front pass OPTIONS on, instead of answering it itself.",
        )

    async def _clock(self) -> Finding:
        before = time.time()
        async with self._session.get(self.at("/livez")) as answer:
            said = answer.headers.get("Date", "")
        after = time.time()
        try:
            theirs = parsedate_to_datetime(said).timestamp()
        except ValueError:
            return doubt(
                "clock", "It does not say what time it is.", "Let the Date header through."
            )
        # It names whole seconds, of some moment between asking and hearing.
        off = max(before - theirs - 1.0, theirs - after, 0.0)
        if off < CLOCK:
            return good("clock", "Its clock and that of this machine agree.")
        says = wrong if off >= FAR_OFF else doubt
        return says(
            "clock",
            f"Its clock and that of this machine are {off:.0f} s apart.",
            "Join tokens and figures need the right time: let both machines ask an NTP server.",
        )
