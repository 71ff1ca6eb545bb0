"""Canonical URLs: one for all tokens, none for what is not allowed."""

from __future__ import annotations

import os
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.elsewhere.places import LONGEST_NAME, LONGEST_URL, NotAllowedError, Place, Places
from p2pcdn.config import ElsewhereConfig
from p2pcdn.errors import ConfigError

FILMS = "https://cdn.example/films/"
EXAMPLES = int(os.environ.get("P2PCDN_TEST_EXAMPLES", "200"))

places = Places(
    [
        ElsewhereConfig(prefix=FILMS, mirrors=("http://other.example:8080/",), query=("quality",)),
        ElsewhereConfig(prefix="https://tokens.example/vod/", token="/hdnts=[^/]*"),
        ElsewhereConfig(prefix="http://[::1]:9000/"),
    ]
)


def name_of(url: str) -> str:
    return places.find(url).name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{FILMS}a/index.m3u8", f"{FILMS}a/index.m3u8"),
        (f"{FILMS}a.m3u8?token=1&Expires=2#t=3", f"{FILMS}a.m3u8"),
        (f"{FILMS}a.m3u8?token=1&quality=720&x=", f"{FILMS}a.m3u8;quality=720"),
        (f"{FILMS}a.m3u8?quality=a%2fb;c", f"{FILMS}a.m3u8;quality=a%2Fb%3Bc"),
        ("HTTPS://CDN.Example:443/films/a.m3u8", f"{FILMS}a.m3u8"),
        (f"{FILMS}%61%7eb%20c%c3%a9.m3u8", f"{FILMS}a~b%20c%C3%A9.m3u8"),
        ("http://other.example:8080/a.m3u8?token=7", f"{FILMS}a.m3u8"),
        (
            "https://tokens.example/hdnts=exp=1~acl=%2F*/vod/a.m3u8",
            "https://tokens.example/vod/a.m3u8",
        ),
        ("https://tokens.example/vod/hdnts=2/a.m3u8", "https://tokens.example/vod/a.m3u8"),
        ("http://[::1]:9000/a.m3u8", "http://[::1]:9000/a.m3u8"),
    ],
)
def test_names(url: str, name: str) -> None:
    assert name_of(url) == name


def test_a_place_keeps_what_lets_its_bearer_in_for_the_way_there() -> None:
    place = places.find("https://tokens.example:443/hdnts=abc/vod/a.m3u8?sig=%2f+x")
    assert place.url == "https://tokens.example/hdnts=abc/vod/a.m3u8?sig=%2f+x"
    assert (place.bare, place.query) == (place.url.partition("?")[0], "?sig=%2f+x")
    assert Place("n", "https://a.example/x").query == ""


HOSTILE = [
    "",
    "x",
    "/films/a.m3u8",
    "//cdn.example/films/a.m3u8",
    "https:/films/a",
    "https:films/a",
    "ftp://cdn.example/films/a",
    "file:///films/a",
    "javascript:alert(1)",
    "data:,x",
    "https://",
    "https:///films/a.m3u8",
    "https://cdn.example",
    f" {FILMS}a",
    f"{FILMS}a b",
    f"{FILMS}a\n",
    f"{FILMS}a\0",
    f"{FILMS}é.m3u8",
    f"\ufeff{FILMS}a",
    "https://cdn.example/films",
    FILMS,
    "https://cdn.example/filmsx/a",
    "https://cdn.example/Films/a",
    "https://cdn.example/a",
    "http://cdn.example/films/a",
    "https://cdn.example:444/films/a",
    "https://cdn.example:80/films/a",
    "https://cdn.example:/films/a",
    "https://cdn.example:0443/films/a",
    "https://cdn.example:443x/films/a",
    "https://cdn.example./films/a",
    "https://.cdn.example/films/a",
    "https://cdn.example.evil.example/films/a",
    "https://evil.example/films/a",
    "https://evilcdn.example/films/a",
    "https://cdn.example@evil.example/films/a",
    "https://me@cdn.example/films/a",
    "https://me:secret@cdn.example/films/a",
    "https://@cdn.example/films/a",
    "https://cdn.example%40evil.example/films/a",
    "https://cdn%2Eexample/films/a",
    "https://cdn.example%00/films/a",
    "https://cdn.example\\@evil.example/films/a",
    "https://cdn.example\\films\\a",
    "https:\\\\cdn.example/films/a",
    "https://evil.example?https://cdn.example/films/a",
    "https://evil.example#https://cdn.example/films/a",
    "https://cdn.example#/films/a",
    "https://cdn.example?/films/a",
    "https://cdn.example;/films/a",
    "https://127.0.0.1/films/a",
    "https://[::ffff:127.0.0.1]/films/a",
    "https://0x7f000001/films/a",
    "https://cdn.example,evil.example/films/a",
    "https://cdn\u3002example/films/a",
    "https://\uff43dn.example/films/a",
    f"{FILMS}../secret",
    f"{FILMS}a/../../secret",
    f"{FILMS}./a",
    f"{FILMS}a/.",
    f"{FILMS}a/..",
    f"{FILMS}..",
    f"{FILMS}%2e%2e/secret",
    f"{FILMS}%2E./secret",
    f"{FILMS}.%2e/secret",
    f"{FILMS}%2e/a",
    f"{FILMS}%252e%252e/secret",
    f"{FILMS}%25%32%65%25%32%65/secret",
    f"{FILMS}..%2fsecret",
    f"{FILMS}..%2Fsecret",
    f"{FILMS}a%2fb",
    f"{FILMS}a%5cb",
    f"{FILMS}..%5csecret",
    f"{FILMS}..\\secret",
    f"{FILMS}a\\b",
    f"{FILMS}..;/secret",
    f"{FILMS}a;x=1/b",
    f"{FILMS}..%3b/secret",
    f"{FILMS}a;quality=720",
    f"{FILMS}/a",
    f"{FILMS}a//b",
    f"{FILMS}a/",
    "https://cdn.example//films/a",
    "https://cdn.example/x/../films/a",
    "https://cdn.example/films/..%c0%afsecret/%2e%2e/x",
    f"{FILMS}a%0ab",
    f"{FILMS}a%00",
    f"{FILMS}%7f",
    f"{FILMS}a%",
    f"{FILMS}a%4",
    f"{FILMS}a%zz",
    f"{FILMS}a%u002e",
    f"{FILMS}" + "a" * LONGEST_NAME,
    FILMS + "?" + "a" * LONGEST_URL,
    f"{FILMS}a?quality=" + "7" * LONGEST_NAME,
    "https://tokens.example/hdnts=1/../vod/a",
    "https://tokens.example/hdnts=1%2F%2e%2e/%2e%2e/vod/a",
    "https://tokens.example/hdnts=\\/vod/a",
    "https://tokens.example/hdnts=1//vod/a",
    "https://tokens.example/vod/x%2Fa",
    "https://tokens.example/hdnts=1",
    "https://tokens.example/vod/hdnts=1",
    "http://[::1]/a",
    "http://[::1]:9001/a",
    "http://::1:9000/a",
    "http://[::1%25eth0]:9000/a",
    "http://[0::1]:9000/a",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_what_is_not_allowed_has_none(url: str) -> None:
    with pytest.raises(NotAllowedError) as error:
        places.find(url)
    assert str(error.value).endswith(".")
    assert "cdn" not in str(error.value)


TRICKS = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "/",
            "//",
            ".",
            "..",
            ";",
            "\\",
            "@",
            ":",
            "?",
            "#",
            "%",
            "%2e",
            "%2E",
            "%2f",
            "%5c",
            "%25",
            "%00",
            "~",
            "é",
            "quality=1",
            "token=x",
            "&",
            "films/",
            "cdn.example",
            "evil.example",
            "https://",
            ":443",
            ":80",
        ]
    ),
    max_size=12,
).map("".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(head=st.sampled_from([FILMS, "https://cdn.example", "https://", "", "//"]), tail=TRICKS)
def test_whatever_is_asked_for_is_below_the_prefix_or_refused(head: str, tail: str) -> None:
    try:
        place = places.find(head + tail)
    except NotAllowedError:
        return
    for url in (place.name, place.url):
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.username) == ("https", "cdn.example", None)
        assert parts.path.startswith("/films/")
        assert urlsplit(urljoin(url, parts.path)).path == parts.path  # no dots to be resolved
    assert "?" not in place.name
    assert "token" not in place.name.partition(";")[2]
    # The name is that of a place itself, and its own.
    if ";" not in place.name:
        assert places.find(place.name).name == place.name


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    path=st.from_regex(r"[a-z]([a-z/]?[a-z0-9~%]){0,3}", fullmatch=True),
    tokens=st.lists(TRICKS, min_size=2, max_size=2),
)
def test_two_tokens_are_one_content(path: str, tokens: list[str]) -> None:
    names = set()
    for token in tokens:
        query = "".join(c for c in token if c.isascii()).replace("quality", "q")
        try:
            names.add(name_of(f"{FILMS}{path}?{query}"))
        except NotAllowedError:
            names.add("")
    assert len(names) == 1


@pytest.mark.parametrize(
    "prefix",
    [
        "https://cdn.example//films/",
        "https://cdn.example/../",
        "https://cdn.example/a%2Fb/",
        "https://cdn.example./",
        "https://cdn.example/%zz/",
        "https://cdn.example:x/",
    ],
)
def test_a_prefix_that_no_url_can_have_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"elsewhere\.prefix is a URL such as"):
        Places([ElsewhereConfig(prefix=prefix)])


def test_the_longer_prefix_goes_first() -> None:
    both = Places(
        [
            ElsewhereConfig(prefix="https://cdn.example/"),
            ElsewhereConfig(prefix="https://cdn.example/live/", query=("channel",)),
        ]
    )
    assert both.find("https://cdn.example/live/a?channel=1").name.endswith(";channel=1")
    assert both.find("https://cdn.example/a?channel=1").name.endswith("/a")
    assert both
    assert not Places([])
