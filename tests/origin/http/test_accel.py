"""nginx sends what the origin tells it to, and nobody else is told."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from origin.app import Origin
from origin.http.accel import Accel, accel_of
from origin.sources.directory import Directory
from origin.sources.zip import Zip
from p2pcdn.config import Config, OriginConfig
from p2pcdn.service import Server
from tests.e2e.servers import free_port
from tests.nginx import NEEDED, nginx
from tests.origin.conftest import Totals
from tests.origin.media_files import media_playlist, noise, write
from tests.origin.zips import zipped

SERVER = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{origin}; }}
        location /internal/ {{
            internal;
            alias {content}/;
            add_header Access-Control-Allow-Origin *;
        }}
    }}
"""


class Asked:
    """A request, as far as it matters."""

    def __init__(self, remote: str | None) -> None:
        self.remote = remote


@pytest.mark.parametrize(
    ("remote", "told"),
    [("127.0.0.1", True), ("::1", True), ("10.0.0.7", True), ("10.0.1.7", False), (None, False)],
)
def test_only_a_proxy_is_told(tmp_path: Path, remote: str | None, told: bool) -> None:
    write(tmp_path / "a.ts", "a")
    accel = Accel("/internal/", [ip_network("10.0.0.0/24")])
    file = Directory(tmp_path).open("a.ts")
    assert accel.is_for(cast(web.Request, Asked(remote)), file) is told
    file.close()


def test_what_is_in_no_directory_the_origin_sends(tmp_path: Path) -> None:
    file = Zip(zipped(tmp_path / "a.zip", {"a.ts": b"a"})).open("a.ts")
    assert not Accel("/internal/", []).is_for(cast(web.Request, Asked("127.0.0.1")), file)


def test_names_are_quoted() -> None:
    assert Accel("/internal/", []).place_of("a b/ö?#%.ts") == "/internal/a%20b/%C3%B6%3F%23%25.ts"


def test_it_is_off_unless_set() -> None:
    assert accel_of(Config()) is None


@NEEDED
async def test_nginx_sends_it(tmp_path: Path, content: Path) -> None:
    data = write(content / "a b" / "ö.ts", noise(300_000))
    write(content / "v.m3u8", media_playlist(["a b/ö.ts"]))
    totals, port = Totals(), free_port()
    config = Config(
        content=content,
        data=tmp_path / "data",
        origin=OriginConfig(accel_redirect="/internal/"),
    )
    async with (
        Server([Origin(config, totals)], host="127.0.0.1", port=0) as server,
        aiohttp.ClientSession() as session,
    ):
        path = "/media/a%20b/%C3%B6.ts"
        for _ in range(2):
            async with session.get(f"{server.url}{path}") as answer:
                assert answer.headers["X-Accel-Redirect"] == "/internal/a%20b/%C3%B6.ts"
                assert await answer.read() == b""
        totals.media = 0
        folder = tmp_path / "nginx"
        folder.mkdir()
        servers = SERVER.format(port=port, origin=server.port, content=content)
        with nginx(folder, servers, port):
            url = f"http://127.0.0.1:{port}"
            async with session.get(f"{url}{path}") as answer:
                assert await answer.read() == data
                assert answer.headers["Cache-Control"] == "public, max-age=86400, immutable"
                assert answer.headers["Content-Type"] == "video/mp2t"
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "X-Accel-Redirect" not in answer.headers
                tag = answer.headers["ETag"]
            assert totals.media == len(data)
            async with session.get(f"{url}{path}", headers={"Range": "bytes=7-99"}) as answer:
                assert answer.status == 206
                assert await answer.read() == data[7:100]
            assert totals.media == len(data) + 93
            async with session.get(f"{url}{path}", headers={"If-None-Match": tag}) as answer:
                assert answer.status == 304
            async with session.get(f"{url}/internal/v.m3u8") as answer:
                assert answer.status == 404
            async with session.get(f"{url}/media/none.ts") as answer:
                assert answer.status == 404
            async with session.get(f"{url}/media/v.m3u8") as answer:
                assert b"#EXTM3U" in await answer.read()
