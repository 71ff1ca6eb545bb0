"""Bodies: from memory, from the page cache, from the disk."""

from __future__ import annotations

import pytest

from origin.http.conditions import Validators
from origin.http.representation import Content, FileContent, Representation, text_of
from origin.sources import Identity
from p2pcdn.errors import SourceError


class SlowFile:
    """A file of which nothing is in memory, or all."""

    identity = Identity(10, 0, 0)

    def __init__(self, cached: bool) -> None:
        self.cached = cached
        self.reads = 0
        self.closed = False

    def read(self, offset: int, size: int) -> bytes:
        self.reads += 1
        return b"0123456789"[offset : offset + size]

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        return memoryview(b"0123456789")[offset : offset + size] if self.cached else None

    def current(self) -> Identity:
        return self.identity

    def close(self) -> None:
        self.closed = True


async def test_content() -> None:
    body = Content(b"0123456789")
    assert body.length == 10
    assert bytes(await body.read(8, 5)) == b"89"
    body.close()


async def test_a_file_that_is_in_memory_is_read_without_a_thread() -> None:
    file = SlowFile(cached=True)
    body = FileContent(file)
    assert body.length == 10
    assert bytes(await body.read(2, 3)) == b"234"
    assert file.reads == 0


async def test_a_file_that_is_not_is_read_in_one() -> None:
    file = SlowFile(cached=False)
    body = FileContent(file)
    assert bytes(await body.read(2, 3)) == b"234"
    assert file.reads == 1


class WrittenTo(SlowFile):
    """A file of a disk, into which somebody writes."""

    now = SlowFile.identity

    def current(self) -> Identity:
        return self.now

    def keep(self) -> None:
        """It is not to be kept."""


@pytest.mark.parametrize("cached", [True, False])
async def test_a_file_that_somebody_writes_to_is_given_no_more_of(cached: bool) -> None:
    file = WrittenTo(cached)
    body = FileContent(file)
    assert bytes(await body.read(2, 3)) == b"234"
    file.now = Identity(10, 1, 0)
    with pytest.raises(SourceError, match="Somebody writes to it"):
        await body.read(5, 3)


async def test_closing() -> None:
    file = SlowFile(cached=True)
    FileContent(file).close()
    assert file.closed


def test_what_is_said_about_it() -> None:
    body, validators = Content(b"x"), Validators('"v1"', 0)
    shown = Representation(body, validators, "a/b", "no-cache", "media", (("Vary", "*"),))
    assert shown.described == {
        "Etag": '"v1"',
        "Cache-Control": "no-cache",
        "Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        "Vary": "*",
    }
    assert shown.full == {"Content-Type": "a/b", "Accept-Ranges": "bytes", **shown.described}
    assert shown.full.text == text_of(shown.full)
    assert shown.full.text.startswith("Content-Type: a/b\r\nAccept-Ranges: bytes\r\n")
    assert Representation(body, Validators("e"), "a/b", "", "media").described.keys() == {
        "Etag",
        "Cache-Control",
    }
