"""All that an origin has for media elsewhere: a catalog of its own, of what was fetched."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from origin.catalog.catalog import Catalog
from origin.catalog.edition import Edition
from origin.catalog.hash_store import HashStore
from origin.catalog.news import News
from origin.catalog.pages import Pages
from origin.elsewhere.allowance import Allowance
from origin.elsewhere.answers import Answers
from origin.elsewhere.asking import Ask, asking
from origin.elsewhere.fetcher import Fetcher
from origin.elsewhere.places import Places
from origin.elsewhere.shelf import Shelf
from origin.fetching.client import Client
from origin.http.representation import Representation
from origin.manifests import Manifests
from origin.signing import Signer
from p2pcdn.config import Config
from p2pcdn.wire.manifest import Records

FILE = "elsewhere.sqlite3"
"""Its hashes are no files of ours, which are forgotten when they are gone."""


class Elsewhere:
    """Fetches, hashes, and says what it has found."""

    def __init__(
        self,
        config: Config,
        signer: Signer,
        *,
        measured: Callable[[Edition], None],
        spent: Callable[[int], None],
        pass_on: Callable[[Records], None] | None = None,
        ask: Ask | None = None,
    ) -> None:
        """``measured`` is told of what there is, ``spent`` of the bytes that are fetched, and
        ``pass_on`` of what has just come out live. ``ask`` is how a CDN is asked, unless it is
        by HTTP."""
        limits = config.origin
        places = Places(config.elsewhere)
        shelf = Shelf()
        self._client = Client(private=limits.upstream.networks)
        self._store = HashStore(config.data, FILE)
        self._catalog = Catalog(
            shelf, self._store, site=config.site, window=limits.live_window, knows=shelf.knows
        )
        self._fetcher = Fetcher(
            ask or asking(self._client, places),
            places,
            shelf,
            self._catalog.hasher,
            Allowance(limits.elsewhere_rate, limits.elsewhere_daily, 0.0),
            spent,
        )
        pages = Pages(config.site, self._catalog.hasher, signer)
        manifests = Manifests(self._catalog, pages, config.site, signer, measured)
        self._answers = Answers(places, self._fetcher, self._catalog, manifests)
        self._catalog.listen(lambda _, edition: measured(edition))
        self._news = None if pass_on is None else News(pages, pass_on)
        if self._news is not None:
            self._catalog.listen(self._news.take)

    async def show(self, request: web.Request) -> Representation:
        """What a request for a manifest of media elsewhere asks for."""
        return await self._answers.show(request)

    def start(self) -> None:
        """Begin to watch what is live."""
        self._catalog.start()

    def drain(self) -> None:
        """Let long polls go."""
        self._catalog.drain()

    async def close(self) -> None:
        """Fetch no more."""
        await self._fetcher.close()
        if self._news is not None:
            await self._news.close()
        await self._catalog.close()
        await self._client.close()
        self._store.close()

    def problems(self) -> list[str]:
        """What is wrong, for an operator."""
        return [*filter(None, [self._store.problem])]

    def name_of(self, content: str) -> str | None:
        """The canonical URL of a content, if it was ever asked for."""
        return self._catalog.path_of(content)
