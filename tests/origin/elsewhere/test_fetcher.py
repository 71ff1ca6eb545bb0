"""What is fetched from elsewhere, how often, and by whose token."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import Hasher
from origin.catalog.playlist import PlaylistError, PlaylistSegment
from origin.elsewhere import fetcher as module
from origin.elsewhere.allowance import Allowance
from origin.elsewhere.fetcher import Fetcher
from origin.elsewhere.places import Place, Places
from origin.elsewhere.shelf import Shelf
from p2pcdn.config import ElsewhereConfig
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import CHUNK_SIZE
from tests.origin.elsewhere.cdn import BASE, Cdn
from tests.origin.media_files import media_playlist, noise
from tests.origin.waiting import until

FILM = f"{BASE}index.m3u8"
places = Places([ElsewhereConfig(prefix=BASE)])


class Stage(NamedTuple):
    cdn: Cdn
    shelf: Shelf
    fetcher: Fetcher
    hasher: Hasher
    spent: list[int]

    async def attend(self, token: str = "", name: str = FILM) -> None:
        await self.fetcher.attend(places.find(f"{name}?token={token}" if token else name))

    async def bring(self, *sequences: int, ahead: Iterable[int] = ()) -> None:
        segments = self.segments()
        wanted = [segments[n] for n in sequences]
        await self.fetcher.bring(FILM, wanted, [segments[n] for n in ahead])

    def segments(self) -> tuple[PlaylistSegment, ...]:
        return self.fetcher.segments(FILM)

    def known(self) -> list[int]:
        return [s.sequence for s in self.segments() if not self.fetcher.lacks([s])]

    def text(self) -> str:
        return self.shelf.open(FILM).read(0, 10**6).decode()


def film(cdn: Cdn, count: int = 4, *, query: str = "", live: bool = False, first: int = 0) -> None:
    names = [f"{n}.ts" for n in range(first, first + count)]
    for name in names:
        cdn.files.setdefault(name, noise(CHUNK_SIZE + 100, name))
    named = (f"{name}{query}" for name in names)
    cdn.files["index.m3u8"] = media_playlist(named, first=first, live=live, target=1).encode()


Start = Callable[..., Stage]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        def begin(rate: float = 1e9) -> Stage:
            cdn, shelf, store = Cdn(), Shelf(), HashStore(tmp_path, "elsewhere.sqlite3")
            hasher, spent = Hasher(shelf, store), list[int]()
            allowance = Allowance(rate, 1e12, asyncio.get_running_loop().time())
            fetcher = Fetcher(cdn, places, shelf, hasher, allowance, spent.append)
            stack.callback(store.close)
            stack.callback(hasher.close)
            stack.push_async_callback(fetcher.close)
            return Stage(cdn, shelf, fetcher, hasher, spent)

        yield begin


async def test_a_segment_is_fetched_once_and_hashed_as_it_comes(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    await asyncio.gather(stage.bring(1), stage.bring(1, 2), stage.attend())
    await stage.bring(1)
    assert stage.known() == [1, 2]
    assert sorted(stage.cdn.paths()) == ["1.ts", "2.ts", "index.m3u8"]
    assert sum(stage.spent) == sum(len(stage.cdn.files[p]) for p in stage.cdn.paths())
    (stretch,) = [s for s in stage.shelf._hashed if s.path == f"{BASE}1.ts"]
    data = stage.cdn.files["1.ts"]
    (hashes,) = await stage.hasher.lists([stretch])
    chunks = data[:CHUNK_SIZE], data[CHUNK_SIZE:]
    assert hashes == b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)


async def test_what_lies_ahead_is_fetched_but_not_waited_for(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    await stage.bring(0, ahead=[1, 2])
    assert 0 in stage.known()
    await until(lambda: stage.known() == [0, 1, 2])


async def test_after_a_restart_the_head_of_an_answer_is_enough(start: Start) -> None:
    for read in (CHUNK_SIZE + 100, 0):
        stage = start()
        film(stage.cdn)
        await stage.attend()
        await stage.bring(3)
        assert stage.known() == [3]
        assert stage.cdn.replies[-1].read == read


async def test_without_versions_the_bytes_tell(start: Start) -> None:
    identities = set()
    for _ in range(2):
        stage = start()
        stage.cdn.tags = False
        film(stage.cdn)
        await stage.attend()
        await stage.bring(0)
        assert stage.cdn.replies[-1].read > 0
        identities.add(stage.shelf.identify_all([f"{BASE}0.ts"])[f"{BASE}0.ts"])
    assert len(identities) == 1


async def test_a_file_may_tell_its_length_by_its_end(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    stage.cdn.lengths = False
    await stage.bring(0)
    identity = stage.shelf.identify_all([f"{BASE}0.ts"])[f"{BASE}0.ts"]
    assert identity.size == CHUNK_SIZE + 100
    assert stage.known() == [0]


@pytest.mark.parametrize(
    ("ranges", "status"), [("bytes 0-98/300", 206), ("bytes 0-99/*", 206), ("", 206), ("", 200)]
)
async def test_another_range_than_was_asked_for(start: Start, ranges: str, status: int) -> None:
    stage = start()
    stage.cdn.files["all.mp4"] = noise(300, "all")
    text = "#EXTM3U\n#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\nall.mp4\n#EXT-X-ENDLIST\n"
    stage.cdn.files["index.m3u8"] = text.encode()
    await stage.attend()
    stage.cdn.instead = (status, ranges)
    with pytest.raises(SourceError):
        await stage.bring(0)
    assert stage.known() == []
    assert stage.cdn.replies[-1].read == 0


async def test_after_an_hour_it_is_looked_at_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    await stage.bring(0)
    monkeypatch.setattr(module, "RECHECK", -1.0)
    await stage.bring(0)
    assert stage.cdn.paths().count("0.ts") == 2
    assert stage.cdn.replies[-1].read == 0
    stage.cdn.files["0.ts"] = noise(77, "another")
    await stage.bring(0)
    assert stage.shelf.identify_all([f"{BASE}0.ts"])[f"{BASE}0.ts"].size == 77


async def test_byte_ranges_of_one_file(start: Start) -> None:
    stage = start()
    stage.cdn.files["all.mp4"] = noise(300, "all")
    lines = [f"#EXTINF:2,\n#EXT-X-BYTERANGE:100@{at}\nall.mp4" for at in (0, 100, 200)]
    text = "\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXT-X-ENDLIST\n"])
    stage.cdn.files["index.m3u8"] = text.encode()
    await stage.attend()
    await stage.bring(0, 2)
    assert stage.known() == [0, 2]
    assert stage.shelf.identify_all([f"{BASE}all.mp4"])[f"{BASE}all.mp4"].size == 300
    assert [reply.read for reply in stage.cdn.replies[1:]] == [100, 100]


@pytest.mark.parametrize("query", ["", "?token=own&x=1"])
async def test_tokens_are_passed_on_to_segments(start: Start, query: str) -> None:
    stage = start()
    stage.cdn.tokens = {"mine", "own"}
    film(stage.cdn, query=query)
    await stage.attend("mine")
    await stage.bring(0)
    assert stage.cdn.asked == [f"{FILM}?token=mine", f"{BASE}0.ts{query or '?token=mine'}"]


def test_a_token_is_told_to_its_own_server_alone() -> None:
    ticket = f"{FILM}?token=mine"
    own, other = Place("", f"{BASE}0.ts"), Place("", "https://other.example/0.ts")
    assert module._ways(own, ticket) == [f"{BASE}0.ts?token=mine", f"{BASE}0.ts"]
    assert module._ways(other, ticket) == ["https://other.example/0.ts"]


async def test_a_signed_segment_that_wants_no_more_is_asked_for_as_it_is(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend("mine")
    stage.cdn.tokens = {""}
    await stage.bring(0)
    assert stage.cdn.asked[1:] == [f"{BASE}0.ts?token=mine", f"{BASE}0.ts"]
    assert stage.known() == [0]


async def test_the_next_who_asks_brings_a_better_token(start: Start) -> None:
    stage = start()
    stage.cdn.tokens = {"good"}
    film(stage.cdn)
    with pytest.raises(SourceError, match=r"^status: "):
        await stage.attend("bad")
    await stage.attend("good")
    for number in range(5):
        await stage.attend(f"bad{number}")
    await stage.bring(0)
    assert stage.known() == [0]
    assert [url.partition("=")[2] for url in stage.cdn.asked] == ["bad", "good", "good"]


async def test_a_token_that_is_no_good_is_not_tried_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    monkeypatch.setattr(module, "AGAIN", 0.0)
    stage = start()
    stage.cdn.tokens = {"zero"}
    film(stage.cdn)
    await stage.attend("zero")
    stage.cdn.tokens = set()
    for token in ("one", "two"):
        await stage.attend(token)
    assert [url.partition("=")[2] for url in stage.cdn.asked] == ["zero", "zero", "one", "two"]


@pytest.mark.parametrize("refusal", [400, 404, 410])
async def test_however_a_token_is_refused_fresh_ones_are_tried(
    start: Start, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    stage = start()
    stage.cdn.refusal = refusal
    stage.cdn.tokens = {"one"}
    film(stage.cdn)
    await stage.attend("one")
    stage.cdn.tokens = {"two", "three"}
    for token in ("two", "three", "one"):
        await stage.attend(token)
    tried = [url.partition("=")[2] for url in stage.cdn.asked]
    assert tried == ["one", "one", "two", "two", "two"]  # which is good, and asked for first
    await stage.bring(0)
    assert stage.known() == [0]


async def test_a_token_that_is_made_up_ends_no_round(start: Start) -> None:
    stage = start()
    stage.cdn.refusal = 404
    stage.cdn.tokens = {"good"}
    film(stage.cdn)
    stage.cdn.gate = asyncio.Event()
    asking = [asyncio.create_task(stage.attend(token)) for token in ("good", "made-up")]
    await until(lambda: stage.fetcher._strange)
    stage.cdn.gate.set()
    await asyncio.gather(*asking)
    assert len(stage.segments()) == 4


async def test_a_file_that_is_gone_is_missing_whatever_else_is_tried(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    stage = start()
    film(stage.cdn)
    await stage.attend("one")
    del stage.cdn.files["index.m3u8"]
    with pytest.raises(SourceError, match="missing"):
        await stage.attend("two")


@pytest.mark.parametrize("refusal", [400, 404, 410])
async def test_so_are_all_ways_to_a_segment(start: Start, refusal: int) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend("mine")
    stage.cdn.tokens = {""}
    stage.cdn.refusal = refusal
    await stage.bring(0)
    assert stage.cdn.asked[1:] == [f"{BASE}0.ts?token=mine", f"{BASE}0.ts"]
    stage.cdn.tokens = set()
    with pytest.raises(SourceError, match="status" if refusal == 400 else "missing"):
        await stage.bring(1)
    assert stage.fetcher._playlists[FILM].stale <= asyncio.get_running_loop().time() + module.AGAIN


async def test_what_is_known_holds_while_the_cdn_is_away(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)
    stage = start()
    film(stage.cdn)
    await stage.attend()
    stage.cdn.broken = SourceReason.TIMEOUT
    for _ in range(3):
        await stage.attend()
    assert len(stage.cdn.asked) == 2
    assert len(stage.segments()) == 4
    stage.fetcher._playlists[FILM].stale = 0.0
    stage.cdn.broken = None
    del stage.cdn.files["index.m3u8"]
    with pytest.raises(SourceError, match="missing"):
        await stage.attend()


async def test_a_token_that_has_run_out_makes_way(start: Start) -> None:
    stage = start()
    stage.cdn.tokens = {"old"}
    film(stage.cdn)
    await stage.attend("old")
    stage.cdn.tokens = {"new"}
    await stage.attend("new")  # the playlist is known: nobody asks
    with pytest.raises(SourceError):
        await stage.bring(0)
    await stage.attend("new")
    await stage.bring(0)
    assert stage.known() == [0]


async def test_what_is_not_there_is_told_without_the_url(start: Start) -> None:
    stage = start()
    for broken, reason in ((None, "missing"), (SourceReason.TIMEOUT, "timeout")):
        stage.cdn.broken = broken
        with pytest.raises(SourceError) as error:
            await stage.attend("secret")
        assert error.value.args == (reason, FILM)
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__ or error.value.__context__ is None


async def test_what_is_no_playlist_is_told(start: Start) -> None:
    stage = start()
    stage.cdn.files["index.m3u8"] = b"<html>"
    with pytest.raises(PlaylistError):
        await stage.attend()


async def test_names_that_are_made_up_push_nobody_aside(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    for number in range(20):
        with pytest.raises(SourceError):
            await stage.attend(name=f"{BASE}{number}.m3u8")
    assert list(stage.fetcher._playlists) == [FILM]
    assert stage.fetcher._strange == {}


async def test_no_more_is_remembered_than_there_is_room_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_NAMED", 7)
    stage = start()
    film(stage.cdn)
    for name in ("index.m3u8", "b.m3u8", "c.m3u8", "index.m3u8", "d.m3u8"):
        stage.cdn.files[name] = stage.cdn.files["index.m3u8"]
        await stage.attend(name=f"{BASE}{name}")
        assert len(stage.segments()) == (4 if name == "index.m3u8" else 0)
    assert list(stage.fetcher._playlists) == [f"{BASE}d.m3u8"]
    monkeypatch.setattr(module, "MOST_NAMED", 3)  # one that is too long is there all the same
    await stage.attend()
    assert stage.known() == []
    assert len(stage.segments()) == 4


async def test_no_more_is_fetched_than_allowed(start: Start) -> None:
    stage = start(rate=100.0)
    film(stage.cdn)
    await stage.attend()
    await stage.bring(0)
    with pytest.raises(SourceError, match="busy"):
        await stage.bring(1, 2, 3)
    assert stage.known() == [0]
    assert len(stage.cdn.asked) == 2


async def test_a_segment_of_the_wrong_length_is_not_known(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    await stage.attend()
    stage.cdn.cut = 1
    with pytest.raises(SourceError, match="length"):
        await stage.bring(0)
    assert stage.known() == []


async def test_who_gives_up_does_not_stop_the_others(start: Start) -> None:
    stage = start()
    film(stage.cdn)
    stage.cdn.gate = asyncio.Event()
    first, second = (asyncio.create_task(stage.attend()) for _ in range(2))
    await until(lambda: stage.cdn.asked)
    first.cancel()
    await asyncio.sleep(0)
    stage.cdn.gate.set()
    await second
    assert stage.text().startswith("#EXTM3U")


# Live


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_POLL", 0.02)
    monkeypatch.setattr(module._Playlist, "pause", property(lambda self: 0.02))


@pytest.mark.usefixtures("quick")
async def test_a_live_playlist_is_looked_at_and_shown_with_its_segments_hashed(
    start: Start,
) -> None:
    stage = start()
    film(stage.cdn, 10, live=True)
    await stage.attend()
    assert stage.known() == [4, 5, 6, 7, 8, 9]
    film(stage.cdn, 10, live=True, first=1)
    await until(lambda: "10.ts" in stage.text())
    assert stage.known() == [4, 5, 6, 7, 8, 9, 10]
    film(stage.cdn, 11, first=1)
    await until(lambda: "ENDLIST" in stage.text())
    asked = len(stage.cdn.asked)
    await asyncio.sleep(0.1)
    assert len(stage.cdn.asked) == asked


@pytest.mark.usefixtures("quick")
async def test_nobody_looks_when_nobody_asks(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = start()
    film(stage.cdn, live=True)
    monkeypatch.setattr(module, "WATCHED", 0.1)
    await stage.attend()
    held = stage.fetcher._playlists[FILM]
    await until(lambda: not held.is_watched)
    film(stage.cdn, live=True, first=3)
    await stage.attend()
    assert held.is_watched
    await until(lambda: "6.ts" in stage.text())


@pytest.mark.usefixtures("quick")
async def test_an_encoder_that_begins_anew_may_use_the_same_names(start: Start) -> None:
    stage = start()
    film(stage.cdn, live=True, first=3)
    await stage.attend()
    stage.cdn.files["3.ts"] = noise(55, "anew")
    film(stage.cdn, live=True, first=0)
    await until(lambda: "SEQUENCE:0" in stage.text())
    await stage.bring(3)
    assert stage.shelf.identify_all([f"{BASE}3.ts"])[f"{BASE}3.ts"].size == 55


@pytest.mark.usefixtures("quick")
async def test_a_live_playlist_that_cannot_be_read_is_tried_again(start: Start) -> None:
    stage = start()
    film(stage.cdn, live=True)
    await stage.attend()
    stage.cdn.broken = SourceReason.TIMEOUT
    asked = len(stage.cdn.asked)
    await until(lambda: len(stage.cdn.asked) > asked + 2)
    stage.cdn.broken = None
    film(stage.cdn, live=True, first=3)
    await until(lambda: "6.ts" in stage.text())
