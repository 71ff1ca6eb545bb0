"""The contents that a gateway holds, with peers that only say that they are."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Self

import pytest

from p2pcdn.config import Config, PeerConfig
from p2pcdn.errors import ConfigError
from peer.native.gateway.contents import (
    AGAIN,
    MOST,
    MOST_OF_A_PAGE,
    MOST_OF_PAGES,
    PAGES_PART,
    Contents,
    Entry,
)
from peer.native.gateway.state import Remembered
from peer.native.runner import PeerError
from peer.native.shares import Wish

FILM = "https://media.example/media/film/index.m3u8"
NAMES = ("film/low.m3u8", "film/high.m3u8")


class FakePeer:
    """Opens, or fails to."""

    refuses: str | None = None
    opened: list[FakePeer]

    def __init__(self, url: str, **options: Any) -> None:
        self.url, self.options = url, options
        self.renditions = NAMES
        self.failure: BaseException | None = None
        self.paused = self.left = False
        self.share = options["share"]
        self.size = 0
        self.links: dict[int, str] = {}
        self.stats = SimpleNamespace(uploaded_bytes=0)
        self.limits: dict[str, Any] = {}
        self.given: str | None = None

    async def __aenter__(self) -> Self:
        if self.refuses is not None:
            raise PeerError(self.refuses)
        self.opened.append(self)
        return self

    async def __aexit__(self, *why: object) -> None:
        await asyncio.sleep(0)
        self.left = True

    def wish(self) -> Wish:
        return Wish(self.size, 0, len(self.links))

    def resize(self, share: int, memory: int) -> None:
        self.share = share

    def limit(self, **limits: Any) -> None:
        self.limits = limits

    def give_token(self, token: str) -> None:
        self.given = token

    async def pause(self) -> None:
        self.paused = True

    async def resume(self) -> None:
        self.paused = False


@pytest.fixture
def peers() -> type[FakePeer]:
    return type("Peers", (FakePeer,), {"opened": []})


@pytest.fixture
def contents(peers: Any) -> Contents:
    return Contents(Config(), make=peers)


async def settled(contents: Contents, entry: Entry) -> None:
    """Whatever was begun behind a reader's back is over."""
    while contents.busy:
        await contents.busy.pop()
    assert not entry.lock.locked()


async def test_a_content_is_opened_once(contents: Contents, peers: Any) -> None:
    first = await contents.add(FILM, keep=True)
    assert await contents.add(FILM + "?token=1", keep=False) is first
    (peer,) = peers.opened
    assert peer.options["keep"]
    async with peer.options["session"]() as session:
        assert not session._middlewares
    assert (first.state, first.path) == (
        "shared",
        f"media/{first.source.id}/film/index.m3u8",
    )


async def test_that_of_a_page_is_apart_and_asked_for_with_care(
    contents: Contents, peers: Any
) -> None:
    own = await contents.add(FILM, keep=False)
    theirs = await contents.add(FILM, keep=False, page="https://page.example")
    assert own.id != theirs.id
    assert own.source is not theirs.source
    async with peers.opened[1].options["session"]() as session:
        assert session._middlewares


async def test_readers_find_it_by_its_renditions(contents: Contents, peers: Any) -> None:
    entry = await contents.add(FILM, keep=False)
    for name in (*NAMES, "film/index.m3u8"):
        assert await contents.reading(entry.source, name) is entry
    assert await contents.reading(entry.source, "other/low.m3u8") is None
    other = await contents.add("https://other.example/media/x.mp4", keep=False)
    peers.opened[1].renditions = ("x.mp4",)
    assert await contents.reading(other.source, NAMES[0]) is None


async def test_what_cannot_be_joined_is_tried_again_behind_its_readers(
    contents: Contents, peers: Any
) -> None:
    peers.refuses = "There is no tracker."
    entry = await contents.add(FILM, keep=False)
    assert (entry.state, entry.failure) == ("plain", "There is no tracker.")
    peers.refuses = None
    await contents.reading(entry.source, "film/index.m3u8")
    await settled(contents, entry)
    assert entry.state == "plain", "not so soon"
    entry.tried -= AGAIN
    await contents.reading(entry.source, "film/index.m3u8")
    await settled(contents, entry)
    assert (entry.state, entry.failure) == ("shared", None)


async def test_a_peer_that_has_ended_is_replaced(contents: Contents, peers: Any) -> None:
    entry = await contents.add(FILM, keep=False)
    peers.opened[0].failure = PeerError("The tracker says banned.")
    await contents.add(FILM, keep=False)
    assert peers.opened[0].left
    assert entry.peer is peers.opened[1]


async def test_it_pauses_and_comes_back(contents: Contents, peers: Any) -> None:
    entry = await contents.add(FILM, keep=False)
    for paused, state in ((True, "paused"), (True, "paused"), (False, "shared")):
        await contents.pause(entry, paused)
        assert (entry.state, peers.opened[0].paused) == (state, paused)


async def test_a_page_has_nothing_of_the_owners_tokens_and_brings_its_own(peers: Any) -> None:
    settings = PeerConfig(token="of.the.owner", token_url="https://owner.example/token")
    contents = Contents(Config(peer=settings), make=peers)
    page = "https://page.example"
    await contents.add(FILM, keep=True)
    entry = await contents.add(FILM, keep=False, page=page)
    for token in ("of.the.page", "newer"):
        assert await contents.add(FILM, keep=False, page=page, token=token) is entry
    assert peers.opened[-1].given == "newer"
    peers.opened[-1].failure = PeerError("The tracker says expired.")
    await contents.add(FILM, keep=False, page=page)
    used = [
        (options["config"].peer.token, options["config"].peer.token_url, options["key"])
        for options in (peer.options for peer in peers.opened)
    ]
    key = contents.key(page)
    assert used == [
        ("of.the.owner", "https://owner.example/token", None),
        (None, None, None),
        ("of.the.page", None, key),
        ("newer", None, key),
    ]
    assert contents.key("https://other.example") is not key
    await contents.close()


async def test_what_could_not_be_joined_pauses_too_and_is_joined_when_it_comes_back(
    contents: Contents, peers: Any
) -> None:
    peers.refuses = "There is no tracker."
    entry = await contents.add(FILM, keep=False)
    peers.refuses = None
    await contents.pause(entry, True)
    assert (entry.state, peers.opened) == ("paused", [])
    await contents.pause(entry, False)
    assert entry.state == "shared"


async def test_what_lasts_is_told_whenever_it_changes(contents: Contents) -> None:
    told: list[list[Remembered]] = []
    contents.changed = told.append
    page = "https://page.example"
    other = "https://media.example/media/other.mp4"
    await contents.add("https://media.example/media/passing.mp4", keep=True)
    entry = await contents.add(FILM, keep=False, lasts=True)
    await contents.add(other, keep=False, lasts=True, page=page)
    await contents.add(FILM, keep=True)
    await contents.pause(entry, True)
    theirs = Remembered(other, page=page)
    assert told[-1] == [Remembered(FILM, keep=True, paused=True), theirs]
    await contents.remove(entry)
    assert told[-1] == [theirs]
    count = len(told)
    await contents.close()
    assert len(told) == count, "it is there again"


async def test_what_was_there_is_there_again(contents: Contents, peers: Any) -> None:
    told: list[list[Remembered]] = []
    page = "https://page.example"
    known = [
        Remembered(FILM, keep=True),
        Remembered("nonsense"),
        Remembered("https://media.example/media/a.mp4", paused=True),
        Remembered("https://media.example/media/b.mp4", page=page),
    ]
    contents.restore(known)
    contents.changed = told.append
    assert len(contents.all) == 3, "at once, or what is told next would lack them"
    for entry in contents.all:
        await settled(contents, entry)
    assert [entry.state for entry in contents.all] == ["shared", "paused", "shared"]
    assert [peer.options["keep"] for peer in peers.opened] == [True, False]
    await contents.add(FILM, keep=True)
    del known[1]
    assert told == [known]


async def test_one_that_is_removed_leaves(contents: Contents, peers: Any) -> None:
    entry = await contents.add(FILM, keep=False)
    await contents.remove(entry)
    assert peers.opened[0].left
    assert contents.all == []
    assert contents.source(entry.source.id) is None


async def test_there_is_room_for_so_many_and_those_to_keep(contents: Contents) -> None:
    kept = await contents.add(FILM, keep=True)
    first, second = [
        await contents.add(f"https://media.example/media/{n}.mp4", keep=False) for n in range(2)
    ]
    first.used = second.used + 1
    for number in range(2, MOST):
        await contents.add(f"https://media.example/media/{number}.mp4", keep=False)
    assert len(contents.all) == MOST
    assert kept in contents.all
    assert first in contents.all
    assert second not in contents.all


def film(number: int, host: str = "media") -> str:
    return f"https://{host}.example/media/{number}.mp4"


async def test_pages_make_room_among_themselves_and_each_first_at_its_own_cost(
    contents: Contents,
) -> None:
    owners = [await contents.add(film(n), keep=False) for n in range(MOST)]
    first = await contents.add(film(0), keep=False, page="https://quiet.example")
    for number in range(MOST_OF_A_PAGE + 2):
        await contents.add(film(number), keep=False, page="https://greedy.example")
    assert contents.all[: MOST + 1] == [*owners, first]
    assert len(contents.all) == MOST + 1 + MOST_OF_A_PAGE
    for number in range(MOST_OF_PAGES):
        await contents.add(film(0), keep=False, page=f"https://{number}.example")
    assert contents.all[:MOST] == owners
    assert len(contents.all) == MOST + MOST_OF_PAGES


async def test_two_that_are_added_at_once_are_both_there(contents: Contents) -> None:
    for number in range(MOST):
        await contents.add(film(number), keep=False)
    for entry in await asyncio.gather(
        contents.add(film(100), keep=False), contents.add(film(101), keep=False)
    ):
        assert contents.get(entry.id) is entry
    assert len(contents.all) == MOST


async def test_what_was_only_read_is_kept_when_that_is_asked_for(
    contents: Contents, peers: Any
) -> None:
    entry = await contents.add(FILM, keep=False)
    assert await contents.add(FILM, keep=True) is entry
    before, now = peers.opened
    assert entry.keep
    assert before.left
    assert (entry.peer, now.options["keep"]) == (now, True)
    assert await contents.add(FILM, keep=False) is entry
    assert entry.keep, "who only reads changes nothing"


@pytest.fixture
def stored(peers: Any) -> Contents:
    disk: Any = SimpleNamespace(share=1_000_000)
    return Contents(Config(), disk=disk, make=peers)


async def test_what_pages_add_takes_nothing_of_the_owners_store(
    stored: Contents, peers: Any
) -> None:
    await stored.add(FILM, keep=True)
    (kept,) = peers.opened
    kept.size = 10_000_000
    share = kept.share
    assert share == 1_000_000 - 1_000_000 // PAGES_PART
    for number in range(MOST_OF_A_PAGE):
        await stored.add(film(number), keep=False, page="https://page.example")
    assert kept.share == share
    theirs = [peer.share for peer in peers.opened[1:]]
    assert theirs == [1_000_000 // PAGES_PART // MOST_OF_A_PAGE] * MOST_OF_A_PAGE
    await stored.close()


async def test_of_the_owners_store_what_is_kept_comes_first(stored: Contents, peers: Any) -> None:
    await stored.add(FILM, keep=True)
    await stored.add(film(1), keep=False)
    kept, read = peers.opened
    kept.size, read.size = 500_000, 10_000_000
    read.links = dict.fromkeys(range(5), "somebody")
    await stored.add(film(2), keep=False)
    assert kept.share >= 500_000
    assert read.share > 0
    assert sum(peer.share for peer in peers.opened) <= 1_000_000 * (PAGES_PART - 1) // PAGES_PART
    await stored.close()


async def test_memory_and_upload_are_for_all_together(peers: Any) -> None:
    settings = PeerConfig(store_bytes=4_000_000, upload_rate=100_000.0, upload_budget=1_000)
    contents = Contents(Config(peer=settings), make=peers)
    first = await contents.add(film(0), keep=False)
    await contents.add(film(1), keep=False)
    await contents.add(film(2), keep=False, page="https://page.example")
    for peer in peers.opened:
        peer.links = {1: "somebody"}
    peers.opened[0].stats.uploaded_bytes = 400
    await contents.add(film(3), keep=False)
    assert sum(peer.share for peer in peers.opened) <= 4_000_000
    assert [peer.limits["budget"] for peer in peers.opened] == [150] * 4
    assert peers.opened[0].limits["rate"] == pytest.approx(100_000 / 3)
    await contents.remove(first)
    assert [peer.limits["budget"] for peer in peers.opened[1:]] == [200] * 3, "400 are gone"
    await contents.close()


async def test_what_is_no_content_is_said(contents: Contents) -> None:
    with pytest.raises(ConfigError, match="is not the URL of a content"):
        await contents.add("https://media.example/film.mp4", keep=False)
    assert contents.all == []


async def test_all_leave_at_the_end(contents: Contents, peers: Any) -> None:
    for number in range(3):
        await contents.add(f"https://media.example/media/{number}.mp4", keep=False)
    await contents.close()
    assert all(peer.left for peer in peers.opened)
