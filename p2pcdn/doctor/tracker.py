"""The tracker's socket, as a peer meets it: does it open, may a peer join, and whom may it meet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from urllib.parse import SplitResult

import aiohttp

from p2pcdn.doctor import Finding, doubt, good, wrong
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.codec import decode_from_tracker, encode
from p2pcdn.wire.tracker import FromTracker, Join, Joined, Leave, Refused, Welcome

PATH = "/tracker/v1"
PATIENCE = 5.0
"""Seconds for the tracker to say something."""

_MODES = {
    "lan": "Viewers meet only those in their own local network (mode lan).",
    "network": "Viewers meet only those of their own network operator (mode network).",
    "relay": "Viewers link through the site's relays alone (mode relay), which carry every byte.",
}


class Tracker:
    """A tracker; once it has been examined, its ``stun`` is what it tells peers of."""

    def __init__(self, session: aiohttp.ClientSession, url: SplitResult, site: str) -> None:
        scheme = "wss" if url.scheme == "https" else "ws"
        self._url = url._replace(scheme=scheme, path=url.path + PATH).geturl()
        self._session = session
        self._site = site
        self.stun: str | None = None
        self.reached = False
        """Whether it has said anything."""

    async def examine(self) -> AsyncIterator[Finding]:
        """What there is to say of it."""
        content = secrets.token_hex(16)  # nobody else is in its swarm
        try:
            async with self._session.ws_connect(self._url) as socket:
                welcome = await _hear(socket)
                if not isinstance(welcome, Welcome):
                    yield _stranger(self._url)
                    return
                self.stun, self.reached = welcome.stun, True
                yield good("tracker", f"The tracker's socket opens at {self._url}.")
                await socket.send_str(encode(Join(PROTOCOL, self._site, content, "native", False)))
                yield _admitted(self._site, await _hear(socket))
                await socket.send_str(encode(Leave()))
        except aiohttp.WSServerHandshakeError as error:
            yield wrong(
                "tracker",
                f"The tracker's socket does not open: {self._url} answers {error.status}.",
                "A proxy in front has to pass the headers Upgrade and Connection on, for nginx "
                "with proxy_http_version 1.1.",
            )
        except (aiohttp.ClientError, TimeoutError, RemoteError) as error:
            why = str(error) or "it says nothing"
            yield wrong(
                "tracker",
                f"The tracker's socket at {self._url} breaks off: {why}.",
                "Does a proxy in front buffer, or close what is silent for some seconds?",
            )


async def _hear(socket: aiohttp.ClientWebSocketResponse) -> FromTracker:
    async with asyncio.timeout(PATIENCE):
        message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise RemoteError(ErrorCode.UNEXPECTED, "it closes at once")
    return decode_from_tracker(message.data)


def _stranger(url: str) -> Finding:
    return wrong(
        "tracker",
        f"What answers at {url} is no tracker of this version.",
        "Are the server and this program of the same version?",
    )


def _admitted(site: str, said: FromTracker) -> Finding:
    if isinstance(said, Joined):
        told = _MODES.get(said.mode)
        if told is None:
            return good("join", f"A peer of the site {site} may join, and meet anybody.")
        return doubt("join", told, "That is what tracker.mode, or mode of the site, says.")
    if not isinstance(said, Refused):
        return _stranger("the tracker's socket")
    if said.code is ErrorCode.BAD_TOKEN:
        return good("join", f"Peers of the site {site} need a join token, as it is set.")
    if said.code is ErrorCode.WRONG_ORIGIN:
        return good("join", f"Peers of the site {site} have to come from its pages, as it is set.")
    why = f"{said.code.value}: {said.detail}" if said.detail else said.code.value
    return wrong(
        "join",
        f"No peer of the site {site} may join ({why}).",
        _advice(said.code),
    )


def _advice(code: ErrorCode) -> str:
    match code:
        case ErrorCode.UNKNOWN_SITE:
            return "Name the site that the snippet names in data-site: --site."
        case ErrorCode.SITE_OFF:
            return "Switch it on again: enabled, in the table of the site."
        case ErrorCode.NO_PEERS:
            return "Set tracker.mode, and mode of the site, to something else than off."
        case ErrorCode.BANNED:
            return "Wrong bytes came from here: find out what sends them; tracker.ban_time tells."
        case _:
            return "docs/reference/errors.md says what it means."
