"""What comes of playlists that are put."""

from __future__ import annotations

import pytest

from origin.http_error import HttpError
from origin.ingest.playlists import HOLD, SETTLED, Encoders, Incoming, named_in
from tests.origin.media_files import media_playlist, multivariant_playlist

PATH = "live/a.m3u8"


def incoming(*numbers: int, target: float = 2) -> Incoming:
    names = [f"{n}.ts" for n in numbers]
    text = media_playlist(names, first=numbers[0] if numbers else 0, live=True, target=target)
    return Incoming(PATH, text.encode())


def test_it_waits_for_its_newest_and_for_what_is_on_its_way() -> None:
    playlist = incoming(1, 2, 3)
    assert playlist.segments == ["live/1.ts", "live/2.ts", "live/3.ts"]
    assert playlist.waits_for({"live/3.ts"}, [])
    assert playlist.waits_for({"live/1.ts"}, ["live/1.ts"])
    assert not playlist.waits_for({"live/1.ts"}, ["live/9.ts"])
    assert not playlist.waits_for(set(), ["live/9.ts"])
    assert playlist.patience == 2
    assert incoming(1, target=60).patience == HOLD
    assert incoming(1, target=0).patience == HOLD


def test_what_is_missing_in_the_middle_is_marked() -> None:
    playlist = incoming(1, 2, 3)
    assert playlist.without(set()) == playlist.data
    marked = playlist.without({"live/2.ts"})
    assert marked == playlist.data.replace(b"2.ts", b"#EXT-X-GAP\n2.ts")
    assert [one.sequence for one in Incoming(PATH, marked).media.segments] == [1, 3]  # type: ignore[union-attr]
    with pytest.raises(HttpError, match=r"names 'live/3\.ts', which is not here"):
        playlist.without({"live/3.ts"})


def test_a_last_line_is_ended() -> None:
    assert Incoming(PATH, b"#EXTM3U\n#EXTINF:2,\n0.ts").data.endswith(b"0.ts\n")


def test_a_multivariant_one_waits_for_nothing() -> None:
    playlist = Incoming(PATH, multivariant_playlist(["b.m3u8"]).encode())
    assert (playlist.media, playlist.segments, playlist.patience) == (None, [], 0.0)
    assert not playlist.waits_for(set(), [])
    assert playlist.without(set()) == playlist.data


def test_other_things_are_no_playlists() -> None:
    with pytest.raises(HttpError) as caught:
        Incoming(PATH, b"\x00\x01")
    assert caught.value.status == 400


def test_all_that_it_names() -> None:
    text = (
        b'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n0.m4s\r\n  \n#EXTINF:2,\n../b/1.m4s?x=1\n'
        b"#EXTINF:2,\nhttps://elsewhere.example/2.m4s\n#EXTINF:2,\n../../etc/passwd"
    )
    assert named_in(PATH, text) == {"live/init.mp4", "live/0.m4s", "b/1.m4s"}
    assert named_in(PATH, multivariant_playlist(["b.m3u8"]).encode()) == {"live/b.m3u8"}


def test_an_encoder_may_begin_anew_but_two_may_not_take_turns() -> None:
    encoders = Encoders()
    encoders.note(incoming(5, 6, 7), 0.0)
    encoders.note(incoming(6, 7, 8), 2.0)
    encoders.note(incoming(0), 3.0)
    encoders.note(incoming(0, 1), 5.0)
    encoders.note(incoming(7, 8, 9), 6.0)
    for now in (7.0, 9.0, 7.0 + SETTLED):  # as long as it goes on trying
        with pytest.raises(HttpError) as caught:
            encoders.note(incoming(0, 1, 2), now)
        assert caught.value.status == 409
    encoders.note(incoming(8, 9, 10), 18.0)
    encoders.note(incoming(0), 18.0 + SETTLED)
    encoders.forget(PATH)
    encoders.note(incoming(0, 1), 28.0 + SETTLED)
    encoders.note(Incoming(PATH, b"#EXTM3U\n"), 29.0 + SETTLED)
