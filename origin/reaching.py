"""Whether media on other machines can be reached, asked as soon as the origin starts.

A wrong URL would otherwise be noticed by the first viewer. It stops nothing: the other machine may
be about to start as well, and is asked again by whoever wants something of it.
"""

from __future__ import annotations

import asyncio

import structlog

from origin.sources import Reachable, Source, far_parts
from p2pcdn.errors import SourceError, SourceReason

log = structlog.get_logger("p2pcdn.origin")


async def tell_who_is_away(source: Source) -> None:
    """Say in the log what of a source cannot be reached."""
    parts = await asyncio.to_thread(lambda: [*far_parts(source)])
    await asyncio.gather(*(_ask(mount, part) for mount, part in parts))


async def _ask(mount: str, part: Reachable) -> None:
    try:
        await asyncio.to_thread(part.reach)
    except SourceError as error:
        if error.reason is not SourceReason.STATUS:  # it is there, and need not say what it has
            name = f"The content of the mount {mount!r}" if mount else "content"
            right = f"{name} has to be the URL of a place that answers this machine."
            log.warning("not_reached", why=error.detail, right=right)
