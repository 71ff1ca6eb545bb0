"""Playlists of encoders that began anew."""

from __future__ import annotations

from origin.catalog.playlist import MediaPlaylist, parse
from origin.ingest.runs import continued

PATH = "live/a.m3u8"


def playlist(first: int, *names: str, head: str = "", tail: str = "") -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", *head.splitlines()]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
    lines += [f"#EXTINF:2.0,\n{name}" for name in names]
    return ("\n".join([*lines, *tail.splitlines()]) + "\n").encode()


def listed(data: bytes) -> list[str]:
    """The segments as ``number:name``, with a bar before those that begin a part."""
    parsed = parse(PATH, data)
    assert isinstance(parsed, MediaPlaylist)
    breaks = {
        line for tag, line in zip(lines(data), lines(data)[2:], strict=False) if "DISCONT" in tag
    }
    return [
        f"{'|' if segment.uri in breaks else ''}{segment.sequence}:{segment.uri}"
        for segment in parsed.segments
    ]


def lines(data: bytes) -> list[str]:
    return data.decode().splitlines()


def run(shown: bytes, *puts: bytes, recent: bool = True) -> bytes:
    for data in puts:
        shown = continued(PATH, shown, data, recent=recent)
    return shown


OLD = playlist(10, "10.ts", "11.ts", "12.ts")


def test_what_goes_on_is_shown_as_it_is() -> None:
    for data in (OLD, playlist(11, "11.ts", "12.ts", "13.ts"), playlist(20, "20.ts")):
        assert run(OLD, data) == data


def test_numbers_go_on_and_the_old_ones_leave_one_by_one() -> None:
    shown = run(OLD, playlist(0, "0.ts"))
    assert listed(shown) == ["11:11.ts", "12:12.ts", "|13:0.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:0" in lines(shown)
    shown = run(shown, playlist(0, "0.ts", "1.ts"))
    assert listed(shown) == ["12:12.ts", "|13:0.ts", "14:1.ts"]
    shown = run(shown, playlist(0, "0.ts", "1.ts", "2.ts"))
    assert listed(shown) == ["|13:0.ts", "14:1.ts", "15:2.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:0" in lines(shown)
    shown = run(shown, playlist(1, "1.ts", "2.ts", "3.ts"))
    assert listed(shown) == ["14:1.ts", "15:2.ts", "16:3.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in lines(shown)
    shown = run(shown, playlist(9, "9.ts", "10.ts"))  # some were lost
    assert listed(shown) == ["22:9.ts", "23:10.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in lines(shown)


def test_again_and_again() -> None:
    shown = run(OLD, playlist(0, "0.ts"), playlist(0, "0.ts", "1.ts", "2.ts"), playlist(0, "a0.ts"))
    assert listed(shown) == ["14:1.ts", "15:2.ts", "|16:a0.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in lines(shown)
    shown = run(shown, playlist(0, "a0.ts", "a1.ts", "a2.ts"), playlist(1, "a1.ts", "a2.ts"))
    assert listed(shown) == ["17:a1.ts", "18:a2.ts"]
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:2" in lines(shown)


def test_what_has_other_bytes_now_is_not_listed_any_more() -> None:
    short = playlist(0, "0.ts", "1.ts", "2.ts")
    shown = run(short, playlist(0, "0.ts"))
    assert listed(shown) == ["1:1.ts", "2:2.ts", "|3:0.ts"]
    shown = run(shown, playlist(0, "0.ts", "1.ts"))
    assert listed(shown) == ["2:2.ts", "|3:0.ts", "4:1.ts"]
    shown = run(short, playlist(0, "0.ts", "2.ts"))
    assert listed(shown) == ["|3:0.ts", "4:2.ts"]


def test_nor_what_is_long_ago() -> None:
    assert listed(run(OLD, playlist(0, "0.ts"), recent=False)) == ["|13:0.ts"]


def test_nor_what_needs_another_initialisation_section() -> None:
    with_map = playlist(0, "0.m4s", head='#EXT-X-MAP:URI="init.mp4"')
    shown = run(OLD, with_map)
    assert listed(shown) == ["13:0.m4s"]
    assert "#EXT-X-DISCONTINUITY" in lines(shown)
    assert '#EXT-X-MAP:URI="init.mp4"' in lines(shown)


def test_an_encoder_that_read_our_numbers_goes_on_with_them() -> None:
    shown = run(OLD, playlist(0, "0.ts"), playlist(0, "0.ts", "1.ts", "2.ts"))
    data = playlist(14, "1.ts", "2.ts", "3.ts")
    assert run(shown, data) == data


def test_the_longest_segment_is_the_longest_listed() -> None:
    longer = OLD.replace(b"TARGETDURATION:2", b"TARGETDURATION:6")
    shown = run(longer, playlist(0, "0.ts"))
    assert "#EXT-X-TARGETDURATION:6" in lines(shown)
    shown = run(shown, playlist(0, "0.ts", "1.ts", "2.ts"), playlist(0, "0.ts", "1.ts", "2.ts"))
    assert "#EXT-X-TARGETDURATION:2" in lines(shown)


def test_what_has_ended_or_lists_all_is_left_alone() -> None:
    anew = playlist(0, "0.ts")
    ended = playlist(10, "10.ts", "11.ts", tail="#EXT-X-ENDLIST")
    assert run(ended, anew) == anew
    event = playlist(0, "0.ts", head="#EXT-X-PLAYLIST-TYPE:EVENT")
    assert run(OLD, event) == event
    assert run(b"#EXTM3U\n", anew) == anew
    assert run(OLD, b"#EXTM3U\n") == b"#EXTM3U\n"
    for wrong in ("#EXT-X-TARGETDURATION:inf", "#EXT-X-DISCONTINUITY-SEQUENCE:x"):
        data = playlist(0, "0.ts", head=wrong)
        assert run(OLD, data) == data
    end = run(OLD, playlist(0, "0.ts", tail="#EXT-X-ENDLIST"))
    assert lines(end)[-1] == "#EXT-X-ENDLIST"
    assert listed(end) == ["11:11.ts", "12:12.ts", "|13:0.ts"]
