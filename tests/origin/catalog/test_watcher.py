"""Noticing what encoders do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from origin.catalog import watcher as watcher_module
from origin.catalog.rendition import Rendition, Studio
from origin.catalog.watcher import Watcher
from origin.sources import Identity
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.media_files import media_playlist, write
from tests.origin.waiting import until


@dataclass
class Watch:
    watcher: Watcher
    rendition: Rendition
    forgotten: list[Rendition] = field(default_factory=list)


@pytest.fixture
async def watch(studio: Studio, content: Path) -> AsyncIterator[Watch]:
    publish(content, 0)
    forgotten: list[Rendition] = []
    watcher = Watcher(studio.source, forgotten.append)
    rendition = Rendition("live.m3u8", studio, watcher.add)
    await rendition.current()
    task = asyncio.create_task(watcher.run())
    yield Watch(watcher, rendition, forgotten)
    task.cancel()
    await rendition.close()


def publish(content: Path, last: int, *, live: bool = True) -> None:
    write(content / f"{last}.ts", f"segment {last}")
    names = [f"{number}.ts" for number in range(last + 1)]
    write(content / "live.m3u8", media_playlist(names, live=live))


def last_of(watch: Watch) -> int:
    assert watch.rendition.edition is not None
    return watch.rendition.edition.last


async def test_a_new_version_becomes_an_edition_unasked(watch: Watch, content: Path) -> None:
    publish(content, 1)
    await until(lambda: last_of(watch) == 1)
    publish(content, 2)
    await until(lambda: last_of(watch) == 2)


async def test_a_damaged_version_is_tried_again(watch: Watch, content: Path) -> None:
    (content / "live.m3u8").write_bytes(b"")
    publish(content, 1)
    await until(lambda: last_of(watch) == 1)


async def test_the_end_ends_it(watch: Watch, content: Path) -> None:
    publish(content, 1, live=False)
    await until(lambda: not watch.rendition.is_live)
    await until(lambda: not watch.watcher._watched)


async def test_what_has_vanished_is_forgotten(
    watch: Watch, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "QUIET", 0.2)
    (content / "live.m3u8").unlink()
    await until(lambda: watch.forgotten == [watch.rendition])
    assert not watch.watcher._watched


async def test_what_comes_back_in_time_is_not(watch: Watch, content: Path) -> None:
    (content / "live.m3u8").unlink()
    await until(lambda: not watch.watcher._watched["live.m3u8"].is_there)
    publish(content, 1)
    await until(lambda: last_of(watch) == 1)
    assert watch.forgotten == []


async def test_a_source_that_is_away_for_a_moment_ends_nothing(
    watch: Watch, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = []

    def identify_all(paths: Iterable[str]) -> dict[str, Identity]:
        away.append(paths)
        raise SourceError(SourceReason.UNREACHABLE)

    with monkeypatch.context() as patch:
        patch.setattr(watch.watcher._source, "identify_all", identify_all)
        await until(lambda: away)
    publish(content, 1)
    await until(lambda: last_of(watch) == 1)
    assert watch.forgotten == []


async def test_what_is_quiet_is_looked_at_seldom(
    watch: Watch, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher_module, "QUIET", 0.0)
    watched = watch.watcher._watched["live.m3u8"]
    await until(lambda: watched.look_at > asyncio.get_running_loop().time() + 1)
    publish(content, 1)
    await watch.rendition.refresh()  # somebody asks
    assert watched.look_at == 0.0
