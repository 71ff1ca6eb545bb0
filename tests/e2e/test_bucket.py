"""A film in a bucket is played by peers, and what a viewer has of it nobody asks the bucket for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.served import assert_played_by_peers
from tests.e2e.servers import p2pcdn
from tests.origin.buckets import ENVIRONMENT, KEYS, Store, moto

pytestmark = pytest.mark.xdist_group("embedding")


async def test_a_film_in_a_bucket_is_played_by_peers(
    browser: Browser,
    page_site: str,
    content: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with moto() as port:
        store = Store(port, "films")
        for file in (content / "film").rglob("*.*"):
            store.put(str(file.relative_to(content)), file.read_bytes())
        words = ("--content", store.url(), "--data", str(tmp_path / "data"))
        async with p2pcdn("serve", *words) as server:
            await assert_played_by_peers(browser, page_site, server, content)
        gets = Counter(asked for asked in store.take() if re.match(r"GET .*\.(ts|m4s)", asked))
        assert set(gets.values()) == {1}, gets
        assert not [key for key in KEYS.values() if key in server.text]
        store.close()
