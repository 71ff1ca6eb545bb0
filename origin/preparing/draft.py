"""A content in the making: a hidden folder beside its place, which it takes once it is whole.

::

    .NAME.draft/  recipe, journal, segments  --finish-->  NAME/  playlists, segments, record

The journal has a line for each segment that was written, with its hashes. Whoever goes on after a
kill, or a crash of the machine, checks the files by them, and begins where they are no longer
right: so nothing has to be flushed to the disk before all is done.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import msgspec

from origin.preparing import record
from origin.preparing.facts import MediaError
from origin.preparing.plan import Anew
from origin.preparing.record import Hashes, Origin, Record
from origin.preparing.rendition import NOTHING_DONE, Finished, Progress

_RECIPE = ".recipe"
_JOURNAL = ".journal"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class TakenError(MediaError):
    """Something else has the name."""


class BusyError(MediaError):
    """Somebody else is at it."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the journal: a file that was written."""

    rendition: str
    number: int
    """-1 for the initialisation section."""
    size: int
    chunks: bytes
    begin: str = "0"
    end: str = "0"

    @property
    def file(self) -> str:
        return file_name(self.rendition, self.number, self.chunks)


class Recipe(msgspec.Struct, frozen=True):
    """What a draft is made from, and by what: another recipe makes it anew."""

    origin: Origin
    anew: Anew
    program: str


def file_name(rendition: str, number: int, chunks: bytes) -> str:
    """The name of a segment's file, or of the initialisation section's (-1).

    What is in it is part of its name: caches keep segments for good, and a film that is added anew
    in the place of another one must not be mixed with that.
    """
    mark = hashlib.sha256(chunks).hexdigest()[:8]
    return f"{rendition}-init-{mark}.mp4" if number < 0 else f"{rendition}-{number:05}-{mark}.m4s"


def folder_of(content: Path, name: str) -> Path:
    """Where a content of this name is made."""
    return content / f".{name}.draft"


class Draft:
    """A content in the making. Only one process has it at a time."""

    def __init__(self, place: Path, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._entries: dict[str, list[Entry]] = {}
        self._inits: dict[str, Entry] = {}
        self.begun_at = 0
        """Bytes that a former attempt had written."""

    # Going on

    def begin(self, recipe: Recipe) -> None:
        """Go on where an attempt of the same recipe ended, or begin anew."""
        path = self._folder / _RECIPE
        data = msgspec.json.encode(recipe)
        if _read(path) == data:
            self._recover()
            return
        self.restart(recipe)

    def restart(self, recipe: Recipe) -> None:
        """Begin anew, whatever is there."""
        for path in self._folder.iterdir():
            path.unlink()
        self._entries, self._inits, self.begun_at = {}, {}, 0
        self._write(_RECIPE, msgspec.json.encode(recipe))

    def former_recipe(self) -> Recipe | None:
        """The recipe of the attempt that is there."""
        data = _read(self._folder / _RECIPE)
        try:
            return None if data is None else msgspec.json.decode(data, type=Recipe)
        except msgspec.DecodeError:
            return None

    def done(self, rendition: str) -> Progress:
        """How far a rendition has come."""
        entries = self._entries.get(rendition, [])
        if not entries or rendition not in self._inits:
            return NOTHING_DONE
        return Progress(len(entries), Fraction(entries[-1].end))

    def cuts(self) -> list[Fraction]:
        """The instants at which segments begin, as far as they are known."""
        entries = [entry for own in self._entries.values() for entry in own]
        return sorted({Fraction(t) for entry in entries for t in (entry.begin, entry.end)})

    # Writing

    def keep(self, rendition: str, segment: Finished) -> None:
        """Write a segment, and what it has to hash to."""
        init = record.hashes(segment.parts.init)
        known = self._inits.get(rendition)
        if known is None:
            self._add(Entry(rendition, -1, init.size, init.chunks), segment.parts.init)
        elif known.chunks != init.chunks:
            raise MediaError(
                "Its format changes in the middle, which cannot be copied; --encode does it."
            )
        data = segment.parts.fragment
        own = record.hashes(data)
        begin, end = str(segment.begin), str(segment.end)
        self._add(Entry(rendition, segment.number, own.size, own.chunks, begin, end), data)

    def segments(self, rendition: str) -> list[Entry]:
        """The segments that are done."""
        return self._entries.get(rendition, [])

    def init(self, rendition: str) -> tuple[str, bytes]:
        """The initialisation section of a rendition: its file, and what is in it."""
        name = self._inits[rendition].file
        return name, (self._folder / name).read_bytes()

    def finish(
        self, texts: Mapping[str, str], origin: Origin, seconds: float, renditions: tuple[str, ...]
    ) -> Record:
        """Put in the playlists, and the whole into its place."""
        files = {
            entry.file: Hashes(entry.size, entry.chunks)
            for rendition, init in self._inits.items()
            for entry in (init, *self._entries.get(rendition, []))
        }
        for name, text in texts.items():
            self._write(name, text.encode())
            files[name] = record.hashes(text.encode())
        made = Record(record.VERSION, origin, seconds, renditions, files)
        with _told(self._folder):
            record.write(self._folder, made)
            for path in self._folder.iterdir():
                if path.name not in files and path.name != record.FILE:
                    path.unlink()
            for path in self._folder.iterdir():
                _flush(path)
            _flush(self._folder)
            if self._place.exists():
                raise TakenError(_taken(self._place))
            self._folder.rename(self._place)
            _flush(self._place.parent)
        return made

    def _add(self, entry: Entry, data: bytes) -> None:
        self._write(entry.file, data)
        with _told(self._folder), (self._folder / _JOURNAL).open("ab") as journal:
            journal.write(msgspec.json.encode(entry) + b"\n")
        self._note(entry)

    def _note(self, entry: Entry) -> None:
        if entry.number < 0:
            self._inits[entry.rendition] = entry
        else:
            self._entries.setdefault(entry.rendition, []).append(entry)

    def _write(self, name: str, data: bytes) -> None:
        with _told(self._folder):
            (self._folder / name).write_bytes(data)

    def _recover(self) -> None:
        good: list[Entry] = []
        broken: set[str] = set()
        for line in (_read(self._folder / _JOURNAL) or b"").splitlines():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError:
                break
            data = _read(self._folder / entry.file)
            expected = entry.number < 0 or entry.number == len(
                self._entries.get(entry.rendition, [])
            )
            right = data is not None and record.hashes(data) == Hashes(entry.size, entry.chunks)
            if entry.rendition in broken or not (right and expected):
                broken.add(entry.rendition)
                continue
            self._note(entry)
            good.append(entry)
            self.begun_at += entry.size
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in good)
        self._write(_JOURNAL, lines)


@contextmanager
def opened(content: Path, name: str) -> Iterator[Draft]:
    """The draft of a content, for this process alone.

    `TakenError` if something has its place, `BusyError` if another process is at it.
    """
    place, folder = content / name, folder_of(content, name)
    if place.exists() or place.is_symlink():
        raise TakenError(_taken(place))
    with _told(content):
        folder.mkdir(exist_ok=True)
    with _locked(folder, name):
        if place.exists():  # the other process was done in that moment
            raise TakenError(_taken(place))
        yield Draft(place, folder)


def discard(content: Path, name: str) -> bool:
    """Throw a draft away; whether there was one. `BusyError` if another process is at it."""
    folder = folder_of(content, name)
    if not folder.is_dir() or folder.is_symlink():
        return False
    with _locked(folder, name):
        shutil.rmtree(folder)
    return True


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(
                f"{name} is being added by another process; wait for it, or end it."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _taken(place: Path) -> str:
    return (
        f"There is something else at {place} already: give another name by --name, or `p2pcdn "
        f"remove {place.name}` first."
    )


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Says what a person can do about a disk that takes no more."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise MediaError(
                f"There is no room left at {place.parent} ({error.strerror}). What is done so far "
                "is kept: make room and give the same command again, and it goes on."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise MediaError(
                f"{error.filename or place} cannot be written ({error.strerror}): let "
                "this user write to the content directory, or name another by --content."
            ) from error
        raise


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
