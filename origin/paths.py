"""From the path of a request to the path of a file, or to a clear refusal.

What comes out is relative, decoded once, and names no place outside the tree that it starts from:
no empty segment, no ``.`` and ``..``, nothing hidden. Links are the source's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

from origin.http_error import HttpError
from p2pcdn.model import is_elsewhere

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_ENCODED_SEPARATOR = re.compile(rb"%(2f|5c)", re.IGNORECASE)

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*", re.ASCII)
"""What most playlists call their segments: nothing in it stands for something else."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def path_below(prefix: str, target: str) -> str:
    """The path below ``prefix`` that a request target (RFC 9112, 3.2) names.

    ``target`` is what the client sent, in origin or absolute form. A target that only comes to
    lie under the prefix once its dots are resolved is refused: nobody needs one.
    """
    raw = target.partition("?")[0].partition("#")[0]
    if not raw.startswith("/"):
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    if not raw.startswith(prefix):
        _not_found(raw)
    if raw == prefix:
        raise HttpError(HTTPStatus.NOT_FOUND, f"Nothing is at {prefix} itself: name a file below.")
    return media_path(raw[len(prefix) :])


def media_path(raw: str) -> str:
    """The relative path that this percent-encoded one means."""
    data = raw.encode("utf-8", "surrogateescape")
    if _BAD_ESCAPE.search(data):
        _malformed("A % in a path is followed by two hexadecimal digits.")
    if _ENCODED_SEPARATOR.search(data):
        # Whether it separates or belongs to a name is a matter of opinion: of proxies, too.
        _malformed("Slashes and backslashes in a path cannot be percent-encoded.")
    try:
        path = unquote_to_bytes(data).decode()
    except UnicodeDecodeError:
        _malformed("A path is UTF-8, percent-encoded.")
    if _CONTROL.search(path):
        _malformed("A path has no control characters.")
    if "\\" in path:
        _malformed("The separator of a path is a slash, not a backslash.")
    if any(segment == "" or segment.startswith(".") for segment in path.split("/")):
        _not_found(path)
    return path


def media_url(path: str) -> str:
    """The URL of a media path, but for the host."""
    return quote(f"/media/{path}")


def address_of(path: str) -> str:
    """What the id of a content is made of."""
    return path if is_elsewhere(path) else f"/media/{path}"


def resolve(base: str, uri: str, urls: Iterable[str] = ()) -> str | None:
    """The media path of a URI that stands in the playlist at ``base``; None if it is not ours.

    Ours are also absolute ones that begin with one of ``urls``, by which viewers reach us. Media
    elsewhere have URLs instead of paths (`origin.elsewhere`).
    """
    if _PLAIN.fullmatch(uri):  # all of a long playlist takes a second otherwise
        folder = base.rpartition("/")[0]
        return f"{folder}/{uri}" if folder else uri
    try:
        if is_elsewhere(base):
            url = urljoin(base, uri)
            return url if is_elsewhere(url) else None
        parts = urlsplit(urljoin(media_url(base), _without(uri, urls)))
        if parts.scheme or parts.netloc or not parts.path.startswith("/media/"):
            return None
        return media_path(parts.path[len("/media/") :])
    except (HttpError, ValueError):
        return None


def _without(uri: str, urls: Iterable[str]) -> str:
    """An absolute URI without our own host, in front of which there may be no scheme."""
    for url in urls:
        own = url.rstrip("/")
        for prefix in (own, own.partition(":")[2]):
            if uri[: len(prefix) + 1].lower() == f"{prefix}/".lower():
                return uri[len(prefix) :]
    return uri


def _malformed(message: str) -> NoReturn:
    raise HttpError(HTTPStatus.BAD_REQUEST, message)


def _not_found(path: str) -> NoReturn:
    raise HttpError(HTTPStatus.NOT_FOUND, f"There is no file at {path!a}.")
