"""What the how-tos tell people to write works: their programs are run, and their files are read."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import ClientSession

from origin.app import Origin
from origin.elsewhere.places import Places
from origin.sources import object_store
from origin.sources.object_store import place_of
from p2pcdn import settings
from p2pcdn.config import Config, IngestConfig, SiteConfig
from p2pcdn.core.access import Sites, Visitor
from p2pcdn.core.atlas import Regions, atlas_of
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import RemoteError
from p2pcdn.model import PROTOCOL, content_id
from p2pcdn.service import Server
from p2pcdn.settings import SITE_SETTINGS, parse_assignments
from p2pcdn.wire.alto import CostMap, NetworkMap, parse
from p2pcdn.wire.tracker import Join
from tests.docs.blocks import block, fenced
from tests.e2e.servers import free_port
from tests.p2pcdn.cli.calling import call
from tests.p2pcdn.core.minting import Signer
from tracker.sites import sites_of, verifies
from tracker.webtorrent import Doors

TOKENS = (Path(__file__).parents[1] / "docs/how-to/tokens.md").read_text(encoding="utf-8")
NODES = (Path(__file__).parents[1] / "docs/how-to/many-nodes.md").read_text(encoding="utf-8")
ISPS = (Path(__file__).parents[1] / "docs/how-to/isps.md").read_text(encoding="utf-8")
SITE, URL, NONCE = "pk_shop", "/media/show/master.m3u8", "0" * 32
VIEWER = Signer.of("viewer")

CALLS = {
    "python": (
        block("how-to/tokens.md:5"),
        *(sys.executable, "back_end.py", "{code}\nprint(join_token({viewer!r}, {url!r}))"),
    ),
    "javascript": (
        block("how-to/tokens.md:6"),
        *("node", "back_end.mjs", "{code}\nconsole.log(joinToken({viewer!r}, {url!r}));"),
    ),
    "php": (
        block("how-to/tokens.md:7"),
        *("php", "back_end.php", "<?php\n{code}\necho join_token({viewer!r}, {url!r});"),
    ),
}


def blocks(language: str, text: str = TOKENS) -> list[str]:
    return [written for found, written in fenced(text) if found == language]


def test_maps_as_they_are_written_there_are_read() -> None:
    networks, costs = (parse(text.encode()) for text in blocks("json", ISPS))
    assert isinstance(networks, NetworkMap)
    assert isinstance(costs, CostMap)
    atlas = atlas_of(Regions(networks), costs)
    south, elsewhere = (
        atlas.regions.of(ip_address(text)) for text in ("198.51.100.200", "8.8.8.8")
    )
    assert atlas.costs.between("north", south) < atlas.costs.between("north", elsewhere)


def test_settings_as_they_are_written_there_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "p2pcdn.toml"
    for text in blocks("toml", ISPS):
        file.write_text(text)
        found = settings.load(file=file, environ={}).config.tracker
        assert found.mmdb or found.alto or found.importers


def test_nodes_as_they_are_written_there_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "p2pcdn.toml"
    [text] = blocks("toml", NODES)
    file.write_text(text)
    found = settings.load(file=file, environ={}).config.tracker
    assert None not in (found.store, found.url, found.exchange)


def test_a_turn_server_as_it_is_written_there_is_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/how-to/turn.md").read_text(encoding="utf-8")
    file = tmp_path / "p2pcdn.toml"
    [written] = blocks("toml", text)
    file.write_text(written)
    found = settings.load(file=file, environ={}).config.tracker
    assert (found.mode, len(found.turn)) == ("relay", 1)
    assert "static-auth-secret=SECRET" in text
    assert "SECRET" in written


def test_mounts_as_they_are_written_there_are_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/how-to/zip.md").read_text(encoding="utf-8")
    file = tmp_path / "p2pcdn.toml"
    [written] = blocks("toml", text)
    file.write_text(written)
    mounts = settings.load(file=file, environ={}).config.mount
    (flag,) = re.findall(r"`--set (mount=.*)`", text)
    assert mounts == settings.load(flags=parse_assignments([flag]), environ={}).config.mount
    assert [mount.path for mount in mounts] == ["shows", "shows/new"]


def test_media_elsewhere_as_they_are_written_there_are_taken(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/how-to/a-cdn-you-keep.md").read_text("utf-8")
    file = tmp_path / "p2pcdn.toml"
    short, long = blocks("toml", text)
    file.write_text(short)
    plain = settings.load(file=file, environ={}).config.elsewhere
    (flag,) = re.findall(r"`--set (elsewhere=.*?)`", text)
    assert plain == settings.load(flags=parse_assignments([flag]), environ={}).config.elsewhere
    file.write_text(long)
    find = Places(settings.load(file=file, environ={}).config.elsewhere).find
    name = "https://cdn.example/films/a/index.m3u8"
    assert find("https://cdn.example/hdnts=exp=17~hmac=9f/films/a/index.m3u8").name == name
    assert find("https://other-cdn.example/vod/a/index.m3u8?token=1").name == name
    assert find(f"{name}?quality=720&token=1").name == f"{name};quality=720"


@pytest.mark.parametrize("language", CALLS)
def test_a_back_end_as_it_is_written_there_gives_tokens_that_a_tracker_takes(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, program, name, text = CALLS[language]
    assert written.language == language
    if language == "php" and shutil.which(program) is None:
        pytest.skip("there is no PHP on this machine")
    made = call(capsys, "token", "new-key", str(tmp_path / "site.pem"))
    (key,) = tomllib.loads(made.out.partition("\n\n")[2])["sites"]["NAME"]["keys"]
    (tmp_path / name).write_text(text.format(code=written.text, viewer=VIEWER.thumbprint, url=URL))
    sites = Sites(sites_of(Config(sites={SITE: SiteConfig(keys=(key,))})), verifies)
    tokens = [
        subprocess.run(
            [program, name], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=50
        ).stdout.strip()
        for _ in range(2)
    ]
    for token in tokens:
        admit(sites, token, URL)
        with pytest.raises(RemoteError, match="another content"):
            admit(sites, token, "/media/other")
        with pytest.raises(RemoteError, match="another key"):
            admit(sites, token, URL, Signer.of("thief"))
    assert tokens[0] != tokens[1], "each has an id of its own"


def admit(sites: Sites, token: str, url: str, viewer: Signer = VIEWER) -> None:
    content = content_id(SITE, url)
    shown = viewer.credentials(NONCE, SITE, content, token, url)
    join = Join(PROTOCOL, SITE, content, "browser", True, credentials=shown)
    sites.admit(join, Visitor(NONCE, "https://www.example.com"), time.time())


def test_the_configuration_is_as_it_is_written_there() -> None:
    for text in blocks("toml"):
        for table in tomllib.loads(text)["sites"].values():
            assert set(table) <= set(SITE_SETTINGS)


def test_settings_for_webtorrents_clients_let_in_whom_they_name(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/how-to/webtorrent.md").read_text(encoding="utf-8")
    found = []
    for number, written in enumerate(
        re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ):
        file = tmp_path / f"{number}.toml"
        file.write_text(written)
        given = settings.load(file=file, environ={}).config.tracker.webtorrent
        Doors(given, {}).check("https://www.example.com", "tracker.example.com")
        found.append(len(given.hashes))
    assert found == [0, 1]


def test_the_buckets_of_the_how_to_can_be_configured(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/how-to/object-store.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```toml\n(.+?)```", text, re.DOTALL)
    file = tmp_path / "p2pcdn.toml"
    file.write_text(written, encoding="utf-8")
    config = settings.load(file=file, environ={}).config
    places = [place_of(str(mount.content), "content") for mount in config.mount]
    assert [place.name for place in places] == ["s3://films", "s3://old-films/2019"]
    assert places[0].endpoint == "http://minio:9000"
    named = {name for names in object_store._NAMES.values() for name in names}
    assert {name for name in named if f"`{name}" not in text} == set()


LIVE = (
    block("how-to/live.md:1"),
    block("how-to/live.md:3"),
    block("how-to/live.md:4"),
    block("how-to/live.md:5"),
    block("how-to/live.md:6"),
)
ENCODERS = {
    "live/index.m3u8": 2,  # into the directory, and by HTTP
    "live/fmp4/index.m3u8": 1,
    "live/show/0.m3u8": 1,
    "live/obs/index.m3u8": 1,
}
"""What the lines for ffmpeg make, and how many do."""

FILM = "-f lavfi -i testsrc=size=64x36:rate=25 -f lavfi -i sine -t 4 -c:v libx264 -g 50 -c:a aac"
"""For a few seconds, so that they end by themselves; small, since cores are few."""


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine")
async def test_encoders_as_they_are_written_there_go_live(tmp_path: Path) -> None:
    (tmp_path / "media/live").mkdir(parents=True)
    await run(f"ffmpeg -loglevel error {FILM} film.mp4", tmp_path)
    config = Config(
        content=tmp_path / "media",
        data=tmp_path / "data",
        ingest=IngestConfig(paths=("live",), token="a-token-of-encoders"),
    )
    async with Server([Origin(config, Ledger())], host="127.0.0.1", port=0) as server:
        lines = [
            written.text.replace("localhost:8080", f"localhost:{server.port}")
            .replace("/srv/media", str(tmp_path / "media"))
            .replace("-stream_loop -1 ", "")  # or it would not end
            .replace("1280x720", "64x36").replace("640x360", "32x18")
            .replace("127.0.0.1:1935", f"127.0.0.1:{free_port()}")
            for written in LIVE
        ]  # fmt: skip
        assert len(lines) == sum(ENCODERS.values())
        # Two of them make the same stream, so one after the other.
        await asyncio.gather(
            run(lines.pop(0), tmp_path), *(run(one, tmp_path) for one in lines[1:])
        )
        await run(lines[0], tmp_path)
        async with ClientSession(f"http://127.0.0.1:{server.port}") as session:
            for path, encoders in ENCODERS.items():
                async with session.get(f"/media/{path}") as answer:
                    playlist = await answer.text()
                assert playlist.count("#EXTINF") >= 2 * encoders, playlist
                assert playlist.count("#EXT-X-DISCONTINUITY") == encoders
            async with session.get("/manifest/live/show/master.m3u8") as answer:
                assert len((await answer.json())["renditions"]) == 2


async def run(line: str, folder: Path) -> None:
    """Run a line in a shell; where it waits for OBS, be that."""
    (address,) = re.findall(r"-listen 1 .*?(rtmp://\S+)", line) or [None]
    quiet = 'ffmpeg() { command ffmpeg -nostdin -loglevel error "$@"; }; '
    environment = {**os.environ, "TOKEN": "a-token-of-encoders"}

    async def start(words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_shell(
            quiet + words,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    shell = await start(line)
    if address is not None:
        send = f"ffmpeg -re -i film.mp4 -c copy -f flv {address}"
        obs = f"for _ in $(seq 100); do {send} && break; sleep 0.2; done"
        async with asyncio.timeout(60):
            await (await start(obs)).communicate()
    async with asyncio.timeout(60):
        said, _ = await shell.communicate()
    assert shell.returncode == 0, said.decode()
