"""What comes of a playlist that an encoder puts: accepted, held back, or refused.

A playlist is what makes segments be asked for, so it is taken last: it waits for segments that are
on their way (an encoder may send it beside them), and for the newest. One in the middle that is not
there will not come any more: it is marked with EXT-X-GAP, so that players do not ask for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from http import HTTPStatus

from origin.catalog.playlist import MediaPlaylist, Playlist, PlaylistError, parse
from origin.http_error import HttpError
from origin.paths import resolve

MOST_BYTES = 4_194_304
"""Of a playlist. A day of 2 s segments takes 3 MB."""

HOLD = 5.0
"""Seconds that a playlist waits for its segments, or for as long as its longest segment lasts."""

SETTLED = 10.0
"""Seconds for which an encoder that began anew is believed to be the only one: if a playlist goes
back again meanwhile, two of them write it by turns."""

_GAP = b"#EXT-X-GAP"

_URI = re.compile(rb'URI="([^"\r\n]+)"')


class Incoming:
    """A playlist that has come."""

    def __init__(self, path: str, data: bytes) -> None:
        """`HttpError` if it is none."""
        self.path = path
        self.data = data if data.endswith(b"\n") else data + b"\n"
        try:
            self._playlist: Playlist = parse(path, data)
        except PlaylistError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error

    @property
    def media(self) -> MediaPlaylist | None:
        """What it says, if it is no multivariant playlist."""
        return self._playlist if isinstance(self._playlist, MediaPlaylist) else None

    @property
    def segments(self) -> list[str]:
        """The files of its segments, the newest last."""
        return [] if self.media is None else [one.path for one in self.media.segments]

    @property
    def patience(self) -> float:
        """Seconds that it waits for segments."""
        return min(HOLD, self.media.target or HOLD) if self.media else 0.0

    def waits_for(self, missing: Collection[str], under_way: Iterable[str]) -> bool:
        """Whether some of its segments may still come."""
        lacking = set(missing)
        return bool(lacking) and (self.segments[-1] in lacking or not lacking.isdisjoint(under_way))

    def without(self, missing: Collection[str]) -> bytes:
        """The playlist, with these segments marked as missing; `HttpError` if that leaves nothing
        new."""
        if not missing:
            return self.data
        if self.segments[-1] in missing:
            raise HttpError(
                HTTPStatus.CONFLICT,
                f"The playlist names {self.segments[-1]!a}, which is not here: put segments before "
                "the playlist that names them.",
            )
        lines = []
        for line in self.data.splitlines(keepends=True):
            text = line.strip().decode(errors="replace")
            if text and not text.startswith("#") and resolve(self.path, text) in missing:
                lines.append(_GAP + b"\n")
            lines.append(line)
        return b"".join(lines)


def named_in(path: str, data: bytes) -> set[str]:
    """All files that a playlist names: segments, initialisation sections, other playlists."""
    uris = [line.strip() for line in data.splitlines() if line.strip()[:1] not in (b"", b"#")]
    uris += _URI.findall(data)
    found = (resolve(path, uri.decode(errors="replace")) for uri in uris)
    return {file for file in found if file is not None}


class Encoders:
    """Notices when two encoders write one playlist."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        """By playlist, the sequence of its newest segment."""
        self._began: dict[str, float] = {}
        """When it last went back."""

    def note(self, incoming: Incoming, now: float) -> None:
        """A playlist is about to be accepted; `HttpError` if it should not be."""
        media = incoming.media
        if media is None or not media.segments:
            return
        newest, path = media.segments[-1].sequence, incoming.path
        if newest < self._newest.get(path, -1):
            again = now < self._began.get(path, -SETTLED) + SETTLED
            self._began[path] = now
            if again:
                raise HttpError(
                    HTTPStatus.CONFLICT,
                    f"Another encoder is further in {path!a} than this one: each needs a path of "
                    "its own.",
                )
        self._newest[path] = newest

    def forget(self, path: str) -> None:
        """The playlist is gone."""
        self._newest.pop(path, None)
        self._began.pop(path, None)
