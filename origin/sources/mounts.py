"""Several sources as one: each under a path of its own, below another or not.

A mount hides what the source above it has at its path, as in a file system. Of the folders that
lead to a mount, those that no source has are there nevertheless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

from origin.sources import File, Identity, Listing, Source, added, missing
from origin.sources.archive import folders_above
from origin.sources.bucket import Bucket
from origin.sources.cache import DiskCache
from origin.sources.directory import Directory
from origin.sources.object_store import ObjectReader, connect, place_of
from origin.sources.turns import Turns
from origin.sources.upstream import upstream_at
from origin.sources.zip import Zip
from p2pcdn.config import Config, Content, MountConfig, is_url
from p2pcdn.errors import ConfigError, SourceError, SourceReason, UnavailableError

log = structlog.get_logger("p2pcdn.origin")


class Mounts:
    """Sources by their paths; the one at the top has the path ``""``, and may be missing."""

    def __init__(self, sources: Mapping[str, Source], since: int = 0) -> None:
        """``since``: when these became the mounts, in nanoseconds since 1970."""
        self._sources = dict(sources)
        self._since = since
        self._leading: dict[str, set[str]] = {}
        """The folders in which mounts are, or folders that lead to one, with the names of these."""
        for path in filter(None, self._sources):
            for below in (path, *folders_above(path)):
                folder, _, name = below.rpartition("/")
                self._leading.setdefault(folder, set()).add(name)

    def open(self, path: str) -> File:
        mount, inner = self._find(path)
        if mount is None or path in self._leading:
            raise missing(path)
        try:
            return self._sources[mount].open(inner)
        except SourceError as error:
            raise _named(error, path) from error

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        asked: dict[str, dict[str, str]] = {}
        for path in paths:
            mount, inner = self._find(path)
            if mount is not None and path not in self._leading:
                asked.setdefault(mount, {})[inner] = path
        return {
            outer[inner]: identity
            for mount, outer in asked.items()
            for inner, identity in self._sources[mount].identify_all(outer).items()
        }

    def list(self, folder: str) -> Listing:
        leading = self._leading.get(folder, set())
        mount, inner = self._find(folder)
        try:
            if mount is None:
                raise missing(folder)
            listing = self._sources[mount].list(inner)
        except SourceError as error:
            if not leading:
                raise _named(error, folder) from error
            listing = Listing((), ())
        folders = leading.union(listing.folders)
        files = (name for name in listing.files if name not in leading)
        return Listing(tuple(sorted(folders)), tuple(files))

    def folder_time(self, folder: str) -> int:
        mount, inner = self._find(folder)
        try:
            if mount is None:
                raise missing(folder)
            changed = self._sources[mount].folder_time(inner)
        except SourceError as error:
            if folder not in self._leading:
                raise _named(error, folder) from error
            changed = 0  # nothing comes or goes in it
        return max(changed, self._since) if folder in self._leading else changed

    def is_far(self, path: str) -> bool:
        mount, inner = self._find(path)
        return mount is not None and self._sources[mount].is_far(inner)

    def problems(self) -> tuple[str, ...]:
        found = (p for source in self._sources.values() for p in source.problems())
        return tuple(dict.fromkeys(found))  # a disk may be full for several

    def parts(self) -> Mapping[str, Source]:
        return self._sources

    def close(self) -> None:
        for source in self._sources.values():
            source.close()

    def _find(self, path: str) -> tuple[str | None, str]:
        """The mount that a path belongs to, and what is left of the path below it."""
        for mount in (path, *folders_above(path)):
            if mount and mount in self._sources:
                return mount, path[len(mount) + 1 :]
        return ("" if "" in self._sources else None), path


def source_of(config: Config) -> added.Following:
    """What a configuration says that is served, and what was added to it; `ConfigError` if anything
    of the configuration is not there.

    What was added and is not there any more is left out, with a warning: it must not keep the
    others from being served.
    """
    sources: dict[str, Source] = {}
    common = _common(config)
    if config.content is not None:
        sources[""] = _source_at(config.content, "content", config, common)
    for mount in config.mount:
        name = f"The content of the mount {mount.path!r}"
        sources[mount.path] = _source_at(mount.content, name, config, common)
    if not sources and not config.elsewhere and not added.read(config.data):
        raise ConfigError(
            "Say what to serve: content has to be the directory of the media, a zip archive or a "
            "URL."
        )
    known: dict[MountConfig, Source] = {}

    def make(since: int) -> Source:
        """With what is added now; sources of mounts that stay are kept, with what they know."""
        current: dict[MountConfig, Source] = {}
        for mount in added.read(config.data):
            if mount.path in sources:
                log.warning("mount_hidden", path=mount.path, by="the configuration")
                continue
            try:
                source = known.get(mount) or source_at(mount, config, common)
            except (ConfigError, OSError) as error:
                log.warning("mount_left_out", path=mount.path, error=str(error))
            else:
                current[mount] = source
        for mount, source in known.items():
            if mount not in current:
                source.close()
        known.clear()
        known.update(current)
        everything = sources | {mount.path: source for mount, source in current.items()}
        return sources[""] if [*everything] == [""] else Mounts(everything, since)

    return added.Following(config.data, make)


class Common(NamedTuple):
    """What sources far away have together."""

    cache: DiskCache
    turns: Turns


def source_at(
    mount: MountConfig, config: Config, common: Common | None = None, name: str = ""
) -> Source:
    """The source of a mount that was added; `ConfigError` if there is none, by ``name`` or as
    that of a mount."""
    common = common or _common(config)
    name = name or f"The content of the mount {mount.path!r}"
    return _source_at(mount.content, name, config, common)


def _common(config: Config) -> Common:
    return Common(DiskCache(config.data / "cache", config.origin.cache_size), Turns())


def _source_at(content: Content, name: str, config: Config, common: Common) -> Source:
    if is_url(content):
        return _source_elsewhere(content, name, config, common)
    path = Path(content)
    if path.is_dir():
        return Directory(path)
    if path.exists():
        return Zip(path)
    raise UnavailableError(
        f"{name} has to be a directory, a zip archive or a URL; there is none at {path}."
    )


def _source_elsewhere(url: str, name: str, config: Config, common: Common) -> Source:
    match url.partition("://")[0].lower():
        case "s3" | "gs" | "az":
            place = place_of(url, name)
            reader = ObjectReader(connect(place, name), turns=common.turns)
            return Bucket(place, reader, common.cache)
        case "http" | "https":
            return upstream_at(url, name, config, *common)
        case scheme:
            raise ConfigError(f"{name} can be had by http, https, s3, gs or az, not by {scheme}.")


def _named(error: SourceError, path: str) -> SourceError:
    """The error of a source, with the path as we have it."""
    return missing(path) if error.reason is SourceReason.MISSING else error
