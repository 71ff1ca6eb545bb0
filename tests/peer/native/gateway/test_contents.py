"""The contents that a gateway holds, with peers that only say that they are."""

from __future__ import annotations

from typing import Any, Self

import pytest

from p2pcdn.config import Config
from p2pcdn.errors import ConfigError
from peer.native.gateway.contents import AGAIN, MOST, Contents, Entry
from peer.native.runner import PeerError

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

    async def __aenter__(self) -> Self:
        if self.refuses is not None:
            raise PeerError(self.refuses)
        self.opened.append(self)
        return self

    async def __aexit__(self, *why: object) -> None:
        self.left = True

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
    assert peer.options["connector"] is None
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
    assert peers.opened[1].options["connector"] is not None


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


async def test_what_is_no_content_is_said(contents: Contents) -> None:
    with pytest.raises(ConfigError, match="is not the URL of a content"):
        await contents.add("https://media.example/film.mp4", keep=False)
    assert contents.all == []


async def test_all_leave_at_the_end(contents: Contents, peers: Any) -> None:
    for number in range(3):
        await contents.add(f"https://media.example/media/{number}.mp4", keep=False)
    await contents.close()
    assert all(peer.left for peer in peers.opened)
