"""Where peers can't be had, the page plays exactly as it did without us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.viewer import Stage

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


@pytest.mark.parametrize("before", BROKEN.values(), ids=BROKEN.keys())
async def test_something_of_the_browser_is_missing(
    stage: Stage, content: Path, before: str
) -> None:
    async with stage.viewer() as helper, stage.viewer(before=before) as viewer:
        await viewer.plays(3)
        await viewer.assert_smooth()
        assert not [line for line in viewer.console if line.startswith(("error", "pageerror"))]
        stats = await viewer.stats()
        if before != BROKEN["storage throws"]:
            assert stats["peerBytes"] == 0
        await helper.assert_smooth()


@pytest.mark.parametrize(
    "query",
    [
        {"attributes": {"data-tracker": "ws://127.0.0.1:9/tracker/v1"}},
        {"attributes": {"data-tracker": "not a url"}},
        {"attributes": {"data-p2p": "off"}},
        {"attributes": {"data-site": "someone_else"}},
    ],
    ids=["tracker unreachable", "tracker is nonsense", "switched off", "unknown site"],
)
async def test_no_swarm_to_join(stage: Stage, query: dict[str, Any]) -> None:
    async with stage.viewer(**query) as viewer:
        await viewer.plays(3)
        await viewer.assert_smooth()
        stats = await viewer.stats()
        assert (stats["peerBytes"], stats["links"]) == (0, 0)


@pytest.mark.parametrize(
    "body",
    ["throw new Error('broken')", "syntax error here", ""],
    ids=["throws", "syntax", "empty"],
)
async def test_the_snippet_is_broken(stage: Stage, body: str) -> None:
    context = await stage.browser.new_context()
    await context.route(
        "**/p2pcdn.js", lambda route: route.fulfill(content_type="text/javascript", body=body)
    )
    async with context, stage.viewer(context=context) as viewer:
        await viewer.plays(3)
        assert (await viewer.probe())["stalls"] == 0


async def test_the_snippet_cannot_be_had(stage: Stage) -> None:
    async with stage.viewer(snippet=f"{stage.server}/p2pcdn.0000.js") as viewer:
        await viewer.plays(3)
        await viewer.assert_smooth()
