"""The commands of the how-tos that are for containers, as they are written there."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.compose.stack import PROJECT, ROOT, Stack, docker
from tests.docs.blocks import block, commands, script
from tests.e2e.servers import free_port

NAME = f"{PROJECT}-how-to"


async def typed(line: str, environment: Mapping[str, str]) -> str:
    """What is printed when this is typed."""
    ran = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", line],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


async def test_a_container_says_the_token_of_its_dashboard(stack: Stack) -> None:
    # Which is what has brought it up, but for the terminal that it keeps.
    assert list(commands(block("how-to/docker.md:1"))) == [["docker", "compose", "up"]]
    environment = {**stack.environment, "COMPOSE_PROJECT_NAME": PROJECT}
    link, token = [
        await typed(line, environment)
        for line in script(block("how-to/dashboard-access.md:3")).splitlines()
    ]
    assert f"/dashboard/?token={token.strip()}" in link


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder that others may read."""
    (tmp_path / "film.mp4").write_bytes(b"a film")
    tmp_path.chmod(0o755)
    return tmp_path


async def test_a_folder_is_served_from_a_container_of_its_own(
    images: dict[str, str], films: Path
) -> None:
    port = free_port()
    names = {
        "docker run": f"docker run --detach --name {NAME}",
        "8080:8080": f"127.0.0.1:{port}:8080",
        "/srv/videos": str(films),
        "-v p2pcdn:": f"-v {NAME}:",
    }
    line = script(block("how-to/docker.md:2"))
    for name, here in names.items():
        assert name in line
        line = line.replace(name, here)
    try:
        await typed(line, {})
        async with aiohttp.ClientSession(f"http://localhost:{port}") as http:
            async with asyncio.timeout(60):
                while True:
                    try:
                        async with http.get("/media/film.mp4") as answer:
                            assert await answer.read() == b"a film"
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.2)
    finally:
        docker("rm", "--force", "--volumes", NAME)
        docker("volume", "rm", "--force", NAME)
