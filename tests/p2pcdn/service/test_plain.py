"""What is plain, and that aiohttp reads it in the same way."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcdn.service import plain
from p2pcdn.service.plain import MOST_BYTES, is_whole, read

PLAIN = (
    b"GET /media/a.ts?x=1 HTTP/1.1\r\nHost: x\r\nRange:bytes=0-1 \r\nConnection: Keep-Alive\r\n\r\n"
)


def test_a_plain_request() -> None:
    request = read(PLAIN + b"GET", 64)
    assert request is not None
    assert (request.method, request.target, request.size) == ("GET", "/media/a.ts?x=1", len(PLAIN))
    assert request.headers["range"] == "bytes=0-1"
    assert is_whole(PLAIN * 3, 64)
    assert is_whole(b"", 64)


def changed(old: bytes, new: bytes) -> bytes:
    assert old in PLAIN
    return PLAIN.replace(old, new, 1)


ODD = {
    "half of it": PLAIN[:-1],
    "another method": changed(b"GET", b"POST"),
    "a method in small letters": changed(b"GET", b"get"),
    "HTTP/1.0": changed(b"/1.1", b"/1.0"),
    "HTTP/1.10": changed(b"/1.1", b"/1.10"),
    "no version": changed(b" HTTP/1.1", b""),
    "an absolute target": changed(b"/media", b"http://x/media"),
    "a fragment": changed(b"?x", b"#x"),
    "a space in the target": changed(b"a.ts", b"a .ts"),
    "a byte above ASCII in the target": changed(b"a.ts", b"\xe4.ts"),
    "a line feed alone": changed(b"Host: x\r\n", b"Host: x\n"),
    "a carriage return alone": changed(b"Host: x", b"Host: x\ry"),
    "an empty line first": b"\r\n" + PLAIN,
    "a space first": b" " + PLAIN,
    "a folded line": changed(b"Host: x\r\n", b"Host: x\r\n y\r\n"),
    "a space before the colon": changed(b"Host:", b"Host :"),
    "a line without a colon": changed(b"Host: x", b"Host"),
    "a header without a name": changed(b"Host: x", b"Host: x\r\n: y"),
    "a NUL": changed(b"Host: x", b"Host: x\0"),
    "a byte above ASCII": changed(b"Host: x", b"Host: \xe4"),
    "no host": changed(b"Host: x\r\n", b""),
    "two hosts": changed(b"Host: x\r\n", b"Host: x\r\nhost: x\r\n"),
    "two ranges": changed(b"Host: x\r\n", b"Host: x\r\nRANGE: bytes=1-2\r\n"),
    "a body": changed(b"Host: x\r\n", b"Host: x\r\nContent-Length: 3\r\n"),
    "a length of 0": changed(b"Host: x\r\n", b"Host: x\r\nContent-length: 0\r\n"),
    "chunks": changed(b"Host: x\r\n", b"Host: x\r\nTransfer-Encoding: chunked\r\n"),
    "another protocol": changed(b"Host: x\r\n", b"Host: x\r\nUpgrade: h2c\r\n"),
    "an expectation": changed(b"Host: x\r\n", b"Host: x\r\nExpect: 100-continue\r\n"),
    "the end": changed(b"Keep-Alive", b"close"),
    "more than to stay": changed(b"Keep-Alive", b"keep-alive, range"),
    "too large": changed(b"Host: x\r\n", b"Host: x\r\nCookie: " + b"c" * MOST_BYTES + b"\r\n"),
    "too many headers": changed(b"Host: x\r\n", b"Host: x\r\n" + b"".join(
        b"X%d: 1\r\n" % number for number in range(14)
    )),
}  # fmt: skip


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_is_odd_is_for_somebody_else(data: bytes) -> None:
    assert read(data, 16) is None
    assert not is_whole(data, 16)
    assert not is_whole(PLAIN + data, 16)


def test_as_many_headers_as_there_may_be() -> None:
    assert read(PLAIN, 3) is not None
    assert read(PLAIN, 2) is None


def test_what_is_remembered_is_bounded() -> None:
    known = plain._headers.cache_info().currsize
    line = b"a: b\r\n" * 200
    assert read(changed(b"Host: x\r\n", b"Host: x\r\n" + line), 64) is None
    assert plain._headers.cache_info().currsize == known


def test_nobody_can_change_what_others_send() -> None:
    one, other = read(PLAIN, 64), read(PLAIN.replace(b"/media", b"/other"), 64)
    assert one is not None
    assert other is not None
    assert one.headers is other.headers
    with pytest.raises(TypeError):
        one.headers["Host"] = "y"  # type: ignore[index]


NAMES = st.sampled_from(
    ["Host", "host", "Range", "If-None-Match", "Accept", "Connection", "Cookie", "Content-Length",
     "Transfer-Encoding", "X-A", "X_B", "X!#$%&'*+.^`|~", "Upgrade", "Expect"],
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "x", "keep-alive", "close", "0", "3", "chunked", "bytes=0-1", "a, b"]),
    st.text(st.characters(min_codepoint=1, max_codepoint=0xFF), max_size=6),
)
LINES = st.lists(st.tuples(NAMES, st.sampled_from([":", ": ", ":\t ", " :"]), VALUES), max_size=5)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "GE T", "get"]))
    target = draw(
        st.one_of(
            st.just("/media/a.ts"),
            st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8).map(
                "/".__add__
            ),
        )
    )
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2"]))
    end = draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]))
    lines = ["Host: x", *("".join(line) for line in draw(LINES))]
    return "".join(
        [f"{method} {target} {version}{end}", *(f"{line}{end}" for line in lines), end]
    ).encode("latin-1")


@settings(max_examples=300)
@given(requests())
def test_aiohttp_reads_the_same(data: bytes) -> None:
    request = read(data, 64)
    if request is None:
        return
    loop = asyncio.new_event_loop()
    try:
        parser: Any = HttpRequestParser(cast(Any, BaseProtocol(loop)), loop, 65_536)
        messages, upgraded, tail = parser.feed_data(data[: request.size] + PLAIN)
    finally:
        loop.close()
    (first, payload), (second, _) = messages
    assert (first.method, first.path) == (request.method, request.target)
    assert first.headers == request.headers
    assert first.version == (1, 1)
    assert not any((first.should_close, first.upgrade, first.chunked, upgraded, tail))
    assert payload.is_eof()
    assert second.path == "/media/a.ts?x=1"
