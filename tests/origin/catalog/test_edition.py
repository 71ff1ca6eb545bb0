"""Editions: which bytes a rendition consists of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from origin.catalog.edition import (
    Edition,
    Piece,
    Stretch,
    edition_of_file,
    edition_of_playlist,
)
from origin.catalog.playlist import Document, MediaPlaylist, parse
from origin.sources import Identity
from origin.sources.directory import Directory
from p2pcdn.model import FILE_SLICE, Span
from tests.origin.media_files import identity_of, media_playlist, write

WINDOW = 8


class Encoder:
    """Writes numbered segments, and makes editions of playlists that name them."""

    def __init__(self, content: Path) -> None:
        self.content = content
        self.source = Directory(content)
        self.edition: Edition | None = None

    def write(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            write(self.content / f"{number}.ts", f"segment {number}")

    def publish(self, first: int, last: int, *, live: bool = True, content: str = "c") -> Edition:
        text = media_playlist(
            [f"{n}.ts" for n in range(first, last + 1)], first=first, live=live, target=4
        ).encode()
        document = Document(text, Identity(len(text), 0, 0))
        playlist = parse("live.m3u8", text)
        assert isinstance(playlist, MediaPlaylist)
        self.edition = edition_of_playlist(
            self.source, "live.m3u8", content, document, playlist, self.edition, WINDOW
        )
        return self.edition


@pytest.fixture
def encoder(content: Path) -> Encoder:
    return Encoder(content)


def test_a_playlist(encoder: Encoder, content: Path) -> None:
    encoder.write(5, 6)
    edition = encoder.publish(5, 6, live=False)
    identity = identity_of(content / "5.ts")
    assert edition.pieces[5] == Piece(5, "5.ts", 2000, Stretch("5.ts", identity, 0, 9))
    assert (edition.first, edition.last, edition.live, edition.awaited) == (5, 6, False, 0)


def test_a_live_one_remembers_what_its_playlist_has_dropped(encoder: Encoder) -> None:
    encoder.write(0, 9)
    encoder.publish(0, 2)
    assert list(encoder.publish(2, 4).pieces) == [0, 1, 2, 3, 4]
    assert list(encoder.publish(7, 9).pieces) == [0, 1, 2, 3, 4, 7, 8, 9]


def test_it_remembers_no_more_than_its_window(encoder: Encoder) -> None:
    encoder.write(0, 30)
    encoder.publish(0, 5)
    assert list(encoder.publish(5, 10).pieces) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert list(encoder.publish(10, 20).pieces) == list(range(10, 21))
    assert list(encoder.publish(20, 27).pieces) == list(range(20, 28))


def test_it_forgets_what_is_deleted_or_overwritten(encoder: Encoder, content: Path) -> None:
    encoder.write(0, 5)
    encoder.publish(0, 3)
    (content / "0.ts").unlink()
    write(content / "1.ts", "another encoder")
    assert list(encoder.publish(3, 5).pieces) == [2, 3, 4, 5]


def test_it_forgets_everything_when_the_encoder_begins_anew(encoder: Encoder) -> None:
    encoder.write(0, 12)
    encoder.publish(9, 12)
    edition = encoder.publish(0, 1)
    assert list(edition.pieces) == [0, 1]
    assert edition.last == 1


def test_it_forgets_everything_when_it_is_another_content(encoder: Encoder) -> None:
    encoder.write(0, 5)
    encoder.publish(0, 3)
    assert list(encoder.publish(3, 5, content="d").pieces) == [3, 4, 5]


def test_a_finished_one_is_what_its_playlist_says(encoder: Encoder) -> None:
    encoder.write(0, 5)
    encoder.publish(0, 3)
    assert list(encoder.publish(2, 5, live=False).pieces) == [2, 3, 4, 5]


def test_the_newest_segment_is_worth_waiting_for(encoder: Encoder, content: Path) -> None:
    encoder.write(0, 2)
    assert encoder.publish(0, 3).awaited == 4
    write(content / "3.ts", b"")  # begun
    assert encoder.publish(0, 3).awaited == 4
    write(content / "3.ts", b"x")
    assert encoder.publish(0, 3).awaited == 0


def test_what_lacks_before_it_is_not(encoder: Encoder, content: Path) -> None:
    encoder.write(0, 3)
    (content / "1.ts").unlink()
    edition = encoder.publish(0, 3)
    assert edition.awaited == 0
    assert list(edition.pieces) == [0, 2, 3]
    (content / "3.ts").unlink()
    assert encoder.publish(0, 3, live=False).awaited == 0


def test_byte_ranges_lie_within_their_file(encoder: Encoder, content: Path) -> None:
    write(content / "all.mp4", b"0123456789")
    text = (
        b"#EXTM3U\n#EXT-X-BYTERANGE:4@2\n#EXTINF:2,\nall.mp4\n"
        b"#EXT-X-BYTERANGE:4\n#EXTINF:2,\nall.mp4\n"
        b"#EXT-X-BYTERANGE:1\n#EXTINF:2,\nall.mp4\n"
        b"#EXT-X-BYTERANGE:0@0\n#EXTINF:2,\nall.mp4\n#EXT-X-ENDLIST\n"
    )
    playlist = parse("a.m3u8", text)
    assert isinstance(playlist, MediaPlaylist)
    document = Document(text, Identity(0, 0, 0))
    edition = edition_of_playlist(encoder.source, "a.m3u8", "c", document, playlist, None, WINDOW)
    stretches = [(p.stretch.offset, p.stretch.length) for p in edition.pieces.values()]
    assert stretches == [(2, 4), (6, 4)]


def test_a_playlist_of_nothing(encoder: Encoder) -> None:
    edition = encoder.publish(5, 4)
    assert (edition.first, edition.last) == (6, 5)
    assert edition.within(Span(0, 63)) == []
    assert edition.after(0) is None


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (0, []),
        (1, [1]),
        (FILE_SLICE, [FILE_SLICE]),
        (2 * FILE_SLICE + 5, [FILE_SLICE, FILE_SLICE, 5]),
    ],
)
def test_a_plain_file(size: int, lengths: list[int]) -> None:
    edition = edition_of_file("a/movie.mp4", "c", Identity(size, 1, 2))
    assert [p.stretch.length for p in edition.pieces.values()] == lengths
    assert [p.stretch.offset for p in edition.pieces.values()] == [
        n * FILE_SLICE for n in range(len(lengths))
    ]
    assert {p.uri for p in edition.pieces.values()} <= {"movie.mp4"}
    assert not edition.live
    assert edition.last - edition.first + 1 == len(lengths)


def test_the_pieces_of_a_run(encoder: Encoder) -> None:
    encoder.write(60, 130)
    edition = encoder.publish(60, 130)
    assert [piece.sequence for piece in edition.within(Span(0, 63))] == [60, 61, 62, 63]
    assert [piece.sequence for piece in edition.within(Span(64, 127))] == list(range(64, 128))
    assert [piece.sequence for piece in edition.within(Span(128, 191))] == [128, 129, 130]
    assert edition.within(Span(192, 255)) == []


def test_what_comes_after_a_segment(encoder: Encoder, content: Path) -> None:
    encoder.write(3, 6)
    (content / "5.ts").unlink()
    edition = encoder.publish(3, 6)
    assert [edition.after(n) for n in (0, 2, 3, 4, 5, 6)] == [3, 3, 4, 6, 6, None]


def test_the_same_manifest_has_the_same_fingerprint(encoder: Encoder, content: Path) -> None:
    encoder.write(0, 3)
    first = encoder.publish(0, 2)
    again = encoder.publish(0, 2)
    assert again.says_the_same(first)
    assert again.fingerprint() == first.fingerprint()
    for other in (
        encoder.publish(0, 3),
        encoder.publish(0, 2, live=False),
        encoder.publish(0, 2, content="d"),
        encoder.publish(1, 2),
    ):
        assert not other.says_the_same(first)
        assert other.fingerprint() != first.fingerprint()
    write(content / "2.ts", "segment X")
    changed = encoder.publish(0, 2)
    assert changed.fingerprint() != first.fingerprint()


def test_what_is_not_known_yet_is_no_piece_but_belongs_to_the_whole(encoder: Encoder) -> None:
    encoder.write(0, 5)
    edition = encoder.publish(0, 5, live=False)
    known = edition.known_by(lambda stretch: stretch.path in ("2.ts", "4.ts"))
    assert list(known.pieces) == [2, 4]
    assert (known.first, known.last) == (2, 4)
    whole = replace(known, extent=Span(0, 5))
    assert (whole.first, whole.last) == (0, 5)
    more = replace(edition, extent=Span(0, 5))
    assert more.continues(whole.marks())
    assert not more.says_the_same(whole)
