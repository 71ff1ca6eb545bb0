"""The configuration is read again when its file changes, and on a signal."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import structlog.testing

from p2pcdn import settings
from p2pcdn.config import Config
from p2pcdn.errors import ConfigError
from tracker import reload
from tracker.reload import Reloader


class Reading:
    """A file, and what was read of it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.file.write_text("site = 'first'")
        self.read: list[str] = []
        self.news = asyncio.Event()
        self.refuse = False
        found = settings.load(file=file, environ={})
        self.reloader = Reloader(found.again, file, self._apply, self._named, found.config)

    def _named(self, config: Config) -> list[Path]:
        """Beside it, named like the site."""
        return [self.file.with_name(config.site)]

    def _apply(self, config: Config) -> None:
        if self.refuse:
            raise ConfigError("no")
        self.read.append(config.site)
        self.news.set()

    async def next(self) -> str:
        await asyncio.wait_for(self.news.wait(), 10)
        self.news.clear()
        return self.read[-1]


async def test_a_file_that_changes_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.01)
    reading = Reading(tmp_path / "p.toml")
    reading.reloader.start()
    try:
        reading.file.write_text("site = 'second'")
        assert await reading.next() == "second"
        new = tmp_path / "new.toml"
        new.write_text("site = 'third0'")
        os.replace(new, reading.file)  # noqa: PTH105 - as editors and Kubernetes do
        assert await reading.next() == "third0"
    finally:
        await reading.reloader.close()


async def test_a_file_that_is_wrong_changes_nothing_and_is_reported(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "p.toml")
    for text in ("site = ", "sit = 'x'", "[sites.x]\nmod = 'off'"):
        reading.file.write_text(text)
        with structlog.testing.capture_logs() as logs:
            reading.reloader.again()
        assert [entry["event"] for entry in logs] == ["configuration_refused"]
        assert str(reading.file) in logs[0]["error"]
    reading.file.unlink()
    reading.reloader.again()
    assert reading.read == []
    reading.file.write_text("site = 'mended'")
    reading.reloader.again()
    assert reading.read == ["mended"]


async def test_a_file_that_is_being_written_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.0)
    reading = Reading(tmp_path / "p.toml")
    reading.reloader.start()
    for number in range(20):
        reading.file.write_text("#" * number)  # of another size at each look
        await asyncio.sleep(0)
    assert reading.read == []
    reading.file.write_text("site = 'whole'")
    assert await reading.next() == "whole"
    await reading.reloader.close()


async def test_a_file_that_stays_as_it_is_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.0)
    reading = Reading(tmp_path / "p.toml")
    reading.reloader.start()
    for _ in range(20):
        await asyncio.sleep(0)
    await reading.reloader.close()
    assert reading.read == []


async def test_a_file_that_is_named_in_it_counts_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.01)
    reading = Reading(tmp_path / "p.toml")
    reading.reloader.start()
    try:
        for text in ("is there", "is another", ""):
            (tmp_path / "first").write_text(text)
            assert await reading.next() == "first"
        (tmp_path / "first").unlink()
        assert await reading.next() == "first"
        # What the file names from now on counts, even if it cannot be used yet.
        reading.refuse = True
        with structlog.testing.capture_logs() as logs:
            reading.file.write_text("site = 'second'")
            async with asyncio.timeout(10):
                while not logs:  # noqa: ASYNC110 - the reloader has no event for a refusal
                    await asyncio.sleep(0.01)
        reading.refuse = False
        (tmp_path / "second").write_text("is there")
        assert await reading.next() == "second"
    finally:
        await reading.reloader.close()


async def test_a_file_that_is_named_no_more_is_nobody_s_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 0.0)
    reading = Reading(tmp_path / "p.toml")
    reading.file.write_text("site = 'second'")
    reading.reloader.again()
    reading.reloader.start()
    (tmp_path / "first").write_text("is there")
    for _ in range(20):
        await asyncio.sleep(0)
    await reading.reloader.close()
    assert reading.read == ["second"]


async def test_the_signal_reads_it_at_once(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "p.toml")
    reading.reloader.start()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        assert await reading.next() == "first"
    finally:
        await reading.reloader.close()


async def test_without_a_file_there_is_the_signal_alone() -> None:
    read: list[Config] = []
    reloader = Reloader(Config, None, read.append, lambda _: (), Config())
    reloader.start()
    reloader.again()
    await reloader.close()
    assert read == [Config()]


async def test_a_bug_does_not_end_the_watch(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "p.toml")

    def fail(_: Config) -> None:
        raise ZeroDivisionError

    reloader = Reloader(lambda: Config(), reading.file, fail, lambda _: (), Config())
    with structlog.testing.capture_logs() as logs:
        reloader.again()
    assert [entry["event"] for entry in logs] == ["configuration_failed"]
