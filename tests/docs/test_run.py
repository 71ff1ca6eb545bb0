"""What the tutorial and the how-tos tell people to type is typed.

::

    a block -- this machine's names for the reader's --> a shell, p2pcdn, a player, systemd

What is told of as printed is compared by its labels. What serves is in `test_serve.py`, pages are
opened in a browser elsewhere (`tests/e2e/test_how_to_pages.py`), and containers run
(`tests/compose`).
"""

from __future__ import annotations

import base64
import filecmp
import json
import re
import shutil
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from ruamel.yaml import YAML

from tests.docs.blocks import block
from tests.docs.here import Here, fetched, needs, starts, typed
from tests.e2e.servers import Command

pytestmark = pytest.mark.asyncio(loop_scope="module")


def labels(text: str) -> list[str]:
    """What stands at the beginning of lines, two spaces before what it is."""
    return re.findall(r"^([A-Z]\w+)  ", text, re.MULTILINE)


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
