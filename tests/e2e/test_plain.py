"""Where peers can't be had, the page plays exactly as it did without us."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

from tests.e2e.conftest import SEVERAL
from tests.e2e.viewer import Stage

pytestmark = SEVERAL

THROW = "throw new Error('no')"
BROKEN = {
    "no WebRTC": "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection",
    "no WebCrypto": "Object.defineProperty(crypto, 'subtle', { value: undefined })",
    "no WebSocket": "delete window.WebSocket",
    "connections throw": f"RTCPeerConnection = class {{ constructor() {{ {THROW} }} }}",
    "digests throw": f"crypto.subtle.digest = () => {{ {THROW} }}",
    "digests hang": "crypto.subtle.digest = () => new Promise(() => {})",
    "digests say nothing": "crypto.subtle.digest = async () => undefined",
    "storage throws": f"Object.defineProperty(window, 'localStorage', {{ get() {{ {THROW} }} }})",
}


async def test_something_of_the_browser_is_missing(stage: Stage) -> None:
    """All at once, beside a viewer that has everything and shares."""

    async def watch(name: str, before: str) -> None:
        async with stage.viewer(before=before) as viewer:
            await viewer.plays(3)
            await viewer.assert_smooth()
            errors = [line for line in viewer.console if line.startswith(("error", "pageerror"))]
            assert errors == [], name
            stats = await viewer.stats()
            if name != "storage throws":
                assert stats["peerBytes"] == 0, name

    async with stage.viewer() as helper:
        await _some_at_a_time(watch(*case) for case in BROKEN.items())
        await helper.assert_smooth()


NO_SWARM = {
    "tracker unreachable": {"data-tracker": "ws://127.0.0.1:9/tracker/v1"},
    "tracker is nonsense": {"data-tracker": "not a url"},
    "switched off": {"data-p2p": "off"},
    "unknown site": {"data-site": "someone_else"},
}


async def test_no_swarm_to_join(stage: Stage) -> None:
    async def watch(name: str, attributes: dict[str, str]) -> None:
        async with stage.viewer(attributes=attributes) as viewer:
            await viewer.plays(3)
            await viewer.assert_smooth()
            stats = await viewer.stats()
            assert (stats["peerBytes"], stats["links"]) == (0, 0), name

    await _some_at_a_time(watch(*case) for case in NO_SWARM.items())


SNIPPETS = {
    "throws": "throw new Error('broken')",
    "is no script": "syntax error here",
    "is empty": "",
    "cannot be had": None,
}


async def test_the_snippet_is_broken(stage: Stage) -> None:
    async def watch(name: str, body: str | None) -> None:
        context = await stage.profile()
        file = "p2pcdn.0000.js"
        if body is not None:
            file = "p2pcdn.js"
            await context.route(
                f"**/{file}", lambda route: route.fulfill(content_type="text/javascript", body=body)
            )
        snippet = f"{stage.server}/{file}"
        async with context, stage.viewer(context=context, snippet=snippet) as viewer:
            await viewer.plays(3)
            probe = await viewer.probe()
            assert probe["stalls"] == 0, name
            assert bool(probe["errors"]) is bool(body), (name, probe)

    await _some_at_a_time(watch(*case) for case in SNIPPETS.items())


async def _some_at_a_time(viewers: Iterable[Coroutine[None, None, None]]) -> None:
    """As many at a time as two cores can decode for."""
    room = asyncio.Semaphore(4)

    async def watch(viewer: Coroutine[None, None, None]) -> None:
        async with room:
            await viewer

    async with asyncio.TaskGroup() as group:
        for viewer in viewers:
            group.create_task(watch(viewer))
