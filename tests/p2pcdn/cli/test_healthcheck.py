"""`p2pcdn healthcheck`: an exit code for containers, a reason for people."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from p2pcdn.config import Config, Tls
from p2pcdn.service import Server
from tests.certificates import make_certificate
from tests.p2pcdn.cli.calling import Called, call
from tests.p2pcdn.service.hosting import Host


async def check(
    capsys: pytest.CaptureFixture[str], server: Server, *words: str, host: str = "127.0.0.1"
) -> Called:
    """Ask a server of this loop from a thread."""
    listen = f"{host}:{server.port}"
    return await asyncio.to_thread(call, capsys, "healthcheck", "--listen", listen, *words)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
async def test_a_server_that_is_ready(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with Server([Host()], host="127.0.0.1", port=0) as server:
        called = await check(capsys, server, host=host)
    assert (called.code, called.out.splitlines()[-1]) == (0, "ready")


async def test_a_server_that_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    host = Host()
    host.found = ["The directory of the media is gone.", "So is the tracker."]
    async with Server([host], host="127.0.0.1", port=0) as server:
        called = await check(capsys, server)
    assert called.code == 1
    assert called.err == (
        "p2pcdn: not ready: The directory of the media is gone. So is the tracker.\n"
    )


async def test_a_server_with_tls(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    config = Config(listen="127.0.0.1:0", tls=Tls(cert=cert, key=key))
    words = ["--set", f"tls.cert={cert}", "--set", f"tls.key={key}"]
    async with Server.of(config, [Host()]) as server:
        called = await check(capsys, server, *words)
    assert called.code == 0


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    called = call(capsys, "healthcheck", "--listen", f"127.0.0.1:{port}")
    assert called.code == 1
    assert called.err == f"p2pcdn: nothing answers at 127.0.0.1:{port}: connection refused.\n"


async def test_another_server(capsys: pytest.CaptureFixture[str]) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>" * 100, content_type="text/html", status=404)

    runner = web.AppRunner(web.Application(), access_log=None)
    runner.app.router.add_get("/readyz", page)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    listen = f"127.0.0.1:{runner.addresses[0][1]}"
    called = await asyncio.to_thread(call, capsys, "healthcheck", "--listen", listen)
    await runner.cleanup()
    assert called.code == 1
    assert called.err == (f"p2pcdn: not ready: {listen} answers 404, and does not say why.\n")
