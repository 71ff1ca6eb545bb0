"""Pages, their tags and their policies."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from p2pcdn.doctor import Finding, Verdict
from p2pcdn.doctor.page import _faults, _mixed, _Page, _secure, _tag, examine
from p2pcdn.doctor.site import parse
from tests.p2pcdn.doctor.servers import everything, not_good, says, serving

SITE = parse("https://cdn.example")
PAGE = parse("https://www.example/watch")


async def examined(html: str, policy: str = "img-src *") -> dict[str, Finding]:
    handler = says(text=html, Content_Type="text/html", Content_Security_Policy=policy)
    async with serving({"GET /": handler}) as url, aiohttp.ClientSession() as session:
        return await everything(examine(session, url._replace(path="/"), SITE))


async def test_a_page_with_the_tag() -> None:
    found = await examined('<script defer src="https://cdn.example/p2pcdn.js"></script>')
    assert not_good(found) == {}


async def test_a_page_is_read_until_its_tag_comes() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        await response.write(b"<html>")
        await asyncio.sleep(0.05)
        await response.write(b'<script src="https://cdn.example/p2pcdn.js"></script>')
        return response

    async with serving({"GET /": slow}) as url, aiohttp.ClientSession() as session:
        found = await everything(examine(session, url._replace(path="/"), SITE))
    assert not_good(found) == {}


async def test_what_forbids_it_on_the_page_is_found() -> None:
    tag = '<script defer src="https://cdn.example/p2pcdn.js"></script>'
    policy = "script-src https://cdn.example; connect-src 'self'"
    found = await examined(tag, policy)
    assert not_good(found) == {"csp": Verdict.WRONG}
    meta = '<meta http-equiv="Content-Security-Policy" content="webrtc \'block\'">'
    found = await examined(meta + tag)
    assert not_good(found) == {"csp": Verdict.WRONG}


async def test_a_page_that_cannot_be_had() -> None:
    async with serving({}) as url, aiohttp.ClientSession() as session:
        found = await everything(examine(session, url, SITE))
    assert "404" in found["page"].sentence
    async with aiohttp.ClientSession() as session:
        found = await everything(examine(session, url, SITE))
    assert not_good(found) == {"page": Verdict.WRONG}


@pytest.mark.parametrize(
    ("html", "verdict"),
    [
        ('<script src="//cdn.example/p2pcdn.v1.js">', Verdict.GOOD),
        ('<base href="https://cdn.example/a/"><script src="../p2pcdn.js">', Verdict.GOOD),
        ('<script src="https://other.example/p2pcdn.js">', Verdict.DOUBT),
        ('<script src="/app.js">', Verdict.DOUBT),
        ('<script src="http://[x/p2pcdn.js"><script src="//h:99999/p2pcdn.js">', Verdict.DOUBT),
        ('<base href="http://[x/"><script src="//cdn.example/p2pcdn.js">', Verdict.GOOD),
    ],
)
def test_the_tag(html: str, verdict: Verdict) -> None:
    page = _Page()
    page.feed(html)
    assert _tag(PAGE, SITE, page).verdict is verdict


def test_mixed_content_and_pages_without_tls() -> None:
    assert _mixed(PAGE, parse("http://cdn.example")).verdict is Verdict.WRONG
    assert _mixed(PAGE, parse("http://localhost:8080")).verdict is Verdict.GOOD
    assert _mixed(PAGE, SITE).verdict is Verdict.GOOD
    assert _secure(parse("http://www.example")).verdict is Verdict.WRONG
    assert _secure(parse("http://127.0.0.1")).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("policy", "faults"),
    [
        ("", 0),
        ("default-src *", 0),
        ("default-src https: wss:", 0),
        ("default-src https:", 1),  # the socket's scheme is wss
        ("default-src 'none'", 3),
        ("default-src 'self'; connect-src https://cdn.example wss://cdn.example", 1),
        ("script-src 'nonce-abc'; connect-src cdn.example", 0),
        ("connect-src *.example wss://*.example", 0),
        ("connect-src *.cdn.example wss://*.cdn.example", 2),
        ("connect-src https://cdn.example:8443 wss://cdn.example:*", 1),
        ("connect-src http://cdn.example ws://cdn.example", 0),  # the secure ones are meant, too
        ("img-src 'none'", 0),
        ("connect-src https://cdn.example:abc wss:", 1),
        ("script-src *; script-src 'none'", 0),  # the first counts
        ("webrtc 'block'", 1),
    ],
)
def test_policies(policy: str, faults: int) -> None:
    assert len(list(_faults(policy, PAGE, SITE))) == faults


def test_a_site_of_the_page_itself_is_self() -> None:
    assert list(_faults("default-src 'self'", PAGE, parse("https://www.example"))) == []
