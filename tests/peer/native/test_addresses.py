"""From the URL of a content to everything else."""

from __future__ import annotations

import pytest

from p2pcdn.errors import ConfigError, SourceError
from p2pcdn.wire.tracker import Relays
from peer.native.addresses import (
    ContentAddress,
    socket_of,
    tracker_url,
    turn_servers,
)
from peer.native.transport import Relay


def test_a_content_and_what_belongs_to_it() -> None:
    address = ContentAddress.parse("https://cdn.example:8443/media/a%20show/master.m3u8?token=x")
    assert address.path == "a show/master.m3u8"
    assert address.tracker == "wss://cdn.example:8443/tracker/v1"
    assert address.manifest("a show/720p.m3u8") == (
        "https://cdn.example:8443/manifest/a%20show/720p.m3u8"
    )
    assert address.segment("a show/720p.m3u8", "720p/1.m4s") == (
        "https://cdn.example:8443/media/a%20show/720p/1.m4s"
    )
    assert address.segment("a/b.m3u8", "//other.example/1.ts") == "https://other.example/1.ts"


def test_an_origin_below_a_path() -> None:
    address = ContentAddress.parse("http://[::1]:8080/cdn/media/movie.mp4")
    assert address.origin == "http://[::1]:8080/cdn"
    assert address.tracker == "ws://[::1]:8080/cdn/tracker/v1"
    assert address.segment("movie.mp4", "movie.mp4") == "http://[::1]:8080/cdn/media/movie.mp4"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "movie.mp4",
        "ftp://cdn.example/media/movie.mp4",
        "http:///media/movie.mp4",
        "http://cdn.example/",
        "http://cdn.example/media/",
        "http://cdn.example/media/folder/",
        "http://cdn.example/other/movie.mp4",
        "http://[x/media/movie.mp4",
        "http://cdn.example:99999/media/movie.mp4",
    ],
)
def test_what_is_no_content_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\.$"):
        ContentAddress.parse(url)


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "data:,x", "http://[broken/1.ts"])
def test_a_segment_is_only_fetched_over_http(uri: str) -> None:
    address = ContentAddress.parse("http://cdn.example/media/movie.mp4")
    with pytest.raises(SourceError):
        address.segment("movie.mp4", uri)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("wss://tracker.example/tracker/v1", "wss://tracker.example/tracker/v1"),
        ("https://tracker.example", "wss://tracker.example/tracker/v1"),
        ("http://tracker.example:8080/", "ws://tracker.example:8080/tracker/v1"),
        ("ws://tracker.example/x?y=1", "ws://tracker.example/x?y=1"),
    ],
)
def test_a_tracker_by_any_of_its_urls(text: str, url: str) -> None:
    assert tracker_url(text) == url


@pytest.mark.parametrize("text", ["", "tracker.example", "udp://tracker.example:80", "http://[x"])
def test_what_is_no_tracker_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="wss://HOST/tracker/v1"):
        tracker_url(text)


def test_turn_servers_are_read_from_what_the_tracker_gives() -> None:
    urls = (
        "turn:turn.example.com",
        "turns:turn.example.com?transport=tcp",
        "turn:[2001:db8::1]:3479?transport=udp",
        "stun:stun.example.com:3478",
        "turn:a b",
    )
    assert turn_servers(Relays(urls, "1:a", "secret")) == (
        Relay("turn.example.com", 3478, "1:a", "secret"),
        Relay("turn.example.com", 5349, "1:a", "secret", "tcp", tls=True),
        Relay("2001:db8::1", 3479, "1:a", "secret"),
    )
    assert turn_servers(None) == ()


def test_the_socket_says_what_it_is_for() -> None:
    url = "wss://tracker.example/tracker/v1"
    assert socket_of(url, "c" * 32) == f"{url}/{'c' * 32}"
    for other in (f"{url}?key=1", "wss://tracker.example/elsewhere"):
        assert socket_of(other, "c" * 32) == other
