"""What the how-tos have served is served, with what stands in front of it and behind it: upstreams,
buckets, Valkey, nginx, coturn. And a server starts with each file that they show."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioice.turn import create_turn_endpoint

from origin.app import Origin
from p2pcdn import settings
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tests import coturn, nginx, valkey
from tests.certificates import make_certificate
from tests.docs.blocks import ROOT, Block, block
from tests.docs.here import FIRST, Here, fetched, needs, starts, typed
from tests.e2e.servers import free_port
from tests.origin.buckets import ENVIRONMENT, Store, moto
from tracker.app import Tracker
from tracker.relays import Relays

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_encoder_gets_a_token(here: Here) -> None:
    (here.folder / "live").mkdir()
    here.names["/srv/media"] = str(here.folder)
    serving, minting = (typed(block("how-to/live.md:2"), line) for line in (0, 1))
    async with here.served(serving) as server, aiohttp.ClientSession() as http:
        token = (await here.type(minting)).strip()
        where = f"{server.url}/ingest/live/0.ts"
        async with http.put(where, data=b"G" * 188) as answer:
            assert answer.status == 401
        headers = {"Authorization": f"Bearer {token}"}
        async with http.put(where, data=b"G" * 188, headers=headers) as answer:
            assert answer.ok


async def test_several_processes_share_a_port(here: Here, media: Path) -> None:
    async with here.served(typed(block("how-to/scale-out.md:1"))) as server:
        assert await fetched(server.url + FIRST) == (media / "videos/show/low/0.ts").read_bytes()


async def test_an_upstream_is_served(here: Here, media: Path) -> None:
    here.variables["P2PCDN_ORIGIN_UPSTREAM_PRIVATE_NETWORKS"] = "127.0.0.1/32"
    async with here.served(typed(block("how-to/upstream.md:1"))) as server:
        assert await fetched(server.url + FIRST) == (media / "videos/show/low/0.ts").read_bytes()


@needs("zip")
async def test_a_zip_is_served_and_replaced(here: Here, media: Path) -> None:
    for name in ("show", "films"):
        shutil.copytree(media / "videos/show", here.folder / name)
    (here.folder / "index.html").write_text("<!doctype html><title>Films</title>")
    told = block("how-to/zip.md:1")
    async with here.served(typed(told)) as server:
        assert f"{server.url}/media/ from site.zip" in server.text
        assert "Media         http" in told.text
        assert await fetched(server.url + FIRST) == (media / "videos/show/low/0.ts").read_bytes()
        (here.folder / "films/new.ts").write_bytes(b"new")
        await here.type(typed(block("how-to/zip.md:3")))
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await fetched(f"{server.url}/media/films/new.ts") == b"new"
                    break
                except aiohttp.ClientResponseError:
                    await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    with moto() as port:
        yield port


async def test_a_bucket_is_served(
    here: Here, media: Path, s3: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [Store(s3, "films"), Store(s3, "old-films")]
    keys = {f"{name}=...": f"{name}={value}" for name, value in ENVIRONMENT.items()}
    here.variables["NO_PROXY"] = ENVIRONMENT["NO_PROXY"]
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    data = stores[0].put("2026/show/low/0.ts", (media / "videos/show/low/0.ts").read_bytes())
    stores[1].put("2019/show/low/0.ts", data)
    where = f"endpoint={stores[0].endpoint}"
    text = typed(block("how-to/object-store.md:1"))
    here.names |= {**keys, "s3://films/2026": f"'s3://films/2026?{where}'"}
    async with here.served(text) as server:
        assert await fetched(server.url + FIRST) == data
    here.names["endpoint=http://minio:9000"] = where
    here.names["?region=eu-west-1"] = f"?region=eu-west-1&endpoint={stores[1].endpoint}"
    several = block("how-to/object-store.md:2").text
    assert await starts(here, several, "/media/archive/show/low/0.ts") == data
    for store in stores:
        store.close()


@valkey.NEEDED
async def test_a_tracker_is_one_of_several(here: Here) -> None:
    store = valkey.Valkey(here.folder, "--requirepass", "PASSWORD")
    try:
        here.names |= {
            "valkey.example.com/": f"127.0.0.1:{store.port}/",
            "valkey.example.com:6379": f"127.0.0.1:{store.port}",
            "10.0.0.1:7070": f"127.0.0.1:{free_port()}",
        }
        async with here.served(typed(block("how-to/many-nodes.md:1"))) as server:
            assert await fetched(f"{server.url}/readyz?verbose") == b"ok\n"
        assert await starts(here, block("how-to/many-nodes.md:2").text) == b"ok\n"
    finally:
        store.close()


# Files


@pytest.mark.parametrize(
    "written",
    [
        block("how-to/a-cdn-you-keep.md:1"),
        block("how-to/a-cdn-you-keep.md:3"),
        block("how-to/edge-peers.md:3"),
        block("how-to/isps.md:2"),
        block("how-to/upstream.md:2"),
        block("how-to/webtorrent.md:1"),
        block("how-to/webtorrent.md:2"),
        block("how-to/zip.md:2"),
    ],
    ids=str,
)
async def test_a_server_starts_with_it(here: Here, media: Path, written: Block) -> None:
    shutil.make_archive(str(here.folder / "shows"), "zip", media / "videos/show")
    shutil.copytree(media / "videos/show", here.folder / "new-shows")
    here.names["/srv/shows.zip"] = str(here.folder / "shows.zip")
    here.names["/srv/new-shows"] = str(here.folder / "new-shows")
    assert (await starts(here, written.text)).startswith(b"ok")


async def test_an_operators_maps_are_fetched(here: Here) -> None:
    maps = {"network": block("how-to/isps.md:4"), "cost": block("how-to/isps.md:5")}

    async def answer(request: web.Request) -> web.Response:
        kind = request.path.removeprefix("/").partition("map")[0]
        given = f"application/alto-{kind}map+json"
        return web.Response(text=maps[kind].text, content_type=given)

    app = web.Application()
    app.router.add_get("/{map:.*}", answer)
    async with TestServer(app) as operator:
        here.names["https://alto.example.net/"] = str(operator.make_url("/"))
        assert await starts(here, block("how-to/isps.md:3").text) == b"ok\n"


@nginx.NEEDED
async def test_nginx_stands_in_front_and_sends_the_files(here: Here, media: Path) -> None:
    trusting, sending = block("how-to/behind-nginx.md:2"), block("how-to/behind-nginx.md:3")
    front, files = block("how-to/behind-nginx.md:1"), block("how-to/behind-nginx.md:4")
    file = here.folder / "p2pcdn.toml"
    file.write_text(trusting.text + sending.text, encoding="utf-8")
    flags = {"data": str(here.folder / "data"), "content": str(media / "videos")}
    config = settings.load(file=file, flags=flags, environ={}).config
    port, (cert, key) = free_port(), make_certificate(here.folder)
    ledger = Ledger()
    origin = Origin(config, ledger)
    async with Server([origin, Tracker(config, ledger)], host="127.0.0.1", port=0) as server:
        here.names |= {
            "127.0.0.1:8080": f"127.0.0.1:{server.port}",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "media.example.com": "localhost",
            "# ssl_certificate ...": f"ssl_certificate {cert}; ssl_certificate_key {key};",
            "    location / {": f"{here.local(files.text)}\n    location / {{",
        }
        context = ssl.create_default_context(cafile=cert)
        connector = aiohttp.TCPConnector(ssl=context)
        with nginx.nginx(here.folder, here.local(front.text), port) as said:
            assert "warn" not in said, said
            async with aiohttp.ClientSession(
                f"https://localhost:{port}", connector=connector
            ) as http:
                async with http.get(FIRST) as answer:
                    assert await answer.read() == (media / "videos/show/low/0.ts").read_bytes()
                    assert answer.headers["Access-Control-Allow-Origin"] == "*"
                    assert answer.headers["Timing-Allow-Origin"] == "*"
                    # By nginx, whose etags are others than the origin's own.
                    assert answer.headers["Server"].startswith("nginx")
                async with http.get(FIRST.replace("/media/", "/internal/")) as answer:
                    assert answer.status == 404
                async with http.ws_connect("/tracker/v1") as socket:
                    assert json.loads(await socket.receive_str(timeout=20))["type"] == "welcome"


@coturn.NEEDED
async def test_a_turn_server_lets_viewers_in_that_the_tracker_sends(here: Here) -> None:
    file = here.file(block("how-to/turn.md:1"), "turnserver.conf")
    async with coturn.coturn(here.folder, file) as turn:
        here.names |= {
            "turn.example.com:3478": f"127.0.0.1:{turn.port}",
            "/etc/p2pcdn/turn-secret": str(turn.secret),
        }
        turn.secret.write_text("SECRET\n")
        told = block("how-to/turn.md:2")
        assert (await starts(here, told.text)).startswith(b"ok")
        config = settings.load(file=here.file(told), environ={}).config.tracker
        admitted = Relays(config).admit("0123456789abcdef", time.time())
        assert admitted is not None
        transport, _ = await create_turn_endpoint(
            asyncio.DatagramProtocol,
            ("127.0.0.1", turn.port),
            admitted.username,
            admitted.credential,
        )
        assert transport.get_extra_info("sockname")[0] == "127.0.0.1"
        transport.close()
        assert not [line for line in turn.log if "Bad configuration" in line]


@needs("systemctl", "systemd-analyze")
async def test_a_unit_is_installed_and_enabled(here: Here) -> None:
    root = here.folder / "root"
    program = root / "opt/p2pcdn/bin/p2pcdn"
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    (root / "etc/systemd/system").mkdir(parents=True)
    told = block("how-to/production.md:1")
    # Installing the package is what .ci/run does, as it takes a minute.
    assert "pip install ." in typed(told, 0)
    with_tls = block("how-to/production.md:2")
    text = "\n".join([*(typed(told, line) for line in range(1, 4)), typed(with_tls)])
    text = text.replace(" deploy/", f" {ROOT}/deploy/").replace(" /etc/", f" {root}/etc/")
    # Nothing is started on this machine.
    text = text.replace("systemctl enable --now", f"systemctl --root={root} enable")
    await here.type(text.replace("systemctl daemon-reload && systemctl restart p2pcdn", ""))
    wanted = root / "etc/systemd/system/multi-user.target.wants/p2pcdn.service"
    assert wanted.is_symlink()
    assert (root / "etc/p2pcdn/p2pcdn.toml").is_file()
    unit = root / "etc/systemd/system/p2pcdn.service"
    unit.write_text(unit.read_text().replace("/opt/", f"{root}/opt/"))
    here.variables["SYSTEMD_UNIT_PATH"] = f"{unit.parent}:"
    said = await here.type(f"systemd-analyze verify --man=no {unit}")
    assert str(root) not in said, said
