"""Keys that are pinned, and keys that are rotated while somebody watches."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from origin import keyring
from origin.synth import LiveFeed
from tests.e2e.conftest import SEVERAL
from tests.e2e.servers import Command
from tests.e2e.viewer import Stage

pytestmark = SEVERAL

NO_ED25519 = """
  const importKey = crypto.subtle.importKey.bind(crypto.subtle);
  crypto.subtle.importKey = (format, key, how, ...rest) =>
    (how.name ?? how) === "Ed25519"
      ? Promise.reject(new DOMException("no", "NotSupportedError"))
      : importKey(format, key, how, ...rest);
"""


@pytest.fixture
def server(fresh_server: Command) -> Command:
    return fresh_server


async def test_only_what_a_pinned_key_signed_is_shared(stage: Stage, tmp_path: Path) -> None:
    edwards, curve = keyring.load(tmp_path / "data").current.thumbprints()
    async with (
        stage.viewer(attributes={"data-key": f"{edwards} {curve}"}) as one,
        stage.viewer(attributes={"data-key": curve}, before=NO_ED25519) as other,
    ):
        await one.links()
        await other.links()
        async with stage.viewer(attributes={"data-key": "0" * 64}) as wary:
            await wary.plays(4)
            await wary.assert_smooth()
            stats = await wary.stats()
            assert (stats["peerBytes"], stats["uploadedBytes"], stats["links"]) == (0, 0, 0)
            assert len([line for line in wary.console if "not signed by a key" in line]) == 1
        for viewer in (one, other):
            await viewer.assert_smooth()


async def test_a_rotation_while_somebody_watches_live(
    stage: Stage, content: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(
            LiveFeed(content / "film" / "index.m3u8", content / "rotated")
        )
        live = replace(stage, media=f"{stage.server}/media/rotated/{feed.playlist.name}")
        viewers = [
            await stack.enter_async_context(live.viewer(before=before))
            for before in (None, None, NO_ED25519)
        ]
        data = tmp_path / "data"
        for viewer in viewers:
            await viewer.links()
            await viewer.plays(2)
        keyring.save(data, keyring.load(data).added(keyring.new_pair()))
        for viewer in viewers:
            await viewer.plays(5)
        keyring.save(data, ring := keyring.load(data).rotated())
        assert ring.previous is not None
        for viewer in viewers:
            await viewer.plays(8)
        keyring.save(data, ring.retired(ring.previous.id))
        before = [(await viewer.stats())["peerBytes"] for viewer in viewers]
        for viewer in viewers:
            await viewer.plays(13)
            await viewer.assert_smooth()
        stats = [await viewer.stats() for viewer in viewers]
        assert all(s["links"] > 0 and s["rejectedChunks"] == 0 for s in stats), stats
        assert sum(s["peerBytes"] for s in stats) > sum(before), (before, stats)
