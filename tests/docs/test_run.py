"""What the tutorial and the how-tos tell people to type is typed, and what they tell them to write
is taken by whoever is to read it.

::

    a block -- this machine's names for the reader's --> a shell, p2pcdn, nginx, coturn, systemd

What is told of as printed is compared by its labels. Pages are opened in a browser elsewhere
(`tests/e2e/test_how_to_pages.py`), and containers run (`tests/compose`).
"""

from __future__ import annotations

import asyncio
import base64
import filecmp
import json
import re
import shutil
import ssl
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from aioice.turn import create_turn_endpoint
from ruamel.yaml import YAML

from origin.app import Origin
from p2pcdn import settings
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tests import coturn, nginx, valkey
from tests.certificates import make_certificate
from tests.docs.blocks import ROOT, Block, block
from tests.docs.here import Here, typed
from tests.e2e.servers import Command, free_port, p2pcdn
from tests.origin.buckets import ENVIRONMENT, Store, moto
from tests.origin.preparing.films import film
from tests.peer.native.hosting import write_show
from tracker.app import Tracker
from tracker.relays import Relays

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST = "/media/show/low/0.ts"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Programs of others, which `tests/prepare.py` installs where it may."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"there is no {' and no '.join(missing)} here")


def labels(text: str) -> list[str]:
    """What stands at the beginning of lines, two spaces before what it is."""
    return re.findall(r"^([A-Z]\w+)  ", text, re.MULTILINE)


async def fetched(url: str, headers: dict[str, str] | None = None) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.read()


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos``, in which there is a show of random bytes, and with a film."""
    folder = tmp_path_factory.mktemp("media")
    write_show(folder / "videos/show")
    film(folder / "movie.mp4")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(media: Path) -> AsyncIterator[Command]:
    """`p2pcdn serve`, as the how-to of edge peers has it, for all who want no more."""
    file = Here(media, {}).file(block("how-to/edge-peers.md:1"))
    where = f"0.0.0.0:{free_port()}"  # so that it wants the token
    words = ("--content", str(media / "videos"), "--data", str(media / "data"))
    async with p2pcdn("serve", *words, "--config", str(file), listen=where) as running:
        running.url = running.url.replace("0.0.0.0", "127.0.0.1")
        yield running


@pytest.fixture
def here(tmp_path: Path, media: Path, server: Command) -> Here:
    """Where somebody reads the how-tos."""
    names = {
        "https://cdn.example.com": server.url,
        "https://cdn.example/films/": f"{server.url}/media/",
        "https://cdn.example": server.url,
        "https://media.example.com": server.url,
        "http://10.0.5.7:8080/hls/": f"{server.url}/media/",
        "10.0.5.7/32": "127.0.0.1/32",
        "/srv/videos": str(media / "videos"),
        "/srv/media": str(media / "videos"),
        "--content videos": f"--content {media / 'videos'}",
        "/srv/p2pcdn/admin-token": str(media / "data/admin-token"),
    }
    return Here(tmp_path, names)


# The command line


async def test_films_are_added_listed_removed_and_verified(
    here: Here, media: Path, tmp_path: Path
) -> None:
    adding, listing = block("how-to/add-media.md:1"), block("how-to/add-media.md:2")
    event = block("how-to/add-media.md:3")
    videos = tmp_path / "videos"
    here.names["/srv/videos"] = here.variables["P2PCDN_CONTENT"] = str(videos)
    videos.mkdir()
    shutil.copy(media / "movie.mp4", tmp_path)
    assert labels(await here.type(typed(adding))) == labels(adding.text)
    shutil.make_archive(str(tmp_path / "show"), "zip", media / "videos/show")
    await here.type("p2pcdn add show.zip")
    said = json.loads(await here.type(f"{typed(adding)} --json"))
    assert said.keys() == json.loads(event.text).keys()
    (segment,) = videos.glob("movie/*-00000-*")
    segment.write_bytes(segment.read_bytes()[:-1] + b"?")
    shown = await here.type(typed(listing), code=1)
    for line in ("NAME  *KIND  *SIZE  *LENGTH  *WHERE", ".* bytes 0 to .*: its bytes are others."):
        for text in (listing.text, shown):
            assert re.search(line.replace("0 to", r"\d+ to"), text), text
    assert " is not served any more; " in shown
    assert shown.endswith(": 1 damage.\n")


async def test_the_doctor_looks_at_a_server_and_a_page(here: Here) -> None:
    html = here.local(block("how-to/embed.md:1").text)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/watch", page)
    async with TestServer(app) as site:
        here.names["https://www.example/"] = str(site.make_url("/"))
        said = await here.type(typed(block("how-to/doctor.md:1")))
    assert "the tracker's socket opens" in said.lower()


async def test_a_content_is_saved(here: Here, media: Path) -> None:
    line, event = block("how-to/get.md:1"), block("how-to/get.md:2")
    said = (await here.type(f"{typed(line)} --json")).splitlines()
    assert json.loads(said[-1]).keys() == json.loads(event.text).keys()
    compared = filecmp.dircmp(here.folder / "show", media / "videos/show")
    assert not compared.right_only
    assert "low" in compared.common_dirs
    (here.folder / "show").rename(here.folder / "once")
    assert "by the origin" in await here.type(typed(line))


async def test_a_program_reads_a_content(here: Here, media: Path) -> None:
    text = block("how-to/library.md:1").text.replace("film/720p.m3u8", "show/low/index.m3u8")
    (here.folder / "reads.py").write_text(here.local(text), encoding="utf-8")
    said = await here.type(f"{sys.executable} reads.py")
    low = [(media / f"videos/show/low/{number}.ts").read_bytes() for number in range(8)]
    assert (here.folder / "film.ts").read_bytes() == b"".join(low)
    assert re.search(r"^\d+ bytes by peers, \d+ by the origin$", said, re.MULTILINE)


async def test_players_play_through_the_gateway(here: Here, media: Path) -> None:
    if not (media / "videos/movie").exists():
        shutil.copy(media / "movie.mp4", here.folder)
        await here.type(typed(block("how-to/add-media.md:1")))
    here.names["film/master.m3u8"] = "movie/index.m3u8"
    opening, told = block("how-to/gateway.md:1"), block("how-to/gateway.md:2")
    async with here.served(typed(opening), probe=False) as gateway:
        await gateway.printed("Play  ")
        assert labels(gateway.text) == labels(told.text)
        (as_told, played) = (
            re.findall(r"Play +(\S+)", text)[0] for text in (told.text, gateway.text)
        )
        for line in block("how-to/gateway.md:3").text.splitlines():
            program, *_ = line.split()
            if shutil.which(program) is not None:  # which VLC is not
                await here.type(line.replace(as_told, played))
    assert (here.folder / "film.mkv").stat().st_size > 1000


async def test_an_edge_peer_follows_a_site(here: Here) -> None:
    here.names["/srv/p2pcdn"] = str(here.folder / "store")
    async with here.served(typed(block("how-to/edge-peers.md:2")), probe=False) as peer:
        await peer.printed("show/master.m3u8: complete")
    assert any((here.folder / "store").rglob("*"))


async def test_keys_are_listed(here: Here) -> None:
    told = block("how-to/keys.md:1")
    said = await here.type(typed(told))
    shapes = ["  current, made", "    ed25519  ", "    ecdsa-p256  ", '    data-key="']
    for text in (told.text, said):
        assert [shape for shape in shapes if shape in text] == shapes


@needs("curl")
async def test_the_dashboards_figures_are_fetched_with_the_token(
    here: Here, server: Command
) -> None:
    (link,) = block("how-to/dashboard-access.md:1").text.splitlines()
    (printed,) = (line for line in server.output if line.startswith("Dashboard  "))
    port = server.url.rpartition(":")[2]
    for text in (printed, link.replace("8080", port)):
        assert re.fullmatch(rf"\w+ +http://localhost:{port}/dashboard/\?token=\S+", text)
    line = typed(block("how-to/dashboard-access.md:2"))
    assert "viewers" in json.loads(await here.type(line.replace("curl", "curl -sSf")))
    said = await here.type(line.replace("curl", "curl -sS").replace("Bearer ", "Bearer not-"))
    assert "viewers" not in said


async def test_metrics_are_scraped_as_prometheus_is_told_to(here: Here, server: Command) -> None:
    """Prometheus itself is on few machines: it is asked for what it would ask."""
    text = here.local(block("how-to/dashboard-access.md:4").text)
    (job,) = YAML(typ="safe").load(text)["scrape_configs"]
    assert set(job) == {"job_name", "authorization", "static_configs"}
    assert job["authorization"].keys() == {"credentials_file"}
    ((target,),) = (static["targets"] for static in job["static_configs"])
    (token,) = server.text.split("token=")[1].split()[:1]
    url = f"{server.url}/metrics"
    assert target.endswith(":8080")
    assert b"p2pcdn_" in await fetched(url, {"Authorization": f"Bearer {token}"})
    with pytest.raises(aiohttp.ClientResponseError, match="401"):
        await fetched(url)


async def test_tokens_are_made(here: Here) -> None:
    told = block("how-to/tokens.md:1")
    said = await here.type(typed(told))
    key = r'keys = \["(.+?)"\]'
    assert re.sub(key, "", said) == re.sub(key, "", told.text.partition("\n")[2])
    line = typed(block("how-to/tokens.md:9"))
    token = (await here.type(line.replace("THUMBPRINT", "A" * 43))).strip()
    head, claims = (
        json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2]
    )
    assert head["typ"] == "p2pcdn+jwt"
    assert (claims["iss"], claims["cnf"]["jkt"]) == ("pk_shop", "A" * 43)
    assert claims["exp"] - claims["iat"] == 300
    # And the tracker takes the key, in the file as it is written.
    (public,) = re.findall(key, said)
    for wanted in block("how-to/tokens.md:2"), block("how-to/tokens.md:10"):
        await starts(here, wanted.text.replace("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE...", public))


# Servers


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
        assert "Media" in labels(told.text)
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


async def starts(here: Here, text: str, path: str = "/readyz?verbose") -> bytes:
    """A server starts with this file; what it answers, which is that it is ready unless something
    else is asked."""
    file = here.folder / "p2pcdn.toml"
    file.write_text(here.local(text), encoding="utf-8")
    flags = {"data": str(here.folder / "data"), "listen": "127.0.0.1:0"}
    if "content" not in tomllib.loads(text):
        flags["content"] = here.names["/srv/videos"]
    config = settings.load(file=file, flags=flags, environ={}).config
    ledger = Ledger()
    async with Server.of(config, [Origin(config, ledger), Tracker(config, ledger)]) as server:
        return await fetched(f"http://127.0.0.1:{server.port}{path}")


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
