"""Who may ask the gateway anything: decided by a request's header alone, before any byte is sent.

===========  ==============================================  =====================================
who          shows                                           and has to come from
===========  ==============================================  =====================================
the owner    the gateway's own secret                        no page, or the gateway's own
a page       the secret that it got when it was paired       the origin that was paired, exactly
a new page   a code that the viewer has just typed           any origin of the web
===========  ==============================================  =====================================

The secret is the first part of the path. ``Host`` has to be the address at which the gateway
listens, to the letter: a page whose own name was made to resolve to 127.0.0.1 (DNS rebinding) sends
that name. ``Origin`` and ``Sec-Fetch-Site`` are written by the browser and not by the page.

What is not exactly so is refused, and a refusal is a reset connection: nothing that a page could
tell from a port at which nobody listens.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from p2pcdn.model import page_origin
from peer.native.gateway.codes import Codes

HEADER_BYTES = 16_384
"""Longest header of a request; a browser's takes 1 to 2 KB, there are no cookies here."""
PAIR = "pair"
"""What is asked for with a code."""

_LINE = re.compile(r"(GET|HEAD|POST|PATCH|DELETE|OPTIONS) (/[!-~]*) HTTP/1\.[01]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([ -~\t\x80-\xff]*)")
_ONCE = {"host", "origin", "sec-fetch-site", "content-length", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Head:
    """A request's header, as far as it decides. Names are in lower case."""

    method: str
    path: str
    """Without its query."""
    fields: Mapping[str, str]


def read_head(text: bytes) -> Head | None:
    """Reads a header, up to its empty line; None if it is not one that a client of ours sends."""
    line, *lines = text.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    request = _LINE.fullmatch(line)
    if request is None:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name = field[1].lower()
        if name in fields and name in _ONCE:
            return None
        # Not by the pattern, which would try all ways to share out a long run of spaces.
        fields[name] = field[2].strip(" \t")
    return Head(request[1], request[2].partition("?")[0], fields)


class Role(Enum):
    """In what capacity somebody asks."""

    OWNER = "owner"
    PAGE = "page"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Pass:
    """Somebody is admitted."""

    role: Role
    secret: str
    """The first part of the path."""
    rest: str
    """The rest of it, without a slash before it."""
    origin: str | None = None
    """Of the page, if one asks."""


class Admission:
    """Decides who is let in. ``pages`` are the paired origins, by the hashes of their secrets."""

    def __init__(
        self, address: str | None, secret: str, pages: Mapping[str, str], codes: Codes
    ) -> None:
        """``address`` is HOST:PORT as the gateway listens there; None if that has no one name."""
        self._address = address
        self._secret = secret.encode()
        self._pages = pages
        self._codes = codes

    def admit(self, head: Head, now: float) -> Pass | None:
        """Who asks; None if nobody is to know that there is somebody to be asked."""
        secret, slash, rest = head.path[1:].partition("/")
        fields = head.fields
        host = fields.get("host")
        if host is None or host != (self._address or host) or not slash:
            return None
        origin, site = fields.get("origin"), fields.get("sec-fetch-site")
        if hmac.compare_digest(secret.encode(), self._secret):
            at_home = origin in (None, f"http://{host}") and site in (None, "none", "same-origin")
            return Pass(Role.OWNER, secret, rest) if at_home else None
        if origin is None or page_origin(origin) != origin or site in ("none", "same-origin"):
            return None
        if self._pages.get(hash_of(secret)) == origin:
            return Pass(Role.PAGE, secret, rest, origin)
        if rest == PAIR and head.method in ("POST", "OPTIONS") and self._codes.fits(secret, now):
            return Pass(Role.CODE, secret, rest, origin)
        return None


def hash_of(secret: str) -> str:
    """What is kept of a page's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
