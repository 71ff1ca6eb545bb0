"""From the URL of a content to everything that is fetched for it.

::

    https://HOST/media/show/master.m3u8       what the user names: a playlist or a file
    https://HOST/manifest/show/master.m3u8    its manifest
    https://HOST/media/show/720p/12.m4s       a segment, relative to its rendition's playlist
    wss://HOST/tracker/v1                     the tracker, unless the user names another
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from p2pcdn.config import TURN_URL
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from p2pcdn.wire.tracker import Relays
from peer.native.transport import Relay

_MEDIA, _MANIFEST, _TRACKER = "/media/", "/manifest/", "/tracker/v1"
_SOCKETS = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class ContentAddress:
    """Where a content is to be had."""

    origin: str
    """Scheme, host, and the path before ``/media/``, if any."""
    path: str
    """Of the playlist or file below ``/media/``, unquoted: the form of rendition ids."""

    @classmethod
    def parse(cls, url: str) -> ContentAddress:
        """Read what a user typed; `ConfigError` if it can't be the URL of a content."""
        parts = _split(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"A content has an http:// or https:// URL; {url!r} is none.")
        before, media, path = parts.path.partition(_MEDIA)
        if not media or not path or path.endswith("/"):
            raise ConfigError(
                f"{url!r} is not the URL of a content: those are like "
                f"{parts.scheme}://{parts.netloc}/media/show/master.m3u8."
            )
        origin = urlunsplit((parts.scheme, parts.netloc, before, "", ""))
        return cls(origin, unquote(path))

    @property
    def quoted(self) -> str:
        """The path as a URL has it."""
        return quote(self.path)

    @property
    def tracker(self) -> str:
        """The tracker that goes with this origin."""
        parts = urlsplit(self.origin)
        return f"{_SOCKETS[parts.scheme]}://{parts.netloc}{parts.path}{_TRACKER}"

    def manifest(self, path: str) -> str:
        """The URL of the manifest of a playlist or file."""
        return f"{self.origin}{_MANIFEST}{quote(path)}"

    def media(self, path: str) -> str:
        """The URL of a file."""
        return f"{self.origin}{_MEDIA}{quote(path)}"

    def segment(self, rendition: str, uri: str) -> str:
        """The URL of what a segment record names; `SourceError` if nothing can be fetched there."""
        try:
            url = urljoin(self.media(rendition), uri)
            scheme = urlsplit(url).scheme
        except ValueError:
            scheme = ""
        if scheme not in ("http", "https"):
            raise SourceError(SourceReason.MISSING, f"a segment at {uri!r}")
        return url


def _split(url: str) -> SplitResult:
    """The parts of a URL; of what is none, such as ``http://[x/``, there are none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def tracker_url(text: str) -> str:
    """The WebSocket's URL for what a user gave as ``--tracker``; `ConfigError` if it is none."""
    parts = _split(text)
    scheme = _SOCKETS.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ConfigError(f"A tracker has a URL such as wss://HOST{_TRACKER}; {text!r} is none.")
    path = parts.path if parts.path not in ("", "/") else _TRACKER
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))


def socket_of(tracker: str, content: str) -> str:
    """The tracker's socket for this content: in the path it is for a load balancer to read, whose
    servers share contents out. Addresses of another kind stay as they are."""
    return f"{tracker}/{content}" if tracker.endswith(_TRACKER) else tracker


def turn_servers(relays: Relays | None) -> tuple[Relay, ...]:
    """The TURN servers (RFC 7065) that a tracker's `joined` gives, as far as they can be read."""
    if relays is None:
        return ()
    found = (TURN_URL.fullmatch(url) for url in relays.urls)
    return tuple(
        Relay(
            match["host"].strip("[]"),
            int(match["port"] or (5349 if match["scheme"] == "turns" else 3478)),
            relays.username,
            relays.credential,
            match["transport"] or ("tcp" if match["scheme"] == "turns" else "udp"),
            match["scheme"] == "turns",
        )
        for match in found
        if match is not None
    )
