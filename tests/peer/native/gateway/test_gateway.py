"""The gateway as a whole: where it listens."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace

from p2pcdn.errors import ConfigError
from peer.native.gateway import Gateway
from tests.peer.native.gateway.conftest import config


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "", "localhost", "[::]", "example.com"])
def test_it_listens_to_this_machine_alone(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="for this machine alone and listens on"):
        Gateway(config(tmp_path, f"{host}:0"))


async def test_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    given = config(tmp_path, "0.0.0.0:0")
    exposed = replace(given, peer=replace(given.peer, gateway_exposed=True))
    async with Gateway(exposed) as gateway, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{gateway.address.port}/{gateway.secret}/api/v1/"
        async with http.get(url) as answer:
            assert answer.status == 200


async def test_it_comes_back_to_its_port_with_its_secret(tmp_path: Path) -> None:
    async with Gateway(config(tmp_path)) as first:
        url = first.url
    async with Gateway(config(tmp_path)) as second:
        assert second.url == url


async def test_a_port_that_is_taken_meanwhile_is_another_one(tmp_path: Path) -> None:
    async with Gateway(config(tmp_path)) as first:
        port = first.address.port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        async with Gateway(config(tmp_path)) as second:
            assert second.address.port != port
        with pytest.raises(ConfigError, match=f"can't listen on port {port} of 127.0.0.1"):
            async with Gateway(config(tmp_path, f"127.0.0.1:{port}")):
                pass


async def test_on_ipv6_it_is_named_with_brackets(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 on this machine")
    async with Gateway(config(tmp_path, "[::1]:0")) as gateway, aiohttp.ClientSession() as http:
        assert gateway.url.startswith("http://[::1]:")
        async with http.get(gateway.url) as answer:
            assert answer.status == 200


async def test_there_is_no_code_where_no_page_would_find_it(tmp_path: Path) -> None:
    async with Gateway(config(tmp_path, "127.0.0.2:0")) as gateway, aiohttp.ClientSession() as http:
        with pytest.raises(ConfigError, match="pages look for a gateway at 127"):
            gateway.new_code()
        async with http.post(f"{gateway.url}api/v1/code") as answer:
            assert answer.status == 400
            assert "There is no code" in await answer.text()
    async with Gateway(config(tmp_path, "127.0.0.1:0")) as gateway:
        assert gateway.new_code()


async def test_what_was_added_to_it_is_there_again(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/media"  # so each is there, from the origin, if that ever is

    async def listed(gateway: Gateway, http: aiohttp.ClientSession) -> list[tuple[str, bool, str]]:
        async with http.get(f"{gateway.url}api/v1/contents") as answer:
            return [(one["url"], one["keep"], one["state"]) for one in await answer.json()]

    async with aiohttp.ClientSession() as http:
        async with Gateway(config(tmp_path)) as gateway:
            await gateway.contents.add(f"{nobody}/named.mp4", keep=True)
            for name in ("kept.mp4", "removed.mp4"):
                body = {"url": f"{nobody}/{name}", "keep": True}
                async with http.post(f"{gateway.url}api/v1/contents", json=body) as answer:
                    added = await answer.json()
            await http.delete(f"{gateway.url}api/v1/contents/{added['id']}")
            kept = gateway.contents.all[1]
            await http.patch(f"{gateway.url}api/v1/contents/{kept.id}", json={"paused": True})
            assert len(await listed(gateway, http)) == 2
        async with Gateway(config(tmp_path)) as gateway:
            assert await listed(gateway, http) == [(f"{nobody}/kept.mp4", True, "paused")]
