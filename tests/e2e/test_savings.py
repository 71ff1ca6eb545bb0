"""The headline is a lower bound: what the kernel counts on the server's cable is the witness.

Where there can be no network namespaces a relay before the server counts; what is skipped says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e import cables
from tests.e2e.cables import Net
from tests.e2e.savings import LITTLE, Comparison, Run, Scene, kill, play, replay, watch

# Of two at once neither would leave the other a core.
pytestmark = pytest.mark.xdist_group("savings")

FILM = "film/index.m3u8"


@pytest_asyncio.fixture(params=["cables", "relay"], loop_scope="session")
async def net(request: pytest.FixtureRequest) -> AsyncIterator[Net]:
    """A server's network that counts, with three places to watch from."""
    missing = cables.missing()
    if request.param == "cables":
        if missing:
            pytest.skip(f"cables: {missing}; a relay counts")
        chosen: contextlib.AbstractAsyncContextManager[Net] = cables.cables(3)
    else:
        if not missing:
            pytest.skip("a relay: the cables count")
        chosen = cables.relay()
    async with chosen as made:
        yield made


async def compare(
    net: Net, scene: Scene, plain: Scene | None, content: Path, directory: Path
) -> Comparison:
    peers = await play(scene, net, content, FILM, directory / "peers", peers=True)
    plainly = plain or replay(peers)
    return Comparison(
        peers, await play(plainly, net, content, FILM, directory / "plain", peers=False)
    )


async def watch_and_die(run: Run) -> None:
    """A browser and a native peer are killed in the midst of it."""
    await run.launch(1, 2)
    first = await run.watch(1, LITTLE)
    await first.viewer.plays(1)
    async with run.native(3) as native:
        await native.printed("True")
        second = await run.watch(2, LITTLE)
        await second.viewer.plays(5)
        await kill(native)
    await second.viewer.plays(7)
    await second.kill()
    await first.leave()


async def test_saved_is_what_the_origin_did_not_send_to_three_hundredths(
    net: Net, content: Path, tmp_path: Path
) -> None:
    found = await compare(net, watch, watch, content, tmp_path)
    assert found.saved <= min(found.spared, found.spared_wire), found
    assert found.saved >= 0.97 * max(found.spared, found.spared_wire), found
    # The viewer who left had been brought more than its player was given: that is not saved.
    assert found.peers.summary["peer_bytes_claimed"] > 2e6, found


async def test_whoever_is_killed_takes_no_more_along_than_was_not_reported(
    net: Net, content: Path, tmp_path: Path
) -> None:
    found = await compare(net, watch_and_die, None, content, tmp_path)
    assert found.saved <= min(found.spared, found.spared_wire), found
    assert found.saved + found.peers.unreported >= 0.97 * found.spared, found
    assert found.saved > 0.3 * found.spared, found
