"""Tokens of encoders."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from origin.http_error import HttpError
from origin.ingest.access import FILE, Access, first_token, token_for
from p2pcdn.config import Config, IngestConfig

FIRST = "0123456789abcdef"
FOLDERS = ("live", "tv/news")


def status(authorization: str, path: str = "live/0.ts", now: float = 1000.0) -> int:
    try:
        Access(FIRST, FOLDERS, lambda: now).check(authorization, path)
    except HttpError as error:
        return error.status
    return 201


def basic(password: str, user: str = "") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_the_first_token_is_good_for_all_folders_and_no_others() -> None:
    for path in ("live/0.ts", "live/a/b/0.ts", "tv/news/0.ts"):
        assert status(f"Bearer {FIRST}", path) == 201
        assert status(f"bearer {FIRST}", path) == 201
        assert status(basic(FIRST), path) == 201
        assert status(basic(FIRST, "anybody"), path) == 201
    for path in ("0.ts", "live", "lively/0.ts", "tv/0.ts", "tv/newsroom/0.ts"):
        assert status(f"Bearer {FIRST}", path) == 403


def test_another_is_good_for_its_folder_alone() -> None:
    token = token_for(FIRST, "live/show")
    assert status(f"Bearer {token}", "live/show/0.ts") == 201
    assert status(basic(token), "live/show/0.ts") == 201
    for path in ("live/0.ts", "live/showing/0.ts", "tv/news/0.ts"):
        assert status(f"Bearer {token}", path) == 403
    # Nor for what the settings do not name.
    assert status(f"Bearer {token_for(FIRST, 'films')}", "films/0.ts") == 403


def test_and_until_its_time_is_over() -> None:
    token = token_for(FIRST, "live", 1000)
    assert status(f"Bearer {token}", now=999.9) == 201
    assert status(f"Bearer {token}", now=1000.0) == 401


def test_nobody_makes_one_without_the_first() -> None:
    folder, expires, mac = token_for(FIRST, "live/show", 2000).split(".")
    assert status(f"Bearer {folder}.{expires}.{mac}", "live/show/0.ts") == 201
    other = token_for(FIRST, "live").split(".")[0]
    for forged in (
        f"{other}.{expires}.{mac}", f"{folder}.0.{mac}", f"{folder}.9999.{mac}",
        f"{folder}.02000.{mac}0", f"{folder}.{expires}.", f"..{mac}", f".{expires}.{mac}",
        f"{folder}.-1.{mac}", f"{folder}.{'9' * 13}.{mac}", f"_w.{expires}.{mac}",
        token_for("another-token-16", "live/show", 2000),
    ):  # fmt: skip
        assert status(f"Bearer {forged}", "live/show/0.ts") == 401, forged


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Bearer {FIRST}x", f"Bearer {FIRST[:-1]}", FIRST, f"Token {FIRST}",
     "Basic", "Basic ~", basic(""), "Basic " + b64encode(FIRST.encode()).decode(),
     "Basic " + b64encode(b"\xff:\xff").decode(), "Bearer \xe9"],
)  # fmt: skip
def test_nothing_else_is_good(authorization: str) -> None:
    assert status(authorization) == 401


def test_what_is_refused_is_told_which_ways_there_are() -> None:
    with pytest.raises(HttpError) as caught:
        Access(FIRST, FOLDERS).check("", "live/0.ts")
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")


def test_the_first_token_is_set_or_made(tmp_path: Path) -> None:
    assert first_token(Config(data=tmp_path, ingest=IngestConfig(token=FIRST))) == FIRST
    made = first_token(Config(data=tmp_path))
    assert made == (tmp_path / FILE).read_text().strip() == first_token(Config(data=tmp_path))
