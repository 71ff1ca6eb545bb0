"""`p2pcdn token`: keys and tokens that a tracker takes."""

from __future__ import annotations

import json
import stat
import time
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from origin.http_error import HttpError
from origin.ingest.access import Access
from p2pcdn.config import Config, SiteConfig
from p2pcdn.core.access import Sites, Visitor
from p2pcdn.model import PROTOCOL, content_id
from p2pcdn.wire.manifest import from_base64
from p2pcdn.wire.tracker import Join
from tests.p2pcdn.cli.calling import call
from tests.p2pcdn.core.minting import Signer
from tracker.sites import sites_of, verifies

VIEWER = Signer.of("viewer")
PATH = "/media/show/master.m3u8"
NONCE = "0" * 32

Capture = pytest.CaptureFixture[str]


def new_key(capsys: Capture, file: Path) -> str:
    """Make a key; the public one as it was printed."""
    called = call(capsys, "token", "new-key", str(file))
    assert called.code == 0
    table = called.out.partition("\n\n")[2]
    (key,) = tomllib.loads(table)["sites"]["NAME"]["keys"]
    return str(key)


def claims_of(token: str) -> Any:
    return json.loads(from_base64(token.split(".")[1]) or b"")


def test_a_token_lets_its_viewer_in(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    key = new_key(capsys, file)
    said = SiteConfig(keys=(key,), origins=("https://www.example.com",))
    sites = Sites(sites_of(Config(sites={"shop": said})), verifies)
    words = ["--site", "shop", "--content", PATH, "--key", str(file)]
    called = call(capsys, "token", *words, "--cnf", VIEWER.thumbprint)
    assert (called.code, called.err) == (0, "")
    token, content = called.out.strip(), content_id("shop", PATH)
    shown = VIEWER.credentials(NONCE, "shop", content, token)
    join = Join(PROTOCOL, "shop", content, "browser", True, credentials=shown)
    admitted = sites.admit(join, Visitor(NONCE, "https://www.example.com"), time.time())
    assert 100 < (admitted.lasts(time.time()) or 0) <= 130 + 1


def test_a_key_is_for_its_owner_alone_and_never_written_over(
    capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "site.pem"
    new_key(capsys, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    called = call(capsys, "token", "new-key", str(file))
    assert called.code == 2
    assert "is there already" in called.err
    assert file.read_bytes() == before


def test_all_that_a_token_can_say(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "site.pem"
    new_key(capsys, file)
    called = call(
        capsys, "token", "--site", "shop", "--content", "/media/", "--key", str(file),
        "--origin", "https://a.example", "--origin", "https://b.example", "--client", "native",
        "--ttl", "300", "--jti", "user-7", "--cnf", VIEWER.thumbprint,
    )  # fmt: skip
    claims = claims_of(called.out)
    assert claims["exp"] - claims.pop("iat") == 300
    claims.pop("exp")
    assert claims == {
        "iss": "shop",
        "content": "/media/",
        "jti": "user-7",
        "origins": ["https://a.example", "https://b.example"],
        "client": "native",
        "cnf": {"jkt": VIEWER.thumbprint},
    }


def test_each_token_has_an_id_of_its_own_and_says_so_if_it_is_bound_to_nobody(
    capsys: Capture, tmp_path: Path
) -> None:
    file = tmp_path / "site.pem"
    new_key(capsys, file)
    words = ["token", "--site", "shop", "--content", PATH, "--key", str(file)]
    first, second = call(capsys, *words), call(capsys, *words)
    assert claims_of(first.out)["jti"] != claims_of(second.out)["jti"]
    assert "without --cnf whoever sees the token can use it" in first.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "A token needs --site, --content and --key."),
        (["--content", ""], "No tracker would take that: the token has no content"),
        (["--content", "show"], "neither an id nor a URL"),
        (["--cnf", "short"], "has no jkt"),
        (["--origin", "www.example.com"], "an origin that is not like https://www.example.com"),
        (["--origin", "https://www.example.com/"], "not like https://www.example.com"),
        (["--jti", "a b"], "has no jti"),
        (["--ttl", "301"], "301 is not in the range 1<=x<=300"),
        (["--client", "robot"], "'robot' is not one of 'browser', 'native'"),
    ],
)
def test_what_is_wrong_is_said(
    capsys: Capture, tmp_path: Path, words: list[str], said: str
) -> None:
    file = tmp_path / "site.pem"
    new_key(capsys, file)
    if words:
        words = ["--site", "shop", "--content", PATH, "--key", str(file), *words]
    called = call(capsys, "token", *words)
    assert called.code == 2
    assert said in called.err
    assert called.out == ""


def test_a_key_that_is_none(capsys: Capture, tmp_path: Path) -> None:
    words = ["token", "--site", "shop", "--content", PATH, "--key"]
    none = tmp_path / "none.pem"
    assert f"`p2pcdn token new-key {none}` makes one" in call(capsys, *words, str(none)).err
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("secret")
    assert "is no private key of P-256" in call(capsys, *words, str(wrong)).err
    # A key of a kind (1.3.101.122) that nobody knows.
    body = "MC4CAQAwBQYDK2V6BCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    wrong.write_text(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    assert "is no private key of P-256" in call(capsys, *words, str(wrong)).err


def test_tokens_for_encoders(capsys: Capture, tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--set", "ingest.paths=live"]
    first = call(capsys, "token", "ingest", *words)
    assert first.code == 0
    assert f"there was none in {tmp_path}, so one was made" in first.err
    assert call(capsys, "token", "ingest", *words) == (0, first.out, "")
    show = call(capsys, "token", "ingest", "live/show", *words).out.strip()
    brief = call(capsys, "token", "ingest", "live/show", "--ttl", "60", *words).out.strip()
    for token, path, late, good in (
        (first.out.strip(), "live/0.ts", 0.0, True),
        (show, "live/show/0.ts", 1e6, True),
        (show, "live/0.ts", 0.0, False),
        (brief, "live/show/0.ts", 30.0, True),
        (brief, "live/show/0.ts", 61.0, False),
    ):
        now = time.time() + late
        access = Access(first.out.strip(), ["live"], lambda now=now: now)  # type: ignore[misc]
        with nullcontext() if good else pytest.raises(HttpError):
            access.check(f"Bearer {token}", path)


def test_and_none_for_what_is_no_folder_of_theirs(capsys: Capture, tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--set", "ingest.paths=live"]
    called = call(capsys, "token", "ingest", "films", *words)
    assert called.code == 2
    assert "in no folder into which encoders may put anything (ingest.paths): live." in called.err
    called = call(capsys, "token", "ingest", "--ttl", "60", *words)
    assert called.code == 2
    assert "has no end" in called.err


def test_nor_where_nobody_may_put_anything(capsys: Capture, tmp_path: Path) -> None:
    called = call(capsys, "token", "ingest", "--data", str(tmp_path / "new"))
    assert (called.code, called.out) == (2, "")
    assert "Encoders may put nothing anywhere: ingest.paths has no folder" in called.err
    assert not (tmp_path / "new").exists()
