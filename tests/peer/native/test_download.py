"""Contents saved: bit-exact, whole or not at all, and nothing twice."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from random import Random

import pytest

from p2pcdn.errors import ConfigError
from p2pcdn.model import CHUNK_SIZE, SegmentKey
from peer.native.disk.disk import Disk
from peer.native.disk.segment_file import SegmentFile
from peer.native.download import Download, DownloadError, _write
from peer.native.runner import NativePeer, PeerError
from tests.peer.native.hosting import Site, playlist, write_segments


async def saved(site: Site, path: str, target: Path) -> Download:
    """Save a content; the figures stay with the download."""
    async with Download(site.media(path), target) as download:
        await download.fetch()
        assert download.share == 1.0
        await download.save()
    assert not download.parts.exists()
    return download


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_a_file(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "out" / "movie.bin"
    target.parent.mkdir()
    await saved(site, "movie.bin", target)
    assert target.read_bytes() == (site.content / "movie.bin").read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["movie.bin"]


async def test_a_presentation_is_a_folder_of_the_same_files(site: Site, tmp_path: Path) -> None:
    await saved(site, "show/master.m3u8", tmp_path / "show")
    assert tree(tmp_path / "show") == tree(site.content / "show")


async def test_a_rendition_alone(site: Site, tmp_path: Path) -> None:
    await saved(site, "show/low/index.m3u8", tmp_path / "low")
    assert tree(tmp_path / "low") == tree(site.content / "show" / "low")


async def test_dash_is_kept_as_it_is_and_cannot_be_saved(site: Site, tmp_path: Path) -> None:
    folder = site.content / "dash"
    folder.mkdir()
    (folder / "show.mpd").write_text(
        '<MPD mediaPresentationDuration="PT4S"><Period><AdaptationSet>'
        '<SegmentTemplate duration="2" media="$RepresentationID$-$Number$.m4s"/>'
        '<Representation id="a"/><Representation id="b"/></AdaptationSet></Period></MPD>'
    )
    segments = {(name, n): Random(f"{name}{n}").randbytes(70_000) for name in "ab" for n in (1, 2)}
    for (name, number), data in segments.items():
        (folder / f"{name}-{number}.m4s").write_bytes(data)
    url = site.media("dash/show.mpd")
    with pytest.raises(DownloadError, match="DASH not yet"):
        async with Download(url, tmp_path / "show"):
            pass
    async with NativePeer(url, keep=True) as peer:
        await peer.until(peer.is_complete)
        for (name, number), data in segments.items():
            assert peer.segment(SegmentKey(f"dash/show.mpd/1/{name}", number)) == data


async def test_what_lies_in_one_file_and_above_the_playlist(site: Site, tmp_path: Path) -> None:
    whole, key = Random("all").randbytes(300_000), b"0123456789abcdef"
    folder = site.content / "film"
    (folder / "v").mkdir(parents=True)
    (folder / "all.mp4").write_bytes(whole)
    (folder / "key").write_bytes(key)
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        '#EXT-X-MAP:URI="../all.mp4",BYTERANGE="1000@0"',
        '#EXT-X-KEY:METHOD=AES-128,URI="../key"',
    ]
    for offset in (1000, 150_000):
        length = 149_000 if offset == 1000 else 150_000
        lines += ["#EXTINF:2,", f"#EXT-X-BYTERANGE:{length}@{offset}", "../all.mp4?sig=abc"]
    (folder / "v" / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    await saved(site, "film/v/index.m3u8", tmp_path / "film")
    found = tree(tmp_path / "film")
    text = found.pop("v/index.m3u8").decode()
    assert found == {"all.mp4": whole, "key": key}
    assert text == "\n".join([*lines, "#EXT-X-ENDLIST", ""]).replace("?sig=abc", "")


async def test_peers_and_the_origin_together(site: Site, tmp_path: Path) -> None:
    async with NativePeer(site.media("show/low/index.m3u8")) as seeder:
        await seeder.complete()
        download = await saved(site, "show/low/index.m3u8", tmp_path / "low")
    assert download.peer.stats.peer_bytes > 0
    assert tree(tmp_path / "low") == tree(site.content / "show" / "low")


async def test_who_is_stopped_goes_on(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "movie.bin"
    size = (site.content / "movie.bin").stat().st_size
    async with Download(site.media("movie.bin"), target) as first:
        await first.peer.until(lambda: first.peer.store.size >= 20 * CHUNK_SIZE)
        came = first.peer.store.size
    assert first.parts.exists()
    assert not target.exists()
    async with Download(site.media("movie.bin"), target) as second:
        await second.fetch()
        assert second.kept >= came
        assert second.peer.stats.origin_bytes <= size - came
        await second.save()
    assert target.read_bytes() == (site.content / "movie.bin").read_bytes()


async def test_what_is_there_is_not_written_over(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for target in (tmp_path / "file", tmp_path):
        with pytest.raises(DownloadError, match="is there already"):
            async with Download(site.media("movie.bin"), target):
                pass
    assert (tmp_path / "file").read_bytes() == b"mine"


async def test_what_is_live(site: Site, tmp_path: Path) -> None:
    folder = site.content / "live"
    write_segments(folder, range(3), "live")
    (folder / "index.m3u8").write_text(playlist(3, ended=False))
    with pytest.raises(DownloadError, match="is live: it can be saved when it has ended"):
        await saved(site, "live/index.m3u8", tmp_path / "live")
    assert not (tmp_path / "live").exists()


async def test_what_is_not_there_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="There is no content at"):
        await saved(site, "none.bin", tmp_path / "none.bin")
    assert not (tmp_path / "none.bin.p2pcdn").exists()


async def test_a_full_disk(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, count = SegmentFile.append, 0

    def append(file: SegmentFile, chunk: int, data: bytes) -> int:
        nonlocal count
        count += 1
        if count > 30:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, chunk, data)

    monkeypatch.setattr(SegmentFile, "append", append)
    with pytest.raises(DownloadError, match=r"There is no room left for .*what has come is kept"):
        await saved(site, "movie.bin", tmp_path / "movie.bin")
    monkeypatch.undo()
    download = await saved(site, "movie.bin", tmp_path / "movie.bin")
    # The last chunk of all, which is short, may have been among those that were written.
    assert download.peer.stats.origin_bytes <= 9_000_000 - 29 * CHUNK_SIZE


async def test_a_place_that_cannot_be_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    async with Download(site.media("movie.bin"), tmp_path / "movie.bin") as download:
        await download.fetch()
        monkeypatch.setattr("peer.native.download._write", fail)
        with pytest.raises(DownloadError, match="cannot be written: Permission denied"):
            await download.save()
    assert download.parts.exists()


@pytest.mark.parametrize("name", ["show/../../x", "show/../x", "a/../../x", "show//x", "show/\\x"])
async def test_a_rendition_that_leads_out_of_the_folder(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def had(*_: object) -> bytes:
        return b"#EXTM3U\n"

    target = tmp_path / "out" / "show"
    target.parent.mkdir()
    async with Download(site.media("show/master.m3u8"), target) as download:
        monkeypatch.setattr(download.peer, "renditions", (name,))
        monkeypatch.setattr(download.peer, "extent", lambda _: (0, -1, False))
        monkeypatch.setattr(Download, "_get", had)
        with pytest.raises(DownloadError, match="which is no place in a folder"):
            await download.save()
        assert not (download.parts / "x").exists()
        assert not (download.parts / "saved").exists()
        download._root = "/show"
        for path in (name, "x"):
            with pytest.raises(DownloadError, match="is no place in a folder"):
                download._place(path)


def test_what_is_written_is_all_of_a_file_and_behind_no_link(tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "in" / "file", tmp_path / "elsewhere"
    _write(file, None, b"long and old")
    _write(file, None, b"short")
    _write(file, 5, b"er")
    assert file.read_bytes() == b"shorter"
    elsewhere.write_bytes(b"mine")
    (tmp_path / "in" / "link").symlink_to(elsewhere)
    with pytest.raises(OSError, match="link"):
        _write(tmp_path / "in" / "link", None, b"theirs")
    assert elsewhere.read_bytes() == b"mine"


async def test_a_place_that_is_taken_meanwhile(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "movie.bin"
    async with Download(site.media("movie.bin"), target) as download:
        await download.fetch()
        target.mkdir()
        with pytest.raises(DownloadError, match=r"cannot be written: .*What has come is kept"):
            await download.save()
    assert download.parts.exists()


async def test_an_empty_folder_is_a_place_for_a_presentation_and_none_for_a_file(
    site: Site, tmp_path: Path
) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    with pytest.raises(DownloadError, match="is there already"):
        async with Download(site.media("movie.bin"), target):
            pass
    await saved(site, "show/low/index.m3u8", target)
    assert tree(target) == tree(site.content / "show" / "low")


@pytest.mark.parametrize("path", ["movie.bin", "show/master.m3u8"])
async def test_what_the_manifest_leaves_out_is_no_hole_in_a_file(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with Download(site.media(path), tmp_path / "it") as download:
        await download.fetch()
        monkeypatch.setattr(download.peer, "record", lambda _: None)
        with pytest.raises(DownloadError, match="says nothing of segment 0"):
            await download.save()
    assert not (tmp_path / "it").exists()


async def test_a_slow_disk_holds_up_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    flush = Disk.flush

    def noted(disk: Disk) -> None:
        threads.append(threading.current_thread())
        flush(disk)

    monkeypatch.setattr(Disk, "flush", noted)
    await saved(site, "show/low/index.m3u8", tmp_path / "low")
    assert threads
    assert threading.main_thread() not in threads


async def test_a_key_that_the_multivariant_playlist_names(site: Site, tmp_path: Path) -> None:
    master = site.content / "show" / "master.m3u8"
    master.write_text(master.read_text() + '#EXT-X-SESSION-KEY:METHOD=AES-128,URI="key"\n')
    (site.content / "show" / "key").write_bytes(b"0123456789abcdef")
    await saved(site, "show/master.m3u8", tmp_path / "show")
    assert tree(tmp_path / "show") == tree(site.content / "show")


async def test_a_playlist_that_is_gone_by_the_time(site: Site, tmp_path: Path) -> None:
    async with Download(site.media("show/low/index.m3u8"), tmp_path / "low") as download:
        await download.fetch()
        (site.content / "show" / "low" / "index.m3u8").unlink()
        with pytest.raises(DownloadError, match="could not be had: 404"):
            await download.save()


async def test_a_wrong_command_leaves_nothing(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "movie.bin"
    with pytest.raises(ConfigError, match="A tracker has a URL"):
        async with Download(site.media("movie.bin"), target, tracker="nonsense"):
            pass
    assert not target.with_name("movie.bin.p2pcdn").exists()
    with pytest.raises(DownloadError, match="no writing beside /proc/movie: name another place by"):
        async with Download(site.media("movie.bin"), Path("/proc/movie")):
            pass
