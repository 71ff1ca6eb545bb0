"""Hashes what was hashed before once more, and says where that comes to something else.

What was prepared is compared with its own record, byte for byte of every file. Of everything else
the hashes are compared that an origin has kept. Those of a file that was changed since, by its time
or size, are of another version and say nothing; nor do those of a segment that is gone, and that no
playlist beside it names any more, as of a live stream an hour ago. All else that is gone is missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from origin.catalog.backlog import may_stand_alone
from origin.catalog.hash_store import HashStore, Kept
from origin.catalog.library import Library, top_of
from origin.preparing import record
from origin.preparing.holdings import directory_of
from origin.preparing.record import Damage
from origin.sources import File, Source
from p2pcdn.config import Config
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import CHUNK_SIZE, HASH_SIZE


@dataclass
class Tally:
    """What was looked at."""

    files: int = 0
    bytes: int = 0
    damages: int = 0
    missing: int = 0
    """Of the damages, files that are gone."""
    changed: int = 0
    """Files that are another version now than the one that was hashed."""
    dropped: int = 0
    """Files that are gone, and that no playlist names any more."""
    total: int = 0
    """Bytes that are to be looked at in all."""


def verify(source: Source, config: Config, name: str, tally: Tally) -> Iterator[Damage | None]:
    """Each damage as it is found, and None now and then; ``name``: a thing, or empty for all.

    `LookupError` if nothing of that name was ever hashed.
    """
    films = dict(_films(config, name))
    store = HashStore(config.data)
    try:
        kept = [
            each
            for each in store.kept()
            if _is_in(each.path, name) and not any(_is_in(each.path, film) for film in films)
        ]
        if name and not films and not kept:
            raise LookupError(name)
        tally.total = sum(film.size for film in films.values()) + sum(k.length for k in kept)
        for film, known in films.items():
            yield from _verify_film(config, film, known, tally)
        yield from _verify_kept(source, store, kept, tally)
    finally:
        store.close()


def _is_in(path: str, name: str) -> bool:
    return not name or path == name or path.startswith(f"{name}/")


def _films(config: Config, name: str) -> Iterator[tuple[str, record.Record]]:
    directory = directory_of(config)
    if directory is None:
        return
    for path in sorted(directory.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and name in ("", path.name):
            known = record.read(path)
            if known is not None:
                yield path.name, known


def _verify_film(
    config: Config, film: str, known: record.Record, tally: Tally
) -> Iterator[Damage | None]:
    directory = directory_of(config)
    assert directory is not None
    tally.files += len(known.files)
    for found in record.damages(directory / film, known):
        if isinstance(found, int):
            tally.bytes += found
            yield None
        else:
            tally.damages += 1
            tally.missing += found.is_gone
            yield Damage(f"{film}/{found.file}", found.offset, found.length, found.reason)


def _verify_kept(
    source: Source, store: HashStore, kept: list[Kept], tally: Tally
) -> Iterator[Damage | None]:
    by_path: dict[str, list[Kept]] = {}
    for each in kept:
        by_path.setdefault(each.path, []).append(each)
    gone = []
    for path, stretches in by_path.items():
        try:
            file = source.open(path)
        except (SourceError, OSError) as error:
            if isinstance(error, SourceError) and error.reason is SourceReason.MISSING:
                gone.append(path)
                continue
            tally.files += 1
            tally.damages += 1
            yield Damage(path, 0, _end(stretches), _unreadable(error))
            continue
        tally.files += 1
        try:
            for each in stretches:
                if each.version != file.identity.etag:
                    tally.changed += each is stretches[0]
                    continue
                for damage in _damages(file, each, store.list_of(each)):
                    tally.damages += damage is not None
                    yield damage
                tally.bytes += each.length
                yield None
        finally:
            file.close()
    missed = _missed(source, gone)
    tally.dropped = len(gone) - len(missed)
    for path in missed:
        tally.files += 1
        tally.damages += 1
        tally.missing += 1
        yield Damage(path, 0, _end(by_path[path]), record.GONE)


def _missed(source: Source, gone: list[str]) -> list[str]:
    """Of files that are gone, those that somebody still counts on: what a playlist names, what
    stood alone, and what has gone with all that was around it."""
    if not gone:
        return []
    library = Library(source)
    left = {top_of(path) for path in library.look().playlists}
    named = library.named(gone)
    return [
        path for path in gone if path in named or may_stand_alone(path) or top_of(path) not in left
    ]


def _end(stretches: list[Kept]) -> int:
    return max(each.offset + each.length for each in stretches)


def _damages(file: File, kept: Kept, hashes: bytes) -> Iterator[Damage | None]:
    for number in range(len(hashes) // HASH_SIZE):
        at = number * CHUNK_SIZE
        length = min(CHUNK_SIZE, kept.length - at)
        try:
            data = file.read(kept.offset + at, length)
        except (SourceError, OSError) as error:
            yield Damage(kept.path, kept.offset + at, length, _unreadable(error))
            return
        if hashlib.sha256(data).digest() != hashes[number * HASH_SIZE : (number + 1) * HASH_SIZE]:
            yield Damage(kept.path, kept.offset + at, length, "its bytes are others")


def _unreadable(error: SourceError | OSError) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
    return f"it cannot be read ({why})"
