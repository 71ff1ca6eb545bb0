"""Who may see the figures, and who may not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.errors import ConfigError
from p2pcdn.service.admin import COOKIE, FILE, Admin, is_loopback

TOKEN = "0123456789abcdef"


def admin_of(data: Path, listen: str = "127.0.0.1:80", token: str | None = None) -> Admin:
    return Admin(Config(listen=listen, data=data, tracker=TrackerConfig(admin_token=token)))


def request(**headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/", {"Host": "127.0.0.1:80", **named})


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:80", "127.8.9.10:80", "[::1]:80", "localhost:80", "a.localhost:0"]
)
def test_who_is_at_this_machine_comes_in(tmp_path: Path, listen: str) -> None:
    guard = admin_of(tmp_path, listen)
    assert guard.allows(request())
    assert guard.link("http://x") == "http://x/dashboard/"
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "[::]:80", ":80", "192.0.2.1:80", "localhost.example:80", "127.1:80"]
)
def test_where_others_reach_it_a_token_is_needed(tmp_path: Path, listen: str) -> None:
    guard = admin_of(tmp_path, listen)
    assert not guard.allows(request())
    assert guard.allows(request(Authorization=f"Bearer {guard.token}"))


@pytest.mark.parametrize(
    "name",
    ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "x-forwarded-host",
     "X-FORWARDED-ANYTHING"],
)  # fmt: skip
def test_what_comes_through_a_proxy_comes_from_outside(tmp_path: Path, name: str) -> None:
    guard = admin_of(tmp_path)
    assert not guard.allows(request(**{name: ""}))
    assert guard.allows(request(**{name: "", "Authorization": f"Bearer {guard.token}"}))


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "10.0.0.1"]
)
def test_a_page_that_calls_this_machine_by_its_own_name_does_not_come_in(
    tmp_path: Path, host: str
) -> None:
    assert not admin_of(tmp_path).allows(request(Host=host))


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "[::1]:80", "127.0.0.1"])
def test_this_machine_has_several_names(tmp_path: Path, host: str) -> None:
    assert admin_of(tmp_path).allows(request(Host=host))


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x",
     f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN.upper()}"],
)  # fmt: skip
def test_no_other_token_is_the_token(tmp_path: Path, given: str) -> None:
    guard = admin_of(tmp_path, token=TOKEN)
    assert not guard.allows(request(Authorization=given))
    assert not guard.allows(request(Cookie=f"{COOKIE}={TOKEN}"))  # nor is the token a cookie
    assert not guard.knows("\udcff")
    assert guard.allows(request(Authorization=f"bearer  {TOKEN} "))


def test_a_token_that_is_set_is_always_needed(tmp_path: Path) -> None:
    guard = admin_of(tmp_path, token=TOKEN)
    assert not guard.allows(request())
    assert guard.link("http://x") == f"http://x/dashboard/?token={TOKEN}"
    assert (
        admin_of(tmp_path, token="a&b=c#d+e%f/0123")
        .link("")
        .endswith("?token=a%26b%3Dc%23d%2Be%25f%2F0123")
    )
    assert not (tmp_path / FILE).exists()


def test_a_browser_is_let_in_by_its_cookie(tmp_path: Path) -> None:
    guard = admin_of(tmp_path, ":80")
    response = web.Response()
    guard.enter(request(), response)
    cookie = response.cookies[COOKIE]
    assert guard.allows(request(Cookie=f"{COOKIE}={cookie.value}"))
    assert not guard.allows(request(Cookie=f"{COOKIE}={cookie.value[:-1]}"))
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", False)
    assert guard.token not in cookie.value
    # Whoever has another token has another cookie.
    assert not admin_of(tmp_path, token=TOKEN).allows(request(Cookie=f"{COOKIE}={cookie.value}"))


def test_over_https_the_cookie_stays_there(tmp_path: Path) -> None:
    response = web.Response()
    admin_of(tmp_path, ":80").enter(request(X_Forwarded_Proto="https"), response)
    assert response.cookies[COOKIE]["secure"] is True


def test_the_token_is_made_once_and_for_nobody_else_to_read(tmp_path: Path) -> None:
    data = tmp_path / "not" / "yet"
    token = admin_of(data, ":80").token
    assert len(token) >= 43
    assert stat.S_IMODE((data / FILE).stat().st_mode) == 0o600
    assert [path.name for path in data.iterdir()] == [FILE]
    assert admin_of(data, ":80").token == token
    assert admin_of(tmp_path, ":80").token != token


@pytest.mark.parametrize("text", ["", "short", "x" * 15, "naïve" * 10, "a\0b" * 10])
def test_a_file_without_a_token_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="has to hold a token of 16 characters"):
        assert admin_of(tmp_path, ":80").token


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigError, match=r"The admin token in .* cannot be used"):
        assert admin_of(tmp_path, ":80").token
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be used"):
        assert admin_of(tmp_path / "file", ":80").token


async def test_who_is_refused_hears_how_to_get_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="figures")

    guard = admin_of(tmp_path, ":80")
    for _ in range(3):
        refused = await guard.guarded(handler)(request())
        assert isinstance(refused, web.Response)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert str(tmp_path) not in (refused.text or "")
        assert "Authorization: Bearer" in (refused.text or "")
    said = capsys.readouterr().out
    assert said.count("admin_token_needed") == 1
    assert str(tmp_path / FILE) in said
    assert guard.token not in said


@pytest.mark.parametrize("host", ["", "example.com", "localhostess", "fe80::1%lo", "10.0.0.1"])
def test_what_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)
    assert is_loopback("::1")
