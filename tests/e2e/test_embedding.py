"""However a page makes its player, it gets peers; and it goes on as it did before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request

from tests.e2e import films
from tests.e2e.servers import Command, peer
from tests.e2e.viewer import Stage, Viewer

PEERS = "() => window.p2pcdn?.getStats().peerBytes > 0"


pytestmark = pytest.mark.xdist_group("embedding")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(
    browser: Browser, page_site: str, server: Command, content: Path
) -> AsyncIterator[Stage]:
    """A seeder for all tests of this module."""
    film = films.copy(content / "film")
    media = f"{server.url}/media/{film.name}/index.m3u8"
    async with peer(media) as seeder:
        await seeder.printed("complete")
        yield Stage(browser, page_site, server.url, media)


async def assert_peers(viewer: Viewer, content: Path) -> None:
    await viewer.until(PEERS)
    await viewer.plays(2)
    await viewer.assert_smooth()
    assert await viewer.assert_exact(content) >= 1


@pytest.mark.parametrize(
    "order",
    [
        "hls,player,snippet",
        "hls,snippet,player",
        "snippet,hls,player",
        "hls,player,snippet,snippet",
    ],
)
async def test_the_order_of_scripts(stage: Stage, content: Path, order: str) -> None:
    async with stage.viewer(order=order) as viewer:
        await assert_peers(viewer, content)
        assert (await viewer.stats())["sessions"] == 1


async def test_an_inline_script_and_our_tag_deferred(stage: Stage, content: Path) -> None:
    async with stage.viewer("plain.html") as viewer:
        await assert_peers(viewer, content)


@pytest.mark.parametrize("page", ["bundled.html", "module.html"])
async def test_a_page_without_a_global_player(stage: Stage, content: Path, page: str) -> None:
    async with stage.viewer(page) as viewer:
        await assert_peers(viewer, content)
        assert not await viewer.page.evaluate("() => 'Hls' in window")


async def test_an_old_player(stage: Stage, content: Path) -> None:
    async with stage.viewer(hls="/node_modules/hls.js-1.4/dist/hls.min.js") as viewer:
        await assert_peers(viewer, content)
        assert (await viewer.page.evaluate("() => Hls.version")).startswith("1.4.")


async def test_a_player_that_is_destroyed_and_made_anew(stage: Stage, content: Path) -> None:
    async with stage.viewer() as viewer:
        await viewer.until(PEERS)
        await viewer.page.evaluate("() => window.player.destroy()")
        await viewer.until("() => window.p2pcdn.getStats().links === 0")
        before = (await viewer.stats())["peerBytes"]
        media = stage.media
        await viewer.page.evaluate(f"() => {{ window.player = startPlayer(Hls, '{media}') }}")
        await viewer.until(f"() => window.p2pcdn.getStats().peerBytes > {before}")
        await viewer.until("() => window.p2pcdn.getStats().sessions === 1")


async def test_the_pages_own_set_up_of_requests_is_honoured(stage: Stage, content: Path) -> None:
    """A page that signs its URLs in `xhrSetup` has all of its segments signed."""
    sign = "xhrSetup(xhr, url) { xhr.open('GET', url + '?signed=1', true) }"
    asked: list[str] = []

    def note(request: Request) -> None:
        if ".ts" in request.url:
            asked.append(request.url)

    context = await stage.profile()
    context.on("request", note)
    async with (
        context,
        stage.viewer(before=f"window.playerConfig = {{ {sign} }}", context=context) as viewer,
    ):
        await assert_peers(viewer, content)
    assert asked
    assert all(url.endswith("?signed=1") for url in asked), asked


async def test_the_first_segment_does_not_wait_for_the_media_source(stage: Stage) -> None:
    """A browser that opens it only once that segment has been asked for plays all the same."""
    hold = """
        window.asked = new Promise((resolve) => { window.ask = resolve });
        const { addEventListener } = MediaSource.prototype;
        MediaSource.prototype.addEventListener = function (type, listener) {
          const later = type === "sourceopen" ? () => void window.asked.then(listener) : listener;
          addEventListener.call(this, type, later);
        };
    """
    context = await stage.profile()
    asked = asyncio.Event()
    context.on("request", lambda request: asked.set() if ".ts" in request.url else None)
    order = "hls,snippet,player"
    async with context, stage.viewer(before=hold, context=context, order=order) as viewer:
        async with asyncio.timeout(30):
            await asked.wait()
        await viewer.page.evaluate("() => window.ask()")
        await viewer.plays(1)
        await viewer.page.evaluate("() => window.player.detachMedia()")
        assert not await viewer.page.evaluate("() => window.player.config.startFragPrefetch")


async def test_nobody_is_asked_before_the_first_picture_or_its_time(stage: Stage) -> None:
    watch = """
        const { fetch, setTimeout, WebSocket } = window;
        const note = (whom) => asked.push({ whom, at: performance.now() });
        window.asked = [];
        window.fetch = (...all) => { note(String(all[0])); return fetch(...all) };
        window.WebSocket = class extends WebSocket {
          constructor(...all) { super(...all); note("tracker") }
        };
        window.setTimeout = (call, milliseconds) => {
          if (milliseconds === 80) window.found ??= performance.now();
          return setTimeout(call, milliseconds);
        };
        const shown = () => { window.shown ??= performance.now() };
        document.addEventListener("loadeddata", shown, true);
    """
    async with stage.viewer(before=watch) as viewer:
        await viewer.until(PEERS)
        told = await viewer.page.evaluate("() => ({ asked, found, shown })")
    begins = min(told["shown"], told["found"] + 80) - 1
    assert all(one["at"] >= begins for one in told["asked"]), told
    whom = [one["whom"] for one in told["asked"]]
    assert "tracker" in whom
    assert any("/manifest/" in url for url in whom)


async def test_a_snippet_that_comes_later_than_the_picture_counts_the_viewer(stage: Stage) -> None:
    qualities: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def hear(frame: bytes | str) -> None:
        message = json.loads(frame)
        if message["type"] == "report" and message.get("quality"):
            qualities.put_nowait(message["quality"])

    async with stage.viewer(order="hls,player") as viewer:
        await viewer.plays(1)
        viewer.page.on("websocket", lambda socket: socket.on("framesent", hear))
        await viewer.page.evaluate("(url) => load(url)", f"{stage.server}/p2pcdn.js")
        await viewer.until("() => window.p2pcdn?.getStats().startupMs > 0")
        took, told = (await viewer.probe())["startupMs"], (await viewer.stats())["startupMs"]
        assert told < took + 500, "the time until the snippet came is a second longer"
        async with asyncio.timeout(30):  # a report each 10 s
            quality = await qualities.get()
        assert quality["startup"] == pytest.approx(told, abs=1)
        assert quality["played"] > 0


async def test_switching_off_and_on_again(stage: Stage) -> None:
    async with stage.viewer() as viewer:
        await viewer.until(PEERS)
        await viewer.page.evaluate("() => window.p2pcdn.configure({ p2p: false })")
        await viewer.until("() => window.p2pcdn.getStats().links === 0")
        await viewer.page.evaluate("() => window.p2pcdn.configure({ p2p: true })")
        await viewer.links()
        await viewer.assert_smooth()


async def test_one_global(stage: Stage) -> None:
    names = "() => Object.getOwnPropertyNames(window)"
    async with stage.viewer(order="hls,player") as plain, stage.viewer() as viewer:
        await viewer.until(PEERS)
        more = set(await viewer.page.evaluate(names)) - set(await plain.page.evaluate(names))
        assert more == {"p2pcdn"}
