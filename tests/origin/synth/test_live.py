"""The live channel: numbers that keep their meaning, by a clock of our own or the real one."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import m3u8
import pytest

from origin.synth import LiveFeed, SynthesisError
from origin.synth.live import KEPT_WINDOWS, WINDOW
from tests.origin.synth.conftest import SECONDS

COUNT = SECONDS // 2


class Clock:
    """Seconds since 1970 that go on only when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def playlist_of(feed: LiveFeed, name: str = "180p") -> m3u8.M3U8:
    return m3u8.loads((feed.playlist.parent / f"{name}.m3u8").read_text())


def numbers(playlist: m3u8.M3U8) -> list[int]:
    first = playlist.media_sequence or 0
    return list(range(first, first + len(playlist.segments)))


def discontinuities(playlist: m3u8.M3U8) -> dict[int, int]:
    """The discontinuity sequence of each segment, as RFC 8216, 6.2.1 derives it."""
    current, result = playlist.discontinuity_sequence or 0, {}
    for number, segment in zip(numbers(playlist), playlist.segments, strict=True):
        current += segment.discontinuity
        result[number] = current
    return result


async def test_it_starts_with_a_window_of_complete_segments(
    presentation: Path, tmp_path: Path
) -> None:
    async with LiveFeed(presentation, tmp_path / "live", clock=Clock(2001.5)) as feed:
        playlist = playlist_of(feed)
        # At 2001.5 the segment from 1998 to 2000 is over, the next is not.
        assert numbers(playlist) == list(range(990, 1000))
        assert not playlist.is_endlist
        assert all(
            (feed.playlist.parent / str(segment.uri)).exists() for segment in playlist.segments
        )
        assert m3u8.loads(feed.playlist.read_text()).playlists[1].uri == "270p.m3u8"


async def test_a_segment_has_the_bytes_of_the_presentation(
    presentation: Path, tmp_path: Path
) -> None:
    async with LiveFeed(presentation, tmp_path / "live", clock=Clock(2000)) as feed:
        for number, segment in zip(
            numbers(playlist_of(feed)), playlist_of(feed).segments, strict=True
        ):
            source = presentation.parent / f"180p-{number % COUNT:05}.ts"
            assert (feed.playlist.parent / str(segment.uri)).read_bytes() == source.read_bytes()


async def test_a_number_means_the_same_for_as_long_as_it_is_listed(
    presentation: Path, tmp_path: Path
) -> None:
    feed = LiveFeed(presentation, tmp_path / "live", clock=Clock(2000))
    meaning: dict[int, tuple[str | None, int]] = {}
    async with feed:
        for newest in range(1000, 1000 + 4 * COUNT):
            feed.publish(newest)
            playlist = playlist_of(feed)
            assert numbers(playlist)[-1] == newest
            counts = discontinuities(playlist)
            for number, segment in zip(numbers(playlist), playlist.segments, strict=True):
                now = (segment.uri, counts[number])
                assert meaning.setdefault(number, now) == now
    # One discontinuity where the presentation begins again, and none within.
    for before, after in pairwise(sorted(meaning)):
        assert meaning[after][1] - meaning[before][1] == (after % COUNT == 0)


@pytest.mark.parametrize("now", [60.0, 86_400.0 * 20_000 + 1, 1.8e9, 4e9])
async def test_no_player_has_to_count_far(presentation: Path, tmp_path: Path, now: float) -> None:
    """hls.js counts up to the discontinuity sequence, however large it is."""
    async with LiveFeed(presentation, tmp_path / "live", clock=Clock(now)) as feed:
        day = 86_400 // (2 * COUNT)
        assert 0 <= (playlist_of(feed).discontinuity_sequence or 0) <= day + 1


async def test_segments_outlive_the_playlist_for_a_while_and_no_longer(
    presentation: Path, tmp_path: Path
) -> None:
    async with LiveFeed(presentation, tmp_path / "live", window=4, clock=Clock(2000)) as feed:
        for newest in (1000, 1003, 1020):
            feed.publish(newest)
        kept = sorted(path.name for path in (tmp_path / "live").glob("180p-*.ts"))
        assert kept == [f"180p-{number}.ts" for number in range(1017, 1021)]
        for newest in range(1021, 1040):
            feed.publish(newest)
        assert len(list((tmp_path / "live").glob("180p-*.ts"))) == KEPT_WINDOWS * 4


async def test_it_goes_on_by_the_clock(presentation: Path, tmp_path: Path) -> None:
    """In real time: a segment comes when its two seconds are over."""
    async with LiveFeed(presentation, tmp_path / "live") as feed, asyncio.timeout(10):
        first = feed.last
        assert await feed.published(newer_than=first) == first + 1
        assert numbers(playlist_of(feed))[-1] == first + 1 <= feed.newest


async def test_after_a_pause_it_goes_on_from_now(presentation: Path, tmp_path: Path) -> None:
    clock = Clock(2001.9)
    async with LiveFeed(presentation, tmp_path / "live", clock=clock) as feed, asyncio.timeout(5):
        clock.now = 3000.5
        assert await feed.published(newer_than=999) == 1499
        assert numbers(playlist_of(feed))[-1] == 1499


async def test_a_second_feed_goes_on_where_the_first_stopped(
    presentation: Path, tmp_path: Path
) -> None:
    clock = Clock(2000)
    async with LiveFeed(presentation, tmp_path / "live", clock=clock) as feed:
        before = discontinuities(playlist_of(feed))
    clock.now = 2004
    async with LiveFeed(presentation, tmp_path / "live", clock=clock) as feed:
        after = discontinuities(playlist_of(feed))
    shared = before.keys() & after.keys()
    assert len(shared) == WINDOW - 2
    assert {number: before[number] for number in shared} == {
        number: after[number] for number in shared
    }


async def test_a_failure_in_the_background_is_not_lost(presentation: Path, tmp_path: Path) -> None:
    feed = LiveFeed(presentation, tmp_path / "live", clock=Clock(2001.99))
    await feed.__aenter__()
    (tmp_path / "live").rename(tmp_path / "away")
    async with asyncio.timeout(5):
        with pytest.raises(FileNotFoundError):
            await feed.published(newer_than=feed.last)
    with pytest.raises(FileNotFoundError):
        await feed.__aexit__(None, None, None)


async def test_a_directory_of_somebody_else_is_not_touched(
    presentation: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("42")
    with pytest.raises(SynthesisError, match="not empty"):
        async with LiveFeed(presentation, tmp_path):
            pass
    assert (tmp_path / "thesis.txt").exists()
