"""Paths of requests: no way out of the tree, and a clear word to whoever tries."""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.http_error import HttpError
from origin.paths import address_of, media_path, path_below, resolve

NOT_FOUND = [
    "",
    ".",
    "..",
    "../secret",
    "a/../../secret",
    "a/..",
    "a/./b",
    "%2e%2e/secret",
    "%2E%2E/secret",
    ".%2e/secret",
    "a/%2e%2e/%2e%2e/secret",
    "/etc/passwd",
    "//etc/passwd",
    "a//b",
    "a/",
    ".git/config",
    "a/.hidden",
    "a/%2ehidden",
    "...",
]

MALFORMED = [
    "%00",
    "a%00.ts",
    "a%0a",
    "a%7f",
    "a\\b",
    "..\\secret",
    "..%5csecret",
    "..%5Csecret",
    "..%2fsecret",
    "..%2Fsecret",
    "a%2f..%2f..%2fsecret",
    "%",
    "a%2",
    "a%zz",
    "%u002e%u002e/secret",
    "%c0%ae%c0%ae/secret",  # overlong: two dots in what is not UTF-8
    "%e0%80%ae/secret",
    "%ff",
    "%ed%a0%80",  # a lone surrogate
]


@pytest.mark.parametrize("raw", NOT_FOUND)
def test_not_found(raw: str) -> None:
    with pytest.raises(HttpError, match=r"There is no file at") as caught:
        media_path(raw)
    assert caught.value.status is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("raw", MALFORMED)
def test_malformed(raw: str) -> None:
    with pytest.raises(HttpError) as caught:
        media_path(raw)
    assert caught.value.status is HTTPStatus.BAD_REQUEST
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("a.ts", "a.ts"),
        ("demo/480p.m3u8", "demo/480p.m3u8"),
        ("my%20show/%C3%BCber.ts", "my show/\u00fcber.ts"),
        ("\u00fcber.ts", "\u00fcber.ts"),
        ("a..b/c..ts", "a..b/c..ts"),
        ("%252e%252e/a", "%2e%2e/a"),  # decoded once, and no more
        ("a+b", "a+b"),
        ("~a", "~a"),
    ],
)
def test_found(raw: str, path: str) -> None:
    assert media_path(raw) == path


@given(st.text(alphabet="./\\%2eEfF5cC0aA~", max_size=20) | st.text(max_size=20))
def test_nothing_leads_out(raw: str) -> None:
    try:
        path = media_path(raw)
    except HttpError:
        return
    assert not path.startswith("/")
    assert not re.search(r"(^|/)\.", path)
    assert "\\" not in path
    assert "\0" not in path
    assert all(path.split("/"))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/media/a.ts", "a.ts"),
        ("/media/a.ts?token=%2e%2e", "a.ts"),
        ("/media/a.ts#x", "a.ts"),
        ("/media/a%3Fb.ts", "a?b.ts"),
        ("http://cdn.example/media/a.ts", "a.ts"),  # absolute form (RFC 9112, 3.2.2)
    ],
)
def test_below(target: str, path: str) -> None:
    assert path_below("/media/", target) == path


@pytest.mark.parametrize("target", ["/x/../media/a.ts", "/Media/a.ts", "//media/a.ts", "*", ""])
def test_not_below(target: str) -> None:
    with pytest.raises(HttpError):
        path_below("/media/", target)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s0.ts", "show/s0.ts"),
        ("./s0.ts", "show/s0.ts"),
        ("sub/s0.ts?token=1#t", "show/sub/s0.ts"),
        ("../other/s0.ts", "other/s0.ts"),
        ("/media/other/s%201.ts", "other/s 1.ts"),
        ("s 0.ts", "show/s 0.ts"),
        ("../../s0.ts", None),
        ("../../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("/media/../etc/passwd", None),
        ("https://cdn.example/media/show/s0.ts", None),
        ("//cdn.example/media/show/s0.ts", None),
        ("file:///etc/passwd", None),
        ("data:video/mp2t;base64,AAAA", None),
        ("http://[broken", None),
        ("%2e%2e/%2e%2e/etc/passwd", None),
        ("s0.ts%00", None),
    ],
)
def test_uris_of_a_playlist(uri: str, path: str | None) -> None:
    assert resolve("show/480p.m3u8", uri) == path


def test_uris_of_a_playlist_whose_own_path_needs_escapes() -> None:
    assert resolve("what? 100%/a.m3u8", "b.ts") == "what? 100%/b.ts"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("https://media.example/media/show/s0.ts?a=1", "show/s0.ts"),
        ("HTTPS://Media.Example/media/show/s0.ts", "show/s0.ts"),
        ("//media.example/media/show/s0.ts", "show/s0.ts"),
        ("https://cdn.example:8443/cdn/media/show/s0.ts", "show/s0.ts"),
        ("https://media.example/elsewhere/s0.ts", None),
        ("https://media.example.evil/media/show/s0.ts", None),
        ("https://media.example", None),
        ("https://other.example/media/show/s0.ts", None),
        ("https://cdn.example/cdn/media/show/s0.ts", None),
        ("https://media.example//evil.example/media/a.ts", None),
        ("https://media.example/media/../media/.hidden", None),
    ],
)
def test_absolute_uris_by_which_viewers_reach_us(uri: str, path: str | None) -> None:
    urls = ("https://media.example", "https://cdn.example:8443/cdn/")
    assert resolve("show/480p.m3u8", uri, urls) == path


PLAIN = st.text(alphabet="ab.-_/~%:?#1", min_size=1, max_size=8)


@given(PLAIN, st.sampled_from(["a.m3u8", "show/a.m3u8", "my show/100%/a.m3u8"]))
def test_what_is_plain_is_the_same_without_a_look_at_it(uri: str, base: str) -> None:
    whole = f"/media/{quote(base.rpartition('/')[0])}/".replace("//", "/") + uri
    if not uri.startswith("/") and ":" not in uri.partition("/")[0] and uri[0] not in "?#":
        assert resolve(base, uri) == resolve(base, whole)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s0.ts", "https://cdn.example/a/s0.ts"),
        ("s0.ts;q=1", "https://cdn.example/a/s0.ts;q=1"),
        ("https://cdn.example/b/s0.ts", "https://cdn.example/b/s0.ts"),
        ("nowhere:", None),
        ("http://[broken", None),
    ],
)
def test_uris_of_a_playlist_elsewhere(uri: str, path: str | None) -> None:
    assert resolve("https://cdn.example/a/480p.m3u8;q=1", uri) == path


def test_what_a_content_is_named_by() -> None:
    assert address_of("a/480p.m3u8") == "/media/a/480p.m3u8"
    assert address_of("https://cdn.example/a.m3u8") == "https://cdn.example/a.m3u8"


def test_no_path_is_the_name_of_something_elsewhere() -> None:
    with pytest.raises(HttpError):
        media_path("https://cdn.example/a.m3u8")
