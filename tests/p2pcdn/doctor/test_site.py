"""End points that have something wrong, one thing each."""

from __future__ import annotations

import time
from email.utils import formatdate

import aiohttp
import pytest
from aiohttp import web

from p2pcdn.doctor import Finding, Verdict, site
from p2pcdn.doctor.site import Site, is_local, parse
from p2pcdn.errors import ConfigError
from tests.p2pcdn.doctor.servers import Handler, everything, healthy, not_good, says, serving

WRONG, DOUBT = Verdict.WRONG, Verdict.DOUBT


def dated(off: float) -> Handler:
    """A server whose clock is so many seconds off."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Date": formatdate(time.time() + off, usegmt=True)})

    return handle


async def examined(
    changes: dict[str, Handler], page: str | None = None, without: str | None = None
) -> dict[str, Finding]:
    handlers = healthy() | changes
    handlers.pop(without or "", None)
    async with serving(handlers) as url, aiohttp.ClientSession() as session:
        return await everything(Site(session, url, page).examine())


async def test_nothing_is_wrong_with_a_healthy_end_point() -> None:
    found = await examined({})
    assert not_good(found) == {}
    assert [*found] == ["reach", "ready", "secure", "snippet", "cors", "preflight", "clock"]


@pytest.mark.parametrize(
    ("way", "handler", "subject", "verdict", "word"),
    [
        ("GET /livez", says(404), "reach", WRONG, "404"),
        ("GET /readyz", says(503, "the disk\nis full"), "ready", WRONG, "the disk is full"),
        ("GET /p2pcdn.js", says(404), "snippet", WRONG, "404"),
        ("GET /p2pcdn.js", says(text="<html>", Content_Type="text/html"), "snippet", WRONG, "html"),
        ("GET /p2pcdn.js", says(Content_Type="text/javascript"), "cors", WRONG, "missing"),
        (
            "GET /p2pcdn.js",
            says(Content_Type="text/javascript", Access_Control_Allow_Origin="https://a.example"),
            "cors",
            DOUBT,
            "https://a.example",
        ),
        ("OPTIONS /media/doctor", says(405), "preflight", WRONG, "405"),
        ("OPTIONS /media/doctor", says(204), "preflight", WRONG, "nothing"),
        (
            "GET /livez",
            dated(-20),
            "clock",
            DOUBT,
            "apart",
        ),
        (
            "GET /livez",
            dated(900),
            "clock",
            WRONG,
            "apart",
        ),
        ("GET /livez", says(Date="soon"), "clock", DOUBT, "what time"),
    ],
)
async def test_what_is_wrong_is_found(
    way: str, handler: Handler, subject: str, verdict: Verdict, word: str
) -> None:
    found = await examined({way: handler})
    assert not_good(found)[subject] is verdict
    assert word in found[subject].sentence
    assert found[subject].advice


async def test_a_page_that_is_named_has_to_be_allowed() -> None:
    one = says(Content_Type="text/javascript", Access_Control_Allow_Origin="https://a.example")
    assert not_good(await examined({"GET /p2pcdn.js": one}, "https://a.example")) == {}
    found = await examined({"GET /p2pcdn.js": one}, "https://b.example")
    assert not_good(found) == {"cors": WRONG}
    assert "https://b.example may not" in found["cors"].sentence


async def test_what_a_server_says_is_read_to_an_end_and_shown_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site, "MOST_BYTES", 40)
    hostile = says(503, "the \x1b[2J\x9b\u202edisk\nis full" + "x" * 100_000)
    found = await examined({"GET /readyz": hostile})
    assert found["ready"].sentence == "It is not ready: the [2Jdisk is full" + "x" * 15


async def test_nobody_there_is_all_that_is_said() -> None:
    async with serving(healthy()) as url:
        pass
    async with aiohttp.ClientSession() as session:
        found = await everything(Site(session, url).examine())
    assert not_good(found) == {"reach": WRONG}
    assert found["reach"].sentence.endswith(": connection refused.")
    assert len(found) == 1


async def test_without_tls_an_end_point_elsewhere_has_no_peers() -> None:
    async with aiohttp.ClientSession() as session:
        finding = await Site(session, parse("http://cdn.example"))._secure()
        assert finding.verdict is WRONG
        finding = await Site(session, parse("https://cdn.example"))._secure()
        assert finding.verdict is Verdict.GOOD


@pytest.mark.parametrize(
    "url", ["", "cdn.example", "ftp://cdn.example", "http://", "http://a:b", "http://a:0"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL"):
        parse(url)


def test_which_hosts_are_this_machine() -> None:
    assert all(map(is_local, ["localhost", "a.localhost", "127.0.0.2", "::1"]))
    assert not any(map(is_local, ["cdn.example", "10.0.0.1", "localhost.example"]))
