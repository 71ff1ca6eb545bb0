"""Who may see the figures: whoever is at this machine, or has the admin token.

::

    listens on loopback, no proxy in between  -->  open
    anything else  -->  Authorization: Bearer TOKEN, or a cookie that /dashboard/?token=TOKEN sets

A proxy on this machine makes the world look as if it were here, so any trace of one (a forwarding
header) makes a request one from outside; so does a name in ``Host`` that is not this machine's,
which is how a page of another site would reach us through its visitor's browser (DNS rebinding).
The token is made on first use and kept in the data directory, unless a setting says what it is.
"""

from __future__ import annotations

import hashlib
import hmac
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from p2pcdn.config import Config
from p2pcdn.service.errors import error_response
from p2pcdn.service.secret import token_in

FILE = "admin-token"

COOKIE = "p2pcdn-admin"

COOKIE_LASTS = 30 * 86_400
"""Seconds until a browser has to come by the link again."""

_TRACES = ("forwarded", "via", "x-real-ip")
_TRACE_PREFIX = "x-forwarded-"

log = structlog.get_logger("p2pcdn.server")


class Admin:
    """Lets in whoever may see the figures."""

    def __init__(self, config: Config) -> None:
        given = config.tracker.admin_token
        self.needs_token = given is not None or not is_loopback(config.address.host)
        """Whether everybody needs the token, those at this machine as well."""
        self.file = config.data / FILE
        self._known = given
        self._told = False

    @property
    def token(self) -> str:
        """The token; it is made if there is none. `ConfigError` if its file cannot be used."""
        if self._known is None:
            self._known = token_in(self.file, "admin token")
        return self._known

    def link(self, url: str) -> str:
        """The dashboard of the server at ``url``, for whoever reads what the server prints."""
        query = f"?token={quote(self.token, safe='')}" if self.needs_token else ""
        return f"{url}/dashboard/{query}"

    def guarded(self, handler: Handler) -> Handler:
        """A handler that answers only those who may come in."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(request) if self.allows(request) else self.refuse()

        return answer

    def allows(self, request: web.Request) -> bool:
        """Whether a request comes from this machine, or with the token."""
        if not self.needs_token and _is_from_here(request):
            return True
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and self.knows(token.strip()):
            return True
        return _is_same(request.cookies.get(COOKIE, ""), self._cookie())

    def knows(self, token: str) -> bool:
        """Whether it is the token."""
        return _is_same(token, self.token)

    def enter(self, request: web.Request, response: web.Response) -> None:
        """Give the browser what lets it in from now on."""
        proxied = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        response.set_cookie(
            COOKIE,
            self._cookie(),
            max_age=COOKIE_LASTS,
            secure=request.secure or proxied,
            httponly=True,
            samesite="Lax",  # Strict would keep out who clicks the link in a message
        )

    def refuse(self) -> web.Response:
        """The answer to everybody else."""
        if not self._told:
            self._told = True
            log.warning("admin_token_needed", header="Authorization: Bearer", token=str(self.file))
        return error_response(
            HTTPStatus.UNAUTHORIZED,
            "unauthorized",
            "This needs the admin token: open the dashboard by the link with ?token= that the "
            "server printed when it started, or send the header Authorization: Bearer TOKEN. "
            f"Unless tracker.admin_token is set, it is in the file {FILE} of the data directory.",
            {hdrs.WWW_AUTHENTICATE: 'Bearer realm="p2pcdn"', hdrs.CACHE_CONTROL: "no-store"},
        )

    def _cookie(self) -> str:
        """Not the token itself: what is found in a browser is good for nothing but this."""
        return hmac.new(self.token.encode(), b"p2pcdn dashboard", hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, and reached from nowhere else."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_from_here(request: web.Request) -> bool:
    names = {name.lower() for name in request.headers}
    if any(name in _TRACES or name.startswith(_TRACE_PREFIX) for name in names):
        return False
    try:
        host = urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname
    except ValueError:
        return False
    return is_loopback(host or "")


def _is_same(given: str, right: str) -> bool:
    """In a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
