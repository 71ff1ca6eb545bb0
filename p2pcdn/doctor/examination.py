"""All that is looked at, in the order in which a viewer's browser comes to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import SplitResult

import aiohttp

from p2pcdn.config import Config
from p2pcdn.doctor import Finding, Verdict, doubt, page
from p2pcdn.doctor.site import Site
from p2pcdn.doctor.tracker import Tracker
from p2pcdn.wire.stun import stun_server

USUAL_PORT = 3478
"""Of STUN, as browsers take it where a URL names none."""


async def examine(
    config: Config, site: SplitResult, embedding: SplitResult | None, patience: float
) -> AsyncIterator[Finding]:
    """The findings of an end point, and of a page that embeds its snippet, if one is named.

    ``patience`` is how many seconds an answer may take. What makes all else pointless is the last
    that is said.
    """
    timeout = aiohttp.ClientTimeout(total=patience)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        origin = None if embedding is None else page.origin_of(embedding)
        try:
            async for finding in Site(session, site, origin).examine():
                yield finding
                if finding.subject == "reach" and finding.verdict is Verdict.WRONG:
                    return
        except (aiohttp.ClientError, TimeoutError) as error:
            yield broken(error)
            return
        tracker = Tracker(session, site, config.site)
        async for finding in tracker.examine():
            yield finding
        if tracker.reached:
            advertised = bool(config.peer.advertise)
            async for finding in _paths(tracker.stun, site.hostname or "", advertised):
                yield finding
        if embedding is not None:
            async for finding in page.examine(session, embedding, site):
                yield finding


async def _paths(stun: str | None, host: str, advertised: bool) -> AsyncIterator[Finding]:
    try:
        from p2pcdn.doctor import paths
    except ImportError:  # what serves alone needs no ICE
        yield doubt(
            "stun",
            "The ways to peers were not looked at: this installation has no ICE.",
            "Install aiortc, or run this on another machine.",
        )
        return
    server = stun_server(stun, host, USUAL_PORT)
    async for finding in paths.examine(server, advertised=advertised):
        yield finding


def broken(error: BaseException) -> Finding:
    """An answer that broke off."""
    return Finding(
        Verdict.WRONG,
        "reach",
        f"The server stops answering: {str(error) or 'it takes too long'}.",
        "Its log, or that of a proxy in front, says why.",
    )
