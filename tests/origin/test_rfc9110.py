"""Ranges and conditions, over a real socket, against a model of RFC 9110.

`make fuzz` asks 12,000 times and more: RFC9110_BATCHES says how many connections are used for a few
requests each, sent at once or in pieces.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcdn.config import Config
from tests.origin import rfc9110
from tests.origin.background import Background
from tests.origin.media_files import noise, write, write_vod
from tests.origin.raw import Answer, Wire, request
from tests.origin.rfc9110 import Request, Shown

BATCHES = int(os.environ.get("RFC9110_BATCHES", "200"))

FILES = {
    "/media/full.ts": noise(20),
    "/media/empty.ts": b"",
    "/media/large.mp4": noise(200_000),
    "/media/my%20show/%C3%BCber%2Cc%3F.m4s?token=%2e%2e&x=1": noise(70_000, "show"),
}
NAMES = ("full.ts", "empty.ts", "large.mp4", "my show/\u00fcber,c?.m4s")


class Site:
    """A server with some of each kind of answer."""

    def __init__(self, background: Background) -> None:
        self.background = background
        self.wire = Wire(background.server.port)
        self.shown = [self._look(target, data) for target, data in FILES.items()]
        self.shown += [self._look(target) for target in ("/media/480p.m3u8", "/manifest/480p.m3u8")]
        self.asked = 0

    def _look(self, target: str, data: bytes | None = None) -> Shown:
        [answer] = self.wire.ask([request("GET", target)])
        assert answer.status == 200
        assert data is None or answer.body == data
        dated = "last-modified" in answer.headers
        assert dated == target.startswith("/media/")
        modified = rfc9110.MODIFIED_SECONDS if dated else None
        return Shown(target, answer.body, answer.headers["etag"], modified)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("rfc9110")
    content = root / "content"
    for name, data in zip(NAMES, FILES.values(), strict=True):
        write(content / name, data)
    write_vod(content)
    for path in content.rglob("*.*"):
        os.utime(path, (rfc9110.MODIFIED_SECONDS, rfc9110.MODIFIED_SECONDS))
    background = Background(Config(content=content, data=root / "data"))
    found = Site(background)
    yield found
    found.wire.close()
    background.close()


@st.composite
def batches(draw: st.DrawFn, shown: list[Shown]) -> list[tuple[Request, Shown]]:
    """Some requests of one connection."""
    chosen = draw(st.lists(st.sampled_from(shown), min_size=1, max_size=4))
    return [(draw(rfc9110.requests(len(each.data))), each) for each in chosen]


def check(asked: Request, shown: Shown, answer: Answer) -> None:
    wanted = rfc9110.expected(asked, shown)
    headers = answer.headers
    assert answer.status == wanted.status
    assert headers.get("content-range") == wanted.content_range
    assert headers["access-control-allow-origin"] == "*"
    if wanted.status in (200, 206):
        assert answer.body == wanted.body
        length = len(wanted.body) if wanted.length is None else wanted.length
        assert headers["content-length"] == str(length)
        assert headers["accept-ranges"] == "bytes"
        assert headers["content-type"]
    # 15.4.5: what a 200 would have said of these, a 304 says as well.
    if wanted.status != 416:
        dated = shown.modified is not None
        assert headers.get("last-modified") == (rfc9110.MODIFIED if dated else None)
        assert headers["cache-control"]
    assert headers["etag"] == shown.etag


@settings(
    max_examples=BATCHES,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_ranges_and_conditions_are_as_the_rfc_has_them(site: Site, data: st.DataObject) -> None:
    batch = data.draw(batches(site.shown))
    sent = [
        request(
            asked.method,
            shown.target,
            [(name, value.replace("ETAG", shown.etag)) for name, value in asked.lines],
        )
        for asked, shown in batch
    ]
    size = len(b"".join(sent))
    pieces = data.draw(st.lists(st.integers(0, size), max_size=2))
    site.wire.close()  # what hypothesis repeats must not depend on what was before
    answers = site.wire.ask(sent, pieces)
    assert len(answers) == len(batch)
    for (asked, shown), answer in zip(batch, answers, strict=True):
        check(asked, shown, answer)
    site.asked += len(batch)


def test_some_hundreds_were_asked(site: Site) -> None:
    """The model is not asked by a generator that gives up early."""
    assert site.asked >= 2 * BATCHES
