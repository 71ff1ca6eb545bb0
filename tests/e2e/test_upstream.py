"""A film at an nginx is played by peers, through an origin that asks for each segment once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.served import assert_played_by_peers
from tests.e2e.servers import free_port, p2pcdn
from tests.nginx import NEEDED, nginx

pytestmark = [NEEDED, pytest.mark.xdist_group("embedding")]

SERVER = """
    server {{
        listen 127.0.0.1:{port};
        access_log {log} combined;
        location /films/ {{ alias {content}/; }}
    }}
"""


async def test_a_film_at_an_upstream_is_played_by_peers(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "access.log"
    with nginx(tmp_path, SERVER.format(port=port, log=log, content=content), port):
        words = ("--content", f"http://127.0.0.1:{port}/films/", "--data", str(tmp_path / "data"))
        allowed = ("--set", "origin.upstream.private_networks=127.0.0.1/32")
        async with p2pcdn("serve", *words, *allowed) as server:
            await assert_played_by_peers(browser, page_site, server, content)
    asked = re.findall(r'"GET (/films/\S+\.(?:ts|m4s)) HTTP/1.1" (\d+)', log.read_text())
    assert len(asked) >= 4
    assert set(Counter(asked).values()) == {1}, asked
    assert {status for _, status in asked} == {"200"}
