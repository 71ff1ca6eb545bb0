"""Live: a playlist that grows every 2 s."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from origin.synth import LiveFeed
from tests.e2e.conftest import SEVERAL
from tests.e2e.viewer import Stage


@SEVERAL
async def test_three_viewers_of_a_live_stream(stage: Stage, content: Path) -> None:
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(
            LiveFeed(content / "film" / "index.m3u8", content / "live")
        )
        live = replace(stage, media=f"{stage.server}/media/live/{feed.playlist.name}")
        viewers = [await stack.enter_async_context(live.viewer()) for _ in range(3)]
        # What they begin with each takes from the origin: nobody is linked yet.
        for viewer in viewers:
            await viewer.plays(4)
        before = [await viewer.stats() for viewer in viewers]
        for viewer in viewers:
            await viewer.plays(20)
            await viewer.assert_smooth()
        after = [await viewer.stats() for viewer in viewers]
        peers, origin = (
            sum(now[name] - then[name] for then, now in zip(before, after, strict=True))
            for name in ("peerBytes", "originBytes")
        )
        # One copy of three would be two thirds.
        assert peers > 0.4 * (peers + origin), (before, after)
