"""Native peers at a site that wants tokens: a back end gives them, and the tracker lets them in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from origin.app import Origin
from p2pcdn.config import Config, PeerConfig, SiteConfig
from p2pcdn.core.access import Sites, Visitor
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ports import Allow, Prove, Proved
from p2pcdn.model import PROTOCOL
from p2pcdn.service import Server
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.tracker import Join
from peer.native.runner import NativePeer, PeerError
from peer.native.tokens import Tokens, new_key, thumbprint_of
from tests.p2pcdn.core.minting import Signer
from tracker.app import Tracker
from tracker.sites import sites_of, verifies

SITE, CONTENT, PATH = "pk_demo", "c" * 32, "/media/show/master.m3u8"
NONCE = "0" * 32
BACK_END = Signer.of("back end")
CLOSED = SiteConfig(keys=(to_base64(BACK_END.point),), origins=("https://www.example.com",))


class BackEnd:
    """The site's: it gives a token to whoever asks, or whatever else it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: str | None = None
        self.status = 200
        self.in_pieces = False
        app = web.Application()
        app.router.add_post("/p2p-token", self._token)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/p2p-token"))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        claims = {
            "iss": asked["site"],
            "content": asked["url"],
            "jti": f"token-{len(self.asked)}",
            "exp": int(time.time()) + 120,
            "cnf": {"jkt": asked["thumbprint"]},
            "client": "native",
        }
        text = BACK_END.token(claims) if self.answer is None else self.answer
        if self.in_pieces:
            return await self._in_pieces(request, text)
        return web.Response(text=f"{text}\n", status=self.status)

    async def _in_pieces(self, request: web.Request, text: str) -> web.StreamResponse:
        """The answer as it comes of a slow network, or of what writes it bit by bit."""
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (text[:100], text[100:], "\n"):
            await response.write(part.encode())
            await asyncio.sleep(0.05)
        return response


@pytest.fixture
async def back_end() -> AsyncIterator[BackEnd]:
    made = BackEnd()
    async with made.server:
        yield made


class Asking:
    """Tokens, and what came of asking for them."""

    def __init__(self, session: aiohttp.ClientSession, **where: Any) -> None:
        self.proved: list[Proved] = []
        self.failed = 0
        sources: dict[str, Any] = {"token": None, "token_url": None, **where}
        self.tokens = Tokens(
            session,
            site=SITE,
            content=CONTENT,
            url=PATH,
            proved=self.proved.append,
            failed=self._fail,
            **sources,
        )

    def _fail(self) -> None:
        self.failed += 1

    async def ask(self, *, fresh: bool = False) -> None:
        self.tokens.do(Prove(NONCE, fresh))
        for task in list(self.tokens._tasks):
            await task


@asynccontextmanager
async def asking(**where: Any) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        made = Asking(session, **where)
        yield made
        await made.tokens.close()


async def test_a_back_end_is_asked_each_time_and_the_proof_is_right(back_end: BackEnd) -> None:
    async with asking(token_url=back_end.url) as made:
        assert made.tokens.known
        assert made.tokens.renewable
        await made.ask()
        await made.ask(fresh=True)
        assert back_end.asked[0] == back_end.asked[1]
        assert back_end.asked[0] == {
            "thumbprint": made.tokens.thumbprint, "site": SITE, "content": CONTENT, "url": PATH
        }  # fmt: skip
        shown = made.proved[0].credentials
        assert shown.url == PATH
        assert shown.token != made.proved[1].credentials.token
    # Signed by the peer's key, which the token names, for this nonce, site and content.
    bound = shown.token
    sites = Sites(sites_of(Config(sites={SITE: CLOSED})), verifies)
    join = Join(PROTOCOL, SITE, CONTENT, "native", True, credentials=shown)
    with pytest.raises(Exception, match="another content"):
        sites.admit(join, Visitor(NONCE), time.time())
    assert bound.count(".") == 2


async def test_another_by_hand_is_used_when_it_is_time() -> None:
    async with asking(token="first") as made:
        await made.ask()
        await made.ask(fresh=True)
        made.tokens.give("second")
        await made.ask(fresh=True)
        await made.ask(fresh=True)
        assert [said.credentials.token for said in made.proved] == ["first", "second"]


async def test_a_key_to_which_somebody_has_a_token_bound_is_used() -> None:
    key = new_key()
    async with asking(token="a.b.c", key=key) as made, asking(token="a.b.c") as other:
        assert made.tokens.thumbprint == thumbprint_of(key) != other.tokens.thumbprint


async def test_a_token_that_comes_in_pieces_is_put_together(back_end: BackEnd) -> None:
    back_end.in_pieces, back_end.answer = True, "a.b." + "c" * 1000
    async with asking(token_url=back_end.url) as made:
        await made.ask()
        assert [proved.credentials.token for proved in made.proved] == [back_end.answer]


async def test_a_token_by_hand_is_used_and_not_renewed() -> None:
    async with asking(token="a.b.c") as made:
        assert made.tokens.known
        assert not made.tokens.renewable
        await made.ask()
        await made.ask(fresh=True)
        assert [proved.credentials.token for proved in made.proved] == ["a.b.c"]
        assert made.failed == 0


async def test_without_either_there_is_none() -> None:
    async with asking() as made:
        assert not made.tokens.known
        await made.ask()
        assert (made.proved, made.failed) == ([], 1)


@pytest.mark.parametrize(
    ("status", "answer"),
    [(403, "no"), (500, "a.b.c"), (200, ""), (200, "<html>"), (200, "x" * 1025), (200, "\u00e9")],
)
async def test_a_back_end_that_gives_none(back_end: BackEnd, status: int, answer: str) -> None:
    back_end.status, back_end.answer = status, answer
    async with asking(token_url=back_end.url) as made:
        await made.ask()
        assert (made.proved, made.failed) == ([], 1)
        await made.ask(fresh=True)
        assert made.failed == 1, "the old one is still good"


async def test_a_back_end_that_is_not_there() -> None:
    async with asking(token_url="http://127.0.0.1:1/") as made:
        await made.ask()
        assert made.failed == 1


# With a tracker


@asynccontextmanager
async def hosted(content: Path, data: Path) -> AsyncIterator[tuple[str, Tracker]]:
    config = Config(listen="127.0.0.1:0", content=content, data=data, sites={SITE: CLOSED})
    ledger = Ledger()
    tracker = Tracker(config, ledger)
    async with Server.of(config, [Origin(config, ledger), tracker]) as server:
        yield f"{server.url}{PATH}", tracker


async def test_a_peer_with_a_back_end_is_let_in_and_stays(
    content: Path, tmp_path: Path, back_end: BackEnd
) -> None:
    async with hosted(content, tmp_path / "data") as (url, tracker):
        config = Config(peer=PeerConfig(token_url=back_end.url))
        async with NativePeer(url, config=config) as peer:
            await peer.until(lambda: bool(peer.peer))
            first = peer.peer

            def came_by() -> str:
                [admitted] = tracker._mind._swarms._passes._passes.values()
                assert admitted.claims is not None
                assert admitted.claims.thumbprint == back_end.asked[0]["thumbprint"]
                return admitted.claims.id

            assert came_by() == "token-1"
            peer.node._signaling._renew_at = 0.0  # it is time
            peer.node._signaling._is_looked_at = False
            peer._engine.feed(Allow(p2p=True, upload=True, token=True))
            await peer.until(lambda: came_by() == "token-2")
            assert peer.peer == first, "it was not let in again"


async def test_a_peer_without_a_token_says_what_it_lacks(content: Path, tmp_path: Path) -> None:
    async with (
        hosted(content, tmp_path / "data") as (url, _),
        NativePeer(url) as peer,
    ):
        with pytest.raises(PeerError, match="bad_token: --token-url names a back end"):
            await peer.until(lambda: bool(peer.peer))
