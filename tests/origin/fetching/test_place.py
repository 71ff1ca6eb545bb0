"""A place on another server, and what is below it."""

from __future__ import annotations

import pytest
from yarl import URL

from origin.fetching.place import Place
from p2pcdn.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("https://cdn.example/films/", "https://cdn.example/films/"),
        ("https://cdn.example/films", "https://cdn.example/films/"),
        ("HTTP://CDN.Example", "http://cdn.example/"),
        ("http://[2001:db8::1]:8080/a%20b", "http://[2001:db8::1]:8080/a%20b/"),
    ],
)
def test_what_an_operator_names(text: str, base: str) -> None:
    assert str(Place.parse(text).base) == base


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ftp://a/", "begins with http:// or https:// and a host"),
        ("http://", "and a host"),
        ("http:///films/", "and a host"),
        ("http://a:99999/", "and a host"),
        ("http://[::1/", "and a host"),
        ("http://user:word@a/", "no name and no password"),
        ("http://user@a/", "no name and no password"),
        ("http://a/?x=1", "no query"),
        ("http://a/?", "no query"),
        ("http://a/#x", "no fragment"),
        ("http://a/x%2f..%2fy/", "has a path without"),
        ("http://a/x\\y/", "has a path without"),
    ],
)
def test_what_is_no_place(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Place.parse(text)


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("a.ts", "https://cdn.example/films/a.ts"),
        ("show/720p/1.m4s", "https://cdn.example/films/show/720p/1.m4s"),
        ("ü ?#%41+&=:@", "https://cdn.example/films/%C3%BC%20%3F%23%2541%2B%26%3D%3A%40"),
        ("http://evil.example/x", "https://cdn.example/films/http%3A//evil.example/x"),
    ],
)
def test_paths_are_appended(path: str, url: str) -> None:
    place = Place.parse("https://cdn.example/films/")
    assert str(place.url_of(path)) == url
    assert place.holds(place.url_of(path))


@pytest.mark.parametrize("path", ["../a", "a/../../b", "a\\b", "a\0b", "./a", "a/..", "a\nb"])
def test_nothing_leads_out(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a file"):
        Place.parse("https://cdn.example/films/").url_of(path)


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/films/a",
        "https://cdn.example:8443/films/a",
        "https://cdn.example.evil.example/films/a",
        "https://cdn.example./films/a",
        "https://evil.example/films/a",
        "https://user@cdn.example/films/a",
        "https://cdn.example@evil.example/films/a",
        "https://cdn.example/other/a",
        "https://cdn.example/films",
        "https://cdn.example/films/../a",
        "https://cdn.example/films/%2e%2e/a",
        "https://cdn.example/films/.%2E/a",
        "https://cdn.example/films/x%2f..%2f..%2fa",
        "https://cdn.example/films/..\\a",
        "https://cdn.example/films/..%5Ca",
        "https://cdn.example/Films/a",
        "//evil.example/films/a",
        "/films/a",
    ],
)
def test_what_is_elsewhere(url: str) -> None:
    assert not Place.parse("https://cdn.example/films/").holds(URL(url, encoded=True))


@pytest.mark.parametrize("url", ["a", "a?token=1", "a/b", "?x", "a%20b", "...", "a..b"])
def test_what_is_below(url: str) -> None:
    place = Place.parse("https://cdn.example/films/")
    assert place.holds(URL(f"https://cdn.example/films/{url}", encoded=True))
    assert place.holds(URL(f"https://CDN.example:443/films/{url}"))
