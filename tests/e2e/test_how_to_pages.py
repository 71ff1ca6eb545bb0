"""The pages of the how-tos, opened in a browser: as they are written there but for addresses."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Dialog, Page, WebSocket

from bench.browsers.servers import FILES
from p2pcdn.wire.manifest import thumbprint
from tests.docs.blocks import Block, block
from tests.e2e.servers import BUNDLE, ROOT, Command
from tests.e2e.viewer import PATIENCE, VIEWPORT

pytestmark = pytest.mark.xdist_group("embedding")

CARRIED = "() => window.p2pcdn?.getStats().originBytes > 0"
"""Whether what the player got came by way of us."""
JOINED = "() => window.p2pcdn?.getStats().timings.announce !== null"
"""Whether the tracker has let it in."""

PLAYER = """
<video id="video" muted></video>
<script src="hls.min.js"></script>
{tags}
<script>
  const hls = new Hls();
  hls.loadSource("https://cdn.example/media/show/master.m3u8");
  hls.attachMedia(document.getElementById("video"));
</script>
"""
"""What a how-to takes for granted where it shows a part of a page."""


PLAYER_FILE = BUNDLE / "hls.min.js"
TOKEN_URL = ' data-token-url="/p2p-token"'
API = """
<script>
  const myApi = { post: async (path, body) => { window.posted = body; return {}; } };
</script>
"""
"""What the page of a site has for calling its own server."""


class Site:
    """A site's server: what its pages are, and what they have sent."""

    def __init__(self, browser: Browser, server: Command, contexts: AsyncExitStack) -> None:
        self.url = ""
        self.sent: list[dict[str, str]] = []
        self._browser, self._server, self._contexts = browser, server, contexts
        self._files: dict[str, str] = {}
        self._policy = ""

    def local(self, text: str) -> str:
        """A text with the addresses of this machine."""
        ours = self._server.url
        names = {
            r"https://(cdn|p2p)\.example(\.com)?": ours,
            r"wss://(cdn|tracker)\.example(\.com)?": ours.replace("http", "ws"),
            r"tracker\.example\.com:8080": ours.removeprefix("http://"),
            r"https://unpkg\.com/hls\.js": "hls.min.js",
            r"show/master\.m3u8": "film/index.m3u8",
            "pk_shop": "pk_demo",
        }
        for name, here in names.items():
            text = re.sub(name, here, text)
        return text

    async def open(self, html: str, policy: str = "") -> Page:
        """A visitor opens a page with this, which fails at nothing."""
        self._policy = self.local(policy)
        self._files = {"/": self.local(f"<!doctype html>\n{html}")}
        if policy:  # and so without scripts amid the text
            *_, last = re.findall(r"<script>.*?</script>", html, re.DOTALL)
            self._files["/"] = self._files["/"].replace(
                self.local(last), '<script src="/page.js"></script>'
            )
            self._files["/page.js"] = self.local(last[len("<script>") : -len("</script>")])
        context = await self._browser.new_context(viewport=VIEWPORT)
        self._contexts.push_async_callback(context.close)
        page = await context.new_page()
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        await page.goto(self.url)
        return page

    async def answer(self, request: web.Request) -> web.Response:
        """As such a site's server would."""
        if request.path == "/hls.min.js":
            return web.Response(body=PLAYER_FILE.read_bytes(), content_type="text/javascript")
        if request.method == "POST":
            self.sent.append(await request.json())
            return web.Response(status=403)
        text = self._files.get(request.path)
        kind = "text/html" if request.path == "/" else "text/javascript"
        headers = {"Content-Security-Policy": self._policy} if self._policy else {}
        if text is None:
            return web.Response(status=404)
        return web.Response(text=text, content_type=kind, headers=headers)


@pytest_asyncio.fixture(loop_scope="session")
async def site(browser: Browser, server: Command) -> AsyncIterator[Site]:
    app = web.Application()
    async with AsyncExitStack() as contexts:
        made = Site(browser, server, contexts)
        app.router.add_static("/node_modules", ROOT / "peer/browser/node_modules")
        app.router.add_route("*", "/{path:.*}", made.answer)
        running = await contexts.enter_async_context(TestServer(app, host="localhost"))
        made.url = str(running.make_url("/"))
        yield made
        assert made.errors == []


async def until(page: Page, condition: str) -> None:
    await page.wait_for_function(condition, timeout=PATIENCE)


async def test_a_page_with_hls_js_and_a_policy(site: Site) -> None:
    name, _, policy = block("how-to/embed.md:3").text.strip().partition(": ")
    assert name == "Content-Security-Policy"
    page = await site.open(block("how-to/embed.md:1").text, policy)
    await until(page, CARRIED)
    await until(page, JOINED)


async def test_a_page_that_bundles_hls_js(site: Site) -> None:
    modules = {
        "hls.js": "/node_modules/hls.js/dist/hls.mjs",
        "p2pcdn": "https://cdn.example/p2pcdn.mjs",
    }
    page = await site.open(
        f'<video muted></video><script type="importmap">{json.dumps({"imports": modules})}</script>'
        f'<script type="module">{block("how-to/embed.md:2").text}\n'
        "window.told = 0; session.addEventListener('stats', () => window.told += 1);\n"
        "window.p2pcdn = session;</script>"
    )
    await until(page, CARRIED)
    await until(page, JOINED)
    await until(page, "() => window.told > 0")


@pytest.mark.parametrize(
    "tag",
    [
        block("how-to/a-cdn-you-keep.md:2"),
        block("how-to/keys.md:2"),
        block("how-to/page-you-cannot-change.md:1"),
    ],
    ids=str,
)
async def test_a_page_with_such_a_tag(site: Site, server: Command, tag: Block) -> None:
    manifest = await server.json("/manifest/film/index.m3u8")
    (curve,) = (key["public"] for key in manifest["keys"] if key["algorithm"] == "ecdsa-p256")
    pin = thumbprint(base64.urlsafe_b64decode(curve + "=="))
    tags = tag.text.replace("41d07a5be6f3c298...", pin)
    page = await site.open(PLAYER.format(tags=tags))
    await until(page, CARRIED)
    await until(page, JOINED)


async def test_a_player_that_is_handed_over(site: Site) -> None:
    tag = '<script src="https://cdn.example/p2pcdn.js"></script>'
    page = await site.open(
        PLAYER.format(tags=tag)
        + "<script>const player = { hls };</script>"
        + block("how-to/page-you-cannot-change.md:2").text
    )
    await until(page, CARRIED)
    await until(page, JOINED)


async def test_who_is_asked_shares_once_he_has_said_so(site: Site) -> None:
    tag, asking = block("how-to/consent.md:1"), block("how-to/consent.md:2")
    page = await site.open(PLAYER.format(tags=tag.text) + asking.text)
    await page.get_by_role("dialog").wait_for(timeout=PATIENCE)
    assert await page.evaluate("() => p2pcdn.getStats().timings.announce") is None
    await page.get_by_role("button", name="Yes").click()
    await until(page, JOINED)


async def test_a_site_is_asked_for_tokens(site: Site) -> None:
    tag, told = block("how-to/tokens.md:3"), block("how-to/tokens.md:4")
    configuring = block("how-to/tokens.md:8")
    await until(await site.open(PLAYER.format(tags=tag.text)), CARRIED)
    call = f"<script type=module>{configuring.text}</script>"
    page = await site.open(PLAYER.format(tags=tag.text.replace(TOKEN_URL, "") + API + call))
    await until(page, "() => window.posted")
    posted = await page.evaluate("() => window.posted")
    assert site.sent
    assert site.sent[0].keys() == json.loads(told.text).keys()
    for name in ("thumbprint", "url"):
        assert posted[name]
        assert site.sent[0][name]


async def test_a_page_looks_for_the_peer_of_this_machine(site: Site) -> None:
    part = block("how-to/local-peer.md:1").text
    tag = '<script src="https://cdn.example/p2pcdn.js" data-site="pk_demo"></script>'
    page = await site.open(tag + part)
    asked: list[str] = []

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept("6ZHX-9K2M-QW4T")

    page.on("dialog", answer)
    button = page.get_by_role("button")
    # None was paired, so it may be; and none is there that shows this code.
    await button.wait_for(timeout=PATIENCE)
    await page.evaluate(
        """() => {
            const pair = p2pcdn.local.pair;
            p2pcdn.local.pair = async (code) => {
                window.paired = await pair.call(p2pcdn.local, code);
                return window.paired;
            };
        }"""
    )
    await button.click()
    await until(page, "() => window.paired === false && button.hidden === false")
    assert asked == ["The code that the peer shows"]


@pytest.mark.skipif(
    not FILES["/p2pml.js"].exists(),
    reason="p2p-media-loader is not built: `make test` does it",
)
async def test_p2p_media_loader_announces_itself(site: Site) -> None:
    bundle = FILES["/p2pml.js"].read_text(encoding="utf-8")
    page = await site.open("")
    await page.goto(site.local("https://cdn.example/livez"))  # whose pages may announce themselves
    announced = asyncio.Event()

    def opened(socket: WebSocket) -> None:
        if urlsplit(socket.url).path == "/announce":
            socket.on("framereceived", lambda _: announced.set())

    page.on("websocket", opened)
    await page.add_script_tag(path=PLAYER_FILE)
    await page.add_script_tag(content=bundle)
    await page.add_script_tag(content=site.local(block("how-to/webtorrent.md:3").text))
    await page.evaluate(
        site.local(
            "() => { const video = document.createElement('video'); document.body.append(video);"
            " hls.loadSource('https://cdn.example/media/show/master.m3u8');"
            " hls.attachMedia(video); }"
        )
    )
    async with asyncio.timeout(PATIENCE / 1000):
        await announced.wait()
