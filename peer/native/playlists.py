"""HLS playlists (RFC 8216) on their way to a folder of the viewer's own.

A playlist stays as it is, but for URIs that would not lead to the file beside it: those with a
host, a query or an absolute path. What is not saved keeps leading to where it was.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from p2pcdn.model import Span
from peer.native.addresses import ContentAddress

_ATTRIBUTE = re.compile(r'((?:^|[,:])URI=")([^"]*)(")')
_RANGE = re.compile(r'BYTERANGE="(\d+)(?:@(\d+))?"')
_BESIDE = ("#EXT-X-MAP:", "#EXT-X-KEY:", "#EXT-X-SESSION-KEY:")
"""Tags that name files which no manifest speaks of, and no player does without."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A file that belongs to a rendition and is none of its segments, or a part of it."""

    path: str
    """Below ``/media/``."""
    span: Span | None
    """None: all of it."""


def path_of(address: ContentAddress, base: str, uri: str) -> str | None:
    """The path below ``/media/`` that a URI in the playlist at ``base`` names; None if it is of
    another host, or none that a file could be saved by."""
    here = address.media("")
    try:
        url = urlsplit(urljoin(address.media(base), uri))
    except ValueError:
        return None
    whole = f"{url.scheme}://{url.netloc}{url.path}"
    path = unquote(whole.removeprefix(here))
    return path if whole.startswith(here) and is_safe(path) else None


def is_safe(path: str) -> bool:
    """Whether a file can be saved by this path, and lies within the folder that it starts from."""
    parts = path.split("/")
    return all(part not in ("", ".", "..") and not set(part) & set("\\:\0") for part in parts)


def extras(address: ContentAddress, base: str, text: str) -> list[Extra]:
    """What has to be fetched beside the segments, for the playlist at ``base``."""
    found: dict[Extra, None] = {}
    for line in text.splitlines():
        uri = _ATTRIBUTE.search(line)
        if not line.startswith(_BESIDE) or uri is None:
            continue
        path = path_of(address, base, uri[2])
        part = _RANGE.search(line)
        first = int(part[2] or 0) if part else 0
        span = Span(first, first + int(part[1]) - 1) if part else None
        if path is not None:
            found[Extra(path, span)] = None
    return list(found)


def localised(
    address: ContentAddress, base: str, text: str, is_saved: Callable[[str], bool]
) -> str:
    """The playlist at ``base`` with URIs that lead to the files that are saved, in the same
    folders as below ``/media/``, and to the web where there are none."""

    def local(uri: str) -> str:
        path = path_of(address, base, uri)
        if path is None or not is_saved(path):
            return urljoin(address.media(base), uri)
        folder = posixpath.dirname(base)
        if posixpath.normpath(posixpath.join(folder, unquote(uri))) == path:
            return uri
        return quote(posixpath.relpath(path, folder or "."))

    def line_of(line: str) -> str:
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        if body.startswith("#"):
            return _ATTRIBUTE.sub(lambda m: m[1] + local(m[2]) + m[3], body) + end
        return (local(body.strip()) if body.strip() else body) + end

    return "".join(map(line_of, text.splitlines(keepends=True)))
