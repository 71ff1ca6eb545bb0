"""What the serving commands share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from p2pcdn.cli import serving
from p2pcdn.config import Config, ElsewhereConfig, IngestConfig, MountConfig, OriginConfig
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server
from p2pcdn.service.admin import Admin


def test_content_has_to_be_there(tmp_path: Path) -> None:
    assert serving.content_of(Config(content=tmp_path)) == str(tmp_path)
    mount = (MountConfig(path="tv", content=Path("tv.zip")),)
    assert serving.content_of(Config(mount=mount)) == "tv/: tv.zip"
    assert serving.content_of(Config(content=tmp_path, mount=mount)) == f"{tmp_path}, tv/: tv.zip"
    with pytest.raises(ConfigError, match="--content DIR"):
        serving.content_of(Config())
    with pytest.raises(ConfigError, match="there is none at"):
        serving.content_of(Config(content=tmp_path / "none"))


def test_encoders_are_told_where_to_put_if_they_may() -> None:
    server = Server([], host="0.0.0.0", port=80)
    assert serving.encoders(server, Config()) == []
    config = Config(ingest=IngestConfig(paths=("live", "tv/news")))
    assert serving.encoders(server, config) == [
        (
            "Encoders",
            "http://localhost:80/ingest/live/, http://localhost:80/ingest/tv/news/ with a token: "
            "p2pcdn token ingest",
        )
    ]


def test_the_snippet_names_the_server_and_the_site() -> None:
    server = Server([], host="0.0.0.0", port=80)
    assert serving.snippet(server, Config(site="shop")) == (
        '<script defer src="http://localhost:80/p2pcdn.js" data-site="shop"></script>'
    )


def test_the_link_to_the_dashboard_has_the_token_where_one_is_needed(tmp_path: Path) -> None:
    server = Server([], host="127.0.0.1", port=80)
    config = Config(listen="127.0.0.1:80", data=tmp_path)
    assert serving.dashboard(server, config) == "http://127.0.0.1:80/dashboard/"
    config = Config(listen="0.0.0.0:80", data=tmp_path)
    token = Admin(config).token
    assert serving.dashboard(server, config) == f"http://127.0.0.1:80/dashboard/?token={token}"


async def test_what_was_set_up_is_left_alone_by_the_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled = asyncio.Event()
    monkeypatch.setattr(serving, "settle", settled.set)
    server = Server([], host="127.0.0.1", port=0)
    running = asyncio.create_task(serving._serve(server, lambda _: []))
    await asyncio.wait_for(settled.wait(), 10)
    running.cancel()
    await asyncio.wait([running])


def test_the_tag_is_for_viewers_where_their_address_is_known() -> None:
    server = Server([], host="0.0.0.0", port=80)
    config = Config(listen="0.0.0.0:80")
    (label, hint) = serving.tags(server, config)[-1]
    assert (label, "this machine's name in place of localhost" in hint) == ("", True)
    assert "Snippet" in dict(serving.tags(server, Config(listen="127.0.0.1:80")))
    assert "" not in dict(serving.tags(server, Config(listen="127.0.0.1:80")))
    urls = ("https://cdn.example/", "https://other.example")
    config = Config(listen="0.0.0.0:80", origin=OriginConfig(urls=urls))
    lines = dict(serving.tags(server, config))
    assert 'src="https://cdn.example/p2pcdn.js"' in lines["Snippet"]
    assert 'src="https://cdn.example/p2pcdn.' in lines["Pinned"]
    assert "" not in lines


def test_what_is_served_is_said() -> None:
    server = Server([], host="127.0.0.1", port=80)
    elsewhere = (ElsewhereConfig(prefix="https://cdn.example/films/"),)
    manifests = (
        "Manifests",
        "http://127.0.0.1:80/manifest/ of media at https://cdn.example/films/",
    )
    config = Config(elsewhere=elsewhere)
    assert serving.content_of(config) == ""
    assert serving.media(server, config, "") == [manifests]
    assert serving.media(server, config, "videos") == [
        ("Media", "http://127.0.0.1:80/media/ from videos"),
        manifests,
    ]
