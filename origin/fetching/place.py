"""A place on another server: all that is below one URL, and nothing else."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from yarl import URL

from p2pcdn.errors import ConfigError

_AMBIGUOUS = re.compile(rb"[\x00-\x1f\x7f\\]|%([01][0-9a-f]|7f|2f|5c)", re.IGNORECASE)
"""What servers and proxies read in several ways."""


class Place(NamedTuple):
    """Scheme, host and port of a server, and a path on it, which ends in a slash."""

    base: URL

    @classmethod
    def parse(cls, text: str, name: str = "The URL") -> Place:
        """The place that an operator named; `ConfigError` if that is none."""
        try:
            url = URL(text)
            good = url.scheme in ("http", "https") and bool(url.host) and url.port != 0
        except ValueError:
            good = False
        if not good:
            raise ConfigError(
                f"{name} begins with http:// or https:// and a host, as in "
                f"https://cdn.example/films/, not {text!r}."
            )
        if url.user is not None or url.password is not None:
            raise ConfigError(f"{name} has no name and no password in it.")
        if url.raw_query_string or url.raw_fragment or "?" in text or "#" in text:
            raise ConfigError(f"{name} has no query and no fragment; paths are appended to it.")
        if not _is_plain(url.raw_path):
            raise ConfigError(f"{name} has a path without `..`, backslashes and %2F, not {text!r}.")
        return cls(url.with_path(url.raw_path.rstrip("/") + "/", encoded=True))

    def url_of(self, path: str) -> URL:
        """Where ``path`` is, which is relative, decoded, and checked by `origin.paths`."""
        url = URL(f"{self.base}{quote(path)}", encoded=True)
        if not self.holds(url):
            raise ValueError(f"{path!r} is not the path of a file.")
        return url

    def holds(self, url: URL) -> bool:
        """Whether a URL, its query aside, is below this place."""
        try:
            return (
                _server(url) == _server(self.base)
                and url.user is None
                and url.password is None
                and url.raw_path.startswith(self.base.raw_path)
                and _is_plain(url.raw_path)
            )
        except ValueError:  # a port that is none, for one
            return False


def _server(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.raw_host, url.port


def _is_plain(raw: str) -> bool:
    """Whether everybody reads a path in the same way, and it leads nowhere else."""
    data = raw.encode("utf-8", "surrogateescape")
    if _AMBIGUOUS.search(data):
        return False
    return not {b".", b".."}.intersection(unquote_to_bytes(data).split(b"/"))
