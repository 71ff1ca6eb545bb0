"""``python -m origin``."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import aiohttp

from tests.origin.media_files import write


async def test_serves_until_it_is_told_to_stop(content: Path, tmp_path: Path) -> None:
    write(content / "a.ts", b"hello")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "origin", "listen=127.0.0.1:0"),
        *(f"content={content}", f"data={tmp_path / 'data'}"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    url = re.search(r"http://[0-9.:]+", line)
    assert url, line
    async with aiohttp.ClientSession() as session, session.get(f"{url[0]}/media/a.ts") as response:
        assert await response.read() == b"hello"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "origin", f"content={tmp_path / 'none'}"),
        stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == (
        "content has to be a directory, a zip archive or a URL; there is none at "
        f"{tmp_path / 'none'}.\n"
    )
