"""A smoke test in Firefox: it plays, and takes chunks from a native peer."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.servers import peer
from tests.e2e.viewer import Stage

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
SCRIPT = Path(__file__).with_name("firefox.mjs")
WITHOUT_H264 = sys.platform == "linux" and find_library("avcodec") is None
CONDITION = "window.probe?.played > 6 && window.p2pcdn?.getStats().peerBytes > 0"


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox: install firefox-esr")
@pytest.mark.skipif(WITHOUT_H264, reason="no H.264 in Firefox: install libavcodec")
async def test_firefox_takes_chunks_from_a_peer(stage: Stage) -> None:
    async with peer(stage.media) as seeder:
        await seeder.printed("complete")
        seen = await _firefox(stage.page_url())
    assert seen["failure"] is None, seen
    assert seen["probe"]["errors"] == []
    assert seen["probe"]["stalls"] == 0
    assert seen["stats"]["rejectedChunks"] == 0


async def _firefox(url: str) -> dict[str, Any]:
    words = ("node", str(SCRIPT), str(FIREFOX), url, "40", CONDITION)
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(output.splitlines()[-1])
    return seen
