"""The owner's own page."""

from __future__ import annotations

import re

import aiohttp

from peer.native.gateway import Gateway
from peer.native.gateway.owner import FILE


async def test_it_is_shown_with_a_policy_that_lets_its_own_script_run_alone(
    gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    async with http.get(gateway.url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert text == FILE.read_text(encoding="utf-8")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert len(re.findall("'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in answer.headers
    assert len(re.findall("<(script|style)>", text)) == 2
    assert not re.search(r"\son\w+=|style=", text), "the policy would not let it"
