"""A bucket over HTTP: what viewers get of it, and what they hear when it fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import ClientError

from origin.sources import bucket as bucket_module
from origin.sources.blocks import BLOCK
from p2pcdn.config import OriginConfig
from tests.origin.buckets import KEYS, Store
from tests.origin.conftest import Site, StartSite
from tests.origin.media_files import media_playlist, multivariant_playlist, noise
from tests.origin.waiting import until

SEGMENTS = {f"film/480p/{n}.ts": noise(150_000 + n, n) for n in range(3)}
LONG = noise(2 * BLOCK, "long")
FILM = {
    "film/master.m3u8": multivariant_playlist(["480p/index.m3u8"]).encode(),
    "film/480p/index.m3u8": media_playlist(f"{n}.ts" for n in range(3)).encode(),
    **SEGMENTS,
    "long.mp4": LONG,
}


@pytest.fixture
def content(store: Store) -> Iterator[str]:
    """The bucket that is served."""
    store.put_all(FILM)
    yield store.url()
    store.fault = ""


async def test_all_of_it(site: Site, store: Store) -> None:
    for name, data in FILM.items():
        response = await site.get(f"/media/{name}")
        assert (response.status, await response.read()) == (200, data)
    manifest = await (await site.get("/manifest/film/480p/index.m3u8")).json()
    assert [record["length"] for record in manifest["segments"]] == list(
        map(len, SEGMENTS.values())
    )
    master = await (await site.get("/manifest/film/master.m3u8")).json()
    assert manifest["content"] == master["content"]
    for target in ("/media/", "/media/film", "/media/film/none.ts", "/manifest/none.m3u8"):
        assert (await site.error(target))[0] == 404
    assert (await site.get("/readyz")).status == 200
    # Each segment was asked for once, though it was sent and hashed.
    gets = [asked for asked in store.take() if asked.startswith("GET ") and asked.endswith(".ts")]
    assert sorted(gets) == sorted(f"GET {name}" for name in SEGMENTS)


@pytest.mark.parametrize(
    ("fault", "status", "sentence", "problem"),
    [
        ("denied", 502, "does not give it out", "the store answered 403 AccessDenied"),
        ("no bucket", 502, "does not give it out", "there is no such bucket"),
        ("broken", 502, "does not give it out", "the store answered 500 InternalError"),
        ("busy", 503, "has enough to do", "the store answered 503 SlowDown"),
        ("reset", 502, "broke off", "the store broke off"),
        ("truncated", 502, "broke off", "the store broke off"),
        ("short", 502, "gave another number of bytes", "150000 bytes, not 150001"),
    ],
)
async def test_faults_have_a_status_and_a_sentence(
    site: Site,
    store: Store,
    fault: str,
    status: int,
    sentence: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket_module, "LEAST", 60.0)
    await site.get("/media/film/480p/0.ts")
    await until(lambda: "long.mp4" in site.origin._catalog._backlog.single_files())
    store.fault = fault
    told, _, message = await site.error("/media/film/480p/1.ts")
    assert told == status
    assert sentence in message
    kept = await site.get("/media/film/480p/0.ts")
    assert (kept.status, await kept.read()) == (200, SEGMENTS["film/480p/0.ts"])
    ready = await site.get("/readyz?verbose")
    assert ready.status == 503
    assert problem in await ready.text()
    manifest = await site.request("GET", "/manifest/film/480p/index.m3u8")
    assert manifest.status == 200  # of what is known
    assert [record["sequence"] for record in (await manifest.json())["segments"]] == [0]
    for text in (message, await ready.text(), await manifest.text()):
        assert store.endpoint not in text
        assert not [key for key in KEYS.values() if key in text]
    store.fault = ""
    again = await site.get("/media/film/480p/1.ts")
    assert (again.status, await again.read()) == (200, SEGMENTS["film/480p/1.ts"])
    assert (await site.get("/readyz")).status == 200
    assert (await site.get("/manifest/film/480p/index.m3u8")).status == 200


async def test_what_is_replaced_in_the_middle_is_cut_off(site: Site, store: Store) -> None:
    response = await site.request("GET", "/media/long.mp4")
    await response.content.readexactly(1000)
    store.put("long.mp4", LONG[::-1])
    with pytest.raises(ClientError):
        await response.read()
    whole = await site.get("/media/long.mp4")
    assert (whole.status, await whole.read()) == (200, LONG[::-1])


@pytest.mark.parametrize("ahead", [False, True])
async def test_it_is_hashed_ahead_only_if_that_is_wanted(
    start_site: StartSite, store: Store, ahead: bool
) -> None:
    site = await start_site(limits=OriginConfig(hash_buckets=ahead, list_contents=True))

    async def contents() -> list[str]:
        found: list[str] = (await (await site.get("/contents")).json())["contents"]
        return found

    backlog = site.origin._catalog._backlog
    await until(lambda: "long.mp4" in backlog.single_files())
    assert await contents() == ["media/film/master.m3u8", "media/long.mp4"]
    segments = [asked for asked in store.asked if asked.endswith((".ts", ".mp4"))]
    assert bool([asked for asked in segments if asked.startswith("GET ")]) is ahead


async def test_one_that_cannot_be_listed(
    start_site: StartSite, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "MOST_LISTED", 1)
    site = await start_site()
    master = await (await site.get("/manifest/film/master.m3u8")).json()
    manifest = await (await site.get("/manifest/film/480p/index.m3u8")).json()
    assert len(manifest["segments"]) == 3
    assert manifest["content"] == master["content"], "who names it was asked for before"
    assert (await site.get("/readyz")).status == 200


async def test_a_live_stream_goes_on(site: Site, store: Store) -> None:
    """An encoder that puts segments, and then the playlist, into the bucket."""

    def put(last: int) -> None:
        store.put(f"live/{last}.ts", noise(100_000, last))
        names = [f"{number}.ts" for number in range(last + 1)]
        store.put("live/index.m3u8", media_playlist(names, live=True).encode())

    put(0)
    first = await site.get("/media/live/index.m3u8")
    assert "0.ts" in await first.text()
    for last in (1, 2):
        put(last)
        after = await site.get(f"/manifest/live/index.m3u8?after={last - 1}")
        newest = (await after.json())["segments"][-1]
        assert (newest["sequence"], newest["uri"]) == (last, f"{last}.ts")
        assert f"{last}.ts" in await (await site.get("/media/live/index.m3u8")).text()
        segment = await site.get(f"/media/live/{last}.ts")
        assert await segment.read() == noise(100_000, last)
