"""deploy/nginx.conf before a server, as it is but for names, ports and the certificate."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.certificates import make_certificate
from tests.e2e.servers import free_port, p2pcdn
from tests.nginx import NEEDED, nginx

CONF = (Path(__file__).parents[1] / "deploy/nginx.conf").read_text(encoding="utf-8")
FILM = bytes(range(256)) * 4096

pytestmark = [NEEDED, pytest.mark.asyncio(loop_scope="module")]


def moved(server: str, https: int, http: int, folder: Path) -> str:
    """The file, for a machine where others listen on 443 and 80."""
    cert, key = make_certificate(folder)
    changes = {
        r"server 127\.0\.0\.1:8080;": f"server {server};",
        r"listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        r"listen 80;": f"listen 127.0.0.1:{http};",
        r" *listen \[::\]:\d+.*;\n": "",
        r"cdn\.example\.com;": "localhost;",
        r"/etc/letsencrypt/\S+/fullchain\.pem": str(cert),
        r"/etc/letsencrypt/\S+/privkey\.pem": str(key),
    }
    text = CONF
    for pattern, change in changes.items():
        text, found = re.subn(pattern, change, text)
        assert found, pattern
    return text


class Front:
    """What the world sees."""

    def __init__(self, https: int, http: int, folder: Path) -> None:
        self.url = f"https://localhost:{https}"
        self.plain = f"http://localhost:{http}"
        self._token = folder / "data" / "admin-token"
        context = ssl.create_default_context(cafile=folder / "cert.pem")
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    async def is_refused(self) -> bool:
        """Whether the figures are for nobody who does not say the token."""
        async with self.http.get(f"{self.url}/api/v1/summary") as answer:
            return answer.status == 401

    @property
    def admin(self) -> dict[str, str]:
        """What says the token: it is made when somebody is refused."""
        return {"Authorization": f"Bearer {self._token.read_text().strip()}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("nginx")
    place.chmod(0o755)  # its workers are nobody, if it is root
    (place / "videos").mkdir()
    (place / "videos" / "film.mp4").write_bytes(FILM)
    return place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(folder: Path) -> AsyncIterator[Front]:
    port, https, http = free_port(), free_port(), free_port()
    words = (
        *("--content", str(folder / "videos"), "--data", str(folder / "data")),
        *("--set", "tracker.trusted_proxies=127.0.0.1/32"),
    )
    async with p2pcdn("serve", *words, listen=f"127.0.0.1:{port}"):
        with nginx(folder, moved(f"127.0.0.1:{port}", https, http, folder), https):
            found = Front(https, http, folder)
            async with found.http:
                yield found


async def test_media_come_in_ranges_and_with_their_headers(front: Front) -> None:
    headers = {"Range": "bytes=1000-1999", "Origin": "https://www.example.com"}
    async with front.http.get(f"{front.url}/media/film.mp4", headers=headers) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes 1000-1999/{len(FILM)}"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert await answer.read() == FILM[1000:2000]
    async with front.http.get(f"{front.url}/media/film.mp4") as answer:
        assert await answer.read() == FILM


async def test_a_socket_goes_through(front: Front) -> None:
    async with front.http.ws_connect(f"{front.url}/tracker/v1") as socket:
        assert json.loads(await socket.receive_str(timeout=20))["type"] == "welcome"


async def test_the_dashboards_stream_is_not_held_back(front: Front) -> None:
    assert await front.is_refused(), "who comes by a proxy is not at this machine"
    async with front.http.get(f"{front.url}/api/v1/stream", headers=front.admin) as answer:
        assert answer.status == 200
        async with asyncio.timeout(20):
            assert (await answer.content.readline()).startswith(b"data:")


async def test_http_leads_to_https(front: Front) -> None:
    async with front.http.get(f"{front.plain}/media/x?y", allow_redirects=False) as answer:
        assert answer.status == 301
        assert answer.headers["Location"] == "https://localhost/media/x?y"
