"""`p2pcdn add`: a film, a folder, an archive or another place becomes a content."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import click
import msgspec

from p2pcdn import logs
from p2pcdn.cli.get import INTERRUPTED
from p2pcdn.cli.options import Number, with_settings
from p2pcdn.cli.peer import size_text
from p2pcdn.cli.showing import Shown, counted, length_text
from p2pcdn.config import Config, Content, MountConfig, content_at, is_url
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from p2pcdn.settings import Settings

if TYPE_CHECKING:
    from origin.preparing.plan import Options
    from origin.preparing.record import Record
    from origin.sources import Reachable

_MOST_SHOWN = 10

_WHAT = "What is added"
"""In sentences about what cannot be."""

_BUFFER = 1024 * 1024
"""Bytes that are asked of another place at once, at least."""

_NAME = re.compile(r"(?![.])[^/\\\x00-\x1f\x7f]{1,100}")


class Added(NamedTuple):
    """What came of it."""

    name: str
    kind: str
    paths: list[str]
    """Below /media/, of what can be played."""
    what: str
    """In words."""
    is_new: bool
    fingerprint: str = ""
    facts: dict[str, Any] = {}  # noqa: RUF012 - never changed


class _Ladder(click.ParamType):  # type: ignore[type-arg]
    name = "heights"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip().removesuffix("p") for part in value.split(",")]
        if not all(part.isdigit() and 64 <= int(part) <= 4320 for part in parts):
            self.fail(f"A ladder is heights such as 1080,720,480 (64 to 4320), not {value!r}.")
        return tuple(sorted({int(part) for part in parts}, reverse=True))


@click.command()
@click.argument("thing")
@click.option(
    "--name",
    metavar="NAME",
    help="What it is called below /media/; unless given, as the file or the folder is.",
)
@click.option(
    "--segment",
    type=Number(1, 30),
    metavar="SECONDS",
    default=4.0,
    show_default=True,
    help="How long the segments of a film are, about.",
)
@click.option(
    "--ladder",
    type=_Ladder(),
    default=(),
    metavar="HEIGHTS",
    help="Make a film in these sizes, such as 1080,720,480; never larger than it is.",
)
@click.option(
    "--separate-audio",
    is_flag=True,
    help="All sound tracks of a film, in playlists of their own.",
)
@click.option("--encode", is_flag=True, help="Encode a film's picture even if it can be copied.")
@click.option("--json", "as_json", is_flag=True, help="Say how it goes as lines of JSON.")
@with_settings("content", "data", "site", "listen")
def command(
    settings: Settings,
    thing: str,
    name: str | None,
    as_json: bool,
    **wishes: Any,
) -> int:
    """Make THING a content that is served.

    A film (MP4, MKV, MOV, WebM, TS, AVI, MP3...) is made into HLS in the content directory: its
    streams are copied where browsers play them, else encoded. A folder, a zip archive or the URL
    of another place (https://, s3://) is mounted: it is served from where it is, and nothing is
    copied. A running origin notices both within seconds.

    It can be stopped: the same command goes on.

    \b
    Exit codes: 0    it is there (or was already)
                1    it cannot be
                2    the command is wrong
                130  Ctrl-C
    """
    from origin.preparing.facts import MediaError
    from origin.preparing.plan import Options

    context = click.get_current_context()
    if context.get_parameter_source("log_level") is click.core.ParameterSource.DEFAULT:
        logs.configure("error")
    config = settings.config
    shown = Shown(as_json)
    if name is not None and not _NAME.fullmatch(name.rpartition("/")[2]):
        raise click.UsageError(
            "--name takes a name for URLs: up to 100 characters, without a dot at its beginning."
        )
    try:
        added = _add(thing, name, config, Options(**wishes), shown)
    except KeyboardInterrupt:
        click.echo("p2pcdn: stopped. The same command goes on where it was.", err=True)
        return INTERRUPTED
    except MediaError as error:
        raise click.ClickException(f"{thing}: {error}") from error
    except SourceError as error:
        why = error.detail.removeprefix(f"{thing} cannot be had: ")
        raise click.ClickException(
            f"{thing} cannot be read from there ({error.reason.value}): {why}"
        ) from error
    _say(added, config, as_json=as_json)
    return 0


def _add(thing: str, name: str | None, config: Config, options: Options, shown: Shown) -> Added:
    content = content_at(thing)
    if is_url(content):
        return _elsewhere(content, name, config, options, shown)
    path = Path(content)
    if path.is_dir():
        _require_no_wishes(options)
        return _folder(path.resolve(), name, config, shown)
    if not path.exists():
        raise click.ClickException(f"There is nothing at {path}.")
    if not path.is_file():
        raise click.ClickException(f"{path} is neither a file nor a folder.")
    if zipfile.is_zipfile(path):
        _require_no_wishes(options)
        return _mount(path.resolve(), name or _slug(path.stem), "zip", config, shown)
    with path.open("rb") as file:
        mtime_ns = path.stat().st_mtime_ns
        name = name or _slug(path.stem)
        return _film(file, path.name, mtime_ns, name, config, options, shown)


# A film


def _film(
    file: BinaryIO,
    title: str,
    mtime_ns: int,
    name: str,
    config: Config,
    options: Options,
    shown: Shown,
) -> Added:
    """A film that is read from anywhere; ``title`` is what its file is called."""
    from origin.preparing.playlists import INDEX
    from origin.preparing.prepare import Wish, prepare

    directory = _content_directory(config)
    if "/" in name:
        raise click.UsageError("The name of a film has no slash: it is a folder of the content.")
    _require_free(name, config)
    wish = Wish.of(file, title, mtime_ns, options)
    with shown.progress(f"Preparing {title}") as tell:
        made = prepare(wish, directory, name, tell, shown.note)
    index = f"{name}/{INDEX}"
    fingerprint = _fingerprint(config, index, shown)
    facts = {"bytes": made.record.size, "seconds": round(made.record.seconds, 3)}
    what = _described(made.record)
    return Added(name, "film", [index], what, made.is_new, fingerprint, facts)


def _require_free(name: str, config: Config) -> None:
    """A mount would hide a film of the same name."""
    from origin.sources import added

    for mount in (*config.mount, *added.read(config.data)):
        if mount.path == name:
            raise _taken(name, mount.content)


def _taken(name: str, by: Content) -> click.ClickException:
    return click.ClickException(
        f"{name} is taken, by {by}: give another name by --name, or `p2pcdn remove {name}` first."
    )


def _described(made: Record) -> str:
    renditions = ", ".join(made.renditions)
    return f"{length_text(made.seconds)}, {size_text(made.size)}: {renditions}"


def _content_directory(config: Config) -> Path:
    from origin.preparing.holdings import directory_of

    directory = directory_of(config)
    if directory is not None:
        return directory
    if config.content is None:
        raise click.UsageError("Say where it goes: --content DIR, as for `p2pcdn serve`.")
    raise click.UsageError(
        f"A film needs a directory to go to: --content is {config.content}, which is none."
    )


def _fingerprint(config: Config, path: str, shown: Shown) -> str:
    """That of a content, hashed where an origin will find the hashes, if they can be kept there."""
    try:
        return asyncio.run(_hash(config, path))
    except ConfigError as error:
        shown.note(f"The origin will hash it once more: {error}")
    with tempfile.TemporaryDirectory() as data:
        return asyncio.run(_hash(msgspec.structs.replace(config, data=Path(data)), path))


async def _hash(config: Config, path: str) -> str:
    from origin.preparing.fingerprint import fingerprint
    from origin.sources.mounts import source_of

    with contextlib.closing(source_of(config)) as source:
        return await fingerprint(source, config, path)


# What is a source of its own


def _folder(path: Path, name: str | None, config: Config, shown: Shown) -> Added:
    from origin.catalog.library import Library
    from origin.preparing.holdings import directory_of, presentations
    from origin.sources.directory import Directory

    directory = directory_of(config)
    if directory is not None and path.is_relative_to(directory.resolve()):
        inner = path.relative_to(directory.resolve()).as_posix()
        inner = "" if inner == "." else inner
        paths = presentations(Library(Directory(directory)).look(), inner)
        return Added(inner or ".", "folder", paths, "it is in the content directory", is_new=False)
    return _mount(path, name or _slug(path.name), "folder", config, shown)


def _require_no_wishes(options: Options) -> None:
    """What is served as it is cannot be made otherwise."""
    from origin.preparing.plan import Options

    if options != Options():
        raise click.UsageError(
            "--segment, --ladder, --separate-audio and --encode are for films; folders, archives "
            "and places elsewhere are served as they are."
        )


def _mount(
    content: Content, name: str, kind: str, config: Config, shown: Shown, *, is_known: bool = False
) -> Added:
    """``is_known``: somebody has just asked whether another place is there."""
    from origin.catalog.library import Library
    from origin.preparing.holdings import directory_of, presentations
    from origin.sources import Reachable, added
    from origin.sources.mounts import source_at

    mount = MountConfig(path=name, content=content)
    with contextlib.closing(source_at(mount, config, name=_WHAT)) as source:
        if isinstance(source, Reachable):  # it may have no lists, or very long ones
            view = None
            if not is_known:
                _reach(source, shown)
        else:
            view = Library(source).look()
    with added.changed(config.data) as mounts:
        is_new = mount not in mounts
        taken = {other.path: other.content for other in (*config.mount, *mounts)}
        directory = directory_of(config)
        if directory is not None and (directory / name).exists():
            taken[name] = directory / name
        if is_new and name in taken:
            raise _taken(name, taken[name])
        if is_new:
            mounts.append(mount)
    what = f"served from {content}"
    paths: list[str] = []
    if view is not None:
        paths = [f"{name}/{path}" for path in presentations(view)]
        others = counted(len(view.files), "other file")
        what = f"{counted(len(paths), 'playlist')}, {others}, {what}"
    return Added(name, kind, paths, what, is_new)


def _reach(source: Reachable, shown: Shown) -> None:
    """Ask whether another place is there: nobody is to hear of that from viewers."""
    try:
        source.reach()
    except SourceError as error:
        if error.reason is not SourceReason.STATUS:
            raise
        shown.note(f"It does not say what it has, which may be as it should be: {error.detail}.")


def _elsewhere(url: str, name: str | None, config: Config, options: Options, shown: Shown) -> Added:
    """A film is read from there once; a playlist is served from there, with all beside it, and so
    is what is no file."""
    from origin.catalog.playlist import PlaylistError, load, parse
    from origin.content_types import is_media, is_playlist
    from origin.preparing.stream import SourceStream
    from origin.sources.mounts import source_at

    where, mark, query = url.partition("?")
    folder, _, last = where.rpartition("/")
    beside = f"{folder}/{mark}{query}"
    if not (is_playlist(last) or is_media(last)) or folder.endswith("/"):
        _require_no_wishes(options)
        return _mount(url, name or _name_of_url(url), "elsewhere", config, shown)
    title = unquote(last)
    with contextlib.ExitStack() as stack:
        source = source_at(MountConfig(path="there", content=beside), config, name=_WHAT)
        stack.callback(source.close)
        if is_playlist(last):
            _require_no_wishes(options)
            try:
                parse(title, load(source, title).data)
            except PlaylistError as error:
                raise click.ClickException(f"{url} is not a playlist: {error}") from error
            name = name or _name_of_url(folder)
            made = _mount(beside, name, "elsewhere", config, shown, is_known=True)
            return made._replace(paths=[f"{made.name}/{title}"])
        stream = SourceStream(source.open(title))
        file = stack.enter_context(io.BufferedReader(stream, _BUFFER))
        name = name or _slug(title.rpartition(".")[0])
        mtime_ns = stream.identity.mtime_ns
        return _film(file, title, mtime_ns, name, config, options, shown)


# Names


def _slug(text: str) -> str:
    """A name that looks well in a URL."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:100] or "film"


def _name_of_url(url: str) -> str:
    """The last folder of its path; without any, its host."""
    parts = urlsplit(url)
    names = [unquote(part) for part in parts.path.split("/") if part]
    return _slug(names[-1] if names else parts.hostname or "")


# What is said


def _say(added: Added, config: Config, *, as_json: bool) -> None:
    """Say that it is there, and how it is played."""
    from p2pcdn.cli.serving import public_url, snippet
    from p2pcdn.service import Server

    server = Server.of(config, [])
    base = f"{public_url(server, config)}/media/"
    urls = [base + quote(path) for path in added.paths]
    if as_json:
        event = {
            "event": "added",
            "name": added.name,
            "kind": added.kind,
            "new": added.is_new,
            **added.facts,
            "urls": urls,
            "snippet": snippet(server, config),
            "fingerprint": added.fingerprint or None,
        }
        click.echo(json.dumps(event))
        return
    lines = [
        ("Added" if added.is_new else "Is there", f"{added.name}: {added.what}"),
        *(("Play", url) for url in urls[:_MOST_SHOWN]),
    ]
    if len(urls) > _MOST_SHOWN:
        lines.append(("", f"and {len(urls) - _MOST_SHOWN} more"))
    if not urls:
        lines.append(("Below", f"{base}{quote(added.name)}/"))
    lines.append(("Snippet", snippet(server, config)))
    if added.fingerprint:
        lines.append(("Fingerprint", added.fingerprint))
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        click.echo(f"{label:<{width}}  {text}")
