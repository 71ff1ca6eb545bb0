"""How the fetcher asks a CDN: by the client that keeps to public addresses, where it may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from yarl import URL

from origin.elsewhere.places import NotAllowedError, Places
from origin.fetching.client import Client
from origin.fetching.place import Place


class Answer(Protocol):
    """An answer whose head is there."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def length(self) -> int | None: ...

    def blocks(self, most: int) -> AsyncIterator[bytes]: ...


Ask = Callable[[str, Mapping[str, str]], AbstractAsyncContextManager[Answer]]
"""Makes a GET for a URL, with these headers; `SourceError` for what goes wrong."""


class _Allowed(Place):
    """All places that a site has named."""

    places: Places

    def holds(self, url: URL) -> bool:
        try:
            self.places.find(str(url))
        except NotAllowedError:
            return False
        return True


def asking(client: Client, places: Places) -> Ask:
    """Asks by this client, which may be redirected to wherever media are allowed to be."""
    allowed = _Allowed(URL("https://elsewhere.invalid/"))
    allowed.places = places

    def ask(url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Answer]:
        return client.ask(allowed, URL(url, encoded=True), headers=headers)

    return ask
