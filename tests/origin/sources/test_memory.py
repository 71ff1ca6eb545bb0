"""What is known of the files of another server, and for how long that may be believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from multidict import CIMultiDict

from origin.sources import Listing
from origin.sources import memory as module
from origin.sources.asking import NOTHING, Found
from origin.sources.known import KnownFiles
from origin.sources.memory import Memory
from origin.sources.versions import LEAST, MOST_GUESSED, Version, said

ONE, TWO = Version(1, '"one"'), Version(1, '"two"')
BEGIN = 1_800_000_000.0


class Rig:
    """A memory and its time."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self._directory = directory
        self.files, self.memory = self._made()

    def _made(self) -> tuple[KnownFiles, Memory]:
        files = KnownFiles(self._directory, "http://a/")
        return files, Memory(files, lambda: self.now, lambda: BEGIN + self.now)

    def again(self) -> None:
        self.files.close()
        self.files, self.memory = self._made()

    def note(self, path: str, version: Version, **headers: str) -> None:
        named = CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()})
        self.memory.note(path, Found(version, said(named, version.size, BEGIN + self.now)))

    def fresh(self, path: str, seconds: float) -> bool:
        """Whether it is fresh until then, and no longer."""
        then, before = self.now + seconds, self.now
        self.now = then - 0.01
        fresh = self.memory.is_fresh(path)
        self.now = then
        stale = not self.memory.is_fresh(path)
        self.now = before
        return fresh and stale

    def due(self, path: str, seconds: float) -> bool:
        then, before = self.now + seconds, self.now
        self.now = then - 0.01
        early = self.memory.is_due(path)
        self.now = then
        late = self.memory.is_due(path)
        self.now = before
        return late and not early


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.files.close()


def test_nothing_is_known_of_what_nobody_has_asked_for(rig: Rig) -> None:
    assert rig.memory.get("a") is None
    assert rig.memory.version("a") is None
    assert not rig.memory.is_fresh("a")
    assert rig.memory.is_due("a")


def test_a_version_is_fresh_for_as_long_as_the_server_says(rig: Rig) -> None:
    rig.note("a.ts", ONE, Cache_Control="max-age=90")
    assert rig.memory.version("a.ts") == ONE
    assert rig.fresh("a.ts", 90)
    assert rig.due("a.ts", 90)


def test_if_it_says_nothing_what_stays_as_it_is_is_asked_for_less_and_less(rig: Rig) -> None:
    rig.note("a.ts", ONE)
    assert rig.fresh("a.ts", LEAST)
    rig.now += 100
    rig.note("a.ts", ONE)
    assert rig.fresh("a.ts", 10)
    rig.now += 10_000
    rig.note("a.ts", ONE)
    assert rig.fresh("a.ts", MOST_GUESSED)
    rig.note("a.ts", TWO)
    assert rig.fresh("a.ts", LEAST)


def test_what_says_that_it_changes_is_not_used_for_longer_but_asked_for_less(rig: Rig) -> None:
    rig.note("a.ts", ONE, Cache_Control="no-cache")
    rig.now += 100
    rig.note("a.ts", ONE, Cache_Control="no-cache")
    assert rig.fresh("a.ts", LEAST)
    assert rig.due("a.ts", module.SELDOM)


def test_playlists_are_fresh_for_a_moment(rig: Rig) -> None:
    for path in ("a.m3u8", "a.mpd"):
        rig.note(path, ONE, Cache_Control="max-age=3600")
        assert rig.fresh(path, LEAST)
        assert rig.due(path, LEAST)
    rig.now += 100
    rig.note("a.m3u8", ONE, Cache_Control="max-age=3600")
    assert rig.fresh("a.m3u8", LEAST)
    assert rig.due("a.m3u8", 10)
    rig.note("a.m3u8", TWO)
    assert rig.due("a.m3u8", LEAST)


def test_a_version_that_stays_the_same_is_the_same_one(rig: Rig) -> None:
    rig.note("a", Version(1, '"one"', 5))
    rig.note("a", Version(1, '"one"', 6))
    assert rig.memory.version("a") == Version(1, '"one"', 5)


def test_what_is_not_there_is_known_for_a_moment(rig: Rig) -> None:
    rig.memory.note("a", NOTHING)
    known = rig.memory.get("a")
    assert known is not None
    assert known.version is None
    assert rig.fresh("a", LEAST)
    assert rig.memory.listing("") == Listing((), ())


def test_what_is_there_is_listed(rig: Rig) -> None:
    rig.note("a/b", ONE)
    assert rig.memory.listing("a") == Listing((), ("b",))
    before = rig.memory.folder_time("a")
    rig.note("a/b", TWO)
    assert rig.memory.folder_time("a") == before
    rig.memory.note("a/b", NOTHING)
    assert (rig.memory.listing("a"), rig.memory.folder_time("a")) == (None, None)


def test_it_is_known_after_a_restart_and_due(rig: Rig) -> None:
    rig.note("a/b", ONE)
    rig.note("c", ONE)
    rig.memory.note("c", NOTHING)
    rig.now += 5
    rig.again()
    known = rig.memory.get("a/b")
    assert known is not None
    assert (known.version, known.since) == (ONE, BEGIN)
    assert not rig.memory.is_fresh("a/b")
    assert rig.memory.is_due("a/b")
    assert rig.memory.listing("") == Listing(("a",), ())


def test_the_disk_hears_of_what_stays_the_same_now_and_then(rig: Rig) -> None:
    rig.note("a", ONE)
    for now, since in ((10, 0), (module._WRITE + 1, module._WRITE + 1)):
        rig.now = now
        rig.note("a", ONE)
        rig.again()
        known = rig.memory.get("a")
        assert known is not None
        assert known.since == BEGIN + since


def test_a_version_that_is_gone_is_doubted(rig: Rig) -> None:
    rig.note("a", ONE, Cache_Control="max-age=60")
    rig.memory.doubt("a", TWO)
    assert rig.memory.is_fresh("a")
    rig.memory.doubt("a", ONE)
    assert not rig.memory.is_fresh("a")
    assert rig.memory.version("a") is None


def test_there_is_a_most_of_what_is_known(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    monkeypatch.setattr(module, "_MOST_ABSENT", 2)
    for path in ("a", "b", "a", "c"):
        rig.note(path, ONE)
    for path in ("x", "y", "z"):
        rig.memory.note(path, NOTHING)
    known = [path for path in "abcxyz" if rig.memory.get(path) is not None]
    assert known == ["a", "c", "y", "z"]
    assert rig.memory.listing("") == Listing((), ("a", "c"))
