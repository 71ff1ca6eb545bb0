"""Which URLs are allowed, and the one name that each has: its canonical URL.

Two URLs of one file differ in what lets their bearer in: signatures, times, ids of sessions, in the
query or in the path. All of that is left out of the name; only those parameters stay that the site
lists. What could be read in two ways is refused, since between us and the file there are servers
that each have a way of their own: dots, empty parts, encoded slashes, percent signs that are
encoded themselves, users, other ports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from p2pcdn.config import ElsewhereConfig
from p2pcdn.errors import ConfigError, P2pcdnError

LONGEST_URL = 4096
LONGEST_NAME = 512
"""Of the wire format."""

_URL = re.compile(r"(https?)://([^/?#]*)(/[^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?")
_PRINTABLE = re.compile(r"[!-~]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_AMBIGUOUS = re.compile(r"[\\;]|%(?:25|2F|5C|3B|[01][0-9A-F]|7F)")
_PORTS = {"http": "80", "https": "443"}


class NotAllowedError(P2pcdnError):
    """A URL of which nothing is said here; its text is a sentence without that URL."""


class Place(NamedTuple):
    """A file elsewhere."""

    name: str
    """Its canonical URL, without anything that lets somebody in."""
    url: str
    """Where it is, with all that."""

    @property
    def bare(self) -> str:
        """The URL without its query."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> str:
        """With the question mark; empty if there is none."""
        return "".join(self.url.partition("?")[1:])


class _Parts(NamedTuple):
    base: str
    """Scheme and authority."""
    path: str
    query: str


@dataclass(frozen=True, slots=True)
class _Prefix:
    base: str
    path: str
    name: str
    """What stands for it in names."""
    counts: tuple[str, ...]
    token: re.Pattern[str] | None


class Places:
    """What a site has said of where its media are."""

    def __init__(self, sections: Iterable[ElsewhereConfig]) -> None:
        """`ConfigError` for a prefix that could not be that of any URL."""
        self._prefixes = [prefix for section in sections for prefix in _prefixes(section)]
        self._prefixes.sort(key=lambda prefix: -len(prefix.path))

    def __bool__(self) -> bool:
        return bool(self._prefixes)

    def find(self, url: str) -> Place:
        """The place that a URL means; `NotAllowedError` if it is none of those that are allowed."""
        parts = _split(url)
        for prefix in self._prefixes:
            if prefix.base == parts.base:
                path = _without_token(parts.path, prefix.token)
                if path.startswith(prefix.path):
                    return _place(prefix, path, parts)
        raise NotAllowedError("This origin says nothing of media at that URL.")


def _prefixes(section: ElsewhereConfig) -> Iterable[_Prefix]:
    token = re.compile(section.token) if section.token else None
    first = _folder(section.prefix)
    for url in (section.prefix, *section.mirrors):
        base, path, _ = _folder(url)
        yield _Prefix(base, path, first.base + first.path, section.query, token)


def _folder(url: str) -> _Parts:
    try:
        parts = _split(f"{url}x")
        _without_token(parts.path, None)
    except NotAllowedError as error:
        raise ConfigError(
            f"elsewhere.prefix is a URL such as https://cdn.example/films/, not {url!r}. {error}"
        ) from None
    return parts._replace(path=parts.path[:-1])


def _place(prefix: _Prefix, path: str, parts: _Parts) -> Place:
    given = parse_qsl(parts.query, keep_blank_values=True) if prefix.counts else []
    counted = [
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for counts in prefix.counts
        for name, value in given
        if name == counts
    ]
    name = ";".join([prefix.name + path[len(prefix.path) :], *counted])
    if len(name) > LONGEST_NAME:
        raise NotAllowedError(f"URLs have at most {LONGEST_NAME} characters here without a query.")
    query = f"?{parts.query}" if parts.query else ""
    return Place(name, f"{parts.base}{parts.path}{query}")


def _split(url: str) -> _Parts:
    """A URL, with its scheme, authority and escapes in one form, and nothing that leads astray."""
    if len(url) > LONGEST_URL or not _PRINTABLE.fullmatch(url):
        raise NotAllowedError(
            f"A URL has at most {LONGEST_URL} characters, of ASCII and none of control."
        )
    match = _URL.fullmatch(url)
    if match is None:
        raise NotAllowedError("A URL here begins with http:// or https:// and has a path.")
    scheme, path = match[1].lower(), _escaped(match[3])
    if "\\" in path or any(part in ("", ".", "..") for part in path.split("/")[1:]):
        raise NotAllowedError("The path of a URL here has no empty parts, dots or backslashes.")
    return _Parts(f"{scheme}://{_authority(match[2], scheme)}", path, match[4] or "")


def _authority(text: str, scheme: str) -> str:
    match = _AUTHORITY.fullmatch(text.lower())
    if match is None:
        raise NotAllowedError("A URL here names a host, and perhaps a port, but no user.")
    host, port = match.groups()
    return host if port in (None, _PORTS[scheme]) else f"{host}:{port}"


def _escaped(path: str) -> str:
    """The path with its escapes as RFC 3986, 6.2.2 has them: none that is not needed."""

    def one(match: re.Match[str]) -> str:
        if match[1] is None:
            raise NotAllowedError("A % in a path is followed by two hexadecimal digits.")
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else f"%{match[1].upper()}"

    return _ESCAPE.sub(one, path)


def _without_token(path: str, token: re.Pattern[str] | None) -> str:
    """The path without what lets its bearer in."""
    path = token.sub("", path) if token else path
    if _AMBIGUOUS.search(path):
        raise NotAllowedError(
            "The path of a URL here has no semicolons, and no encoded slashes, percent signs or "
            "control characters."
        )
    if any(part in ("", ".", "..") for part in path.split("/")[1:]):
        raise NotAllowedError("The path of a URL here has no empty parts or dots.")
    return path
