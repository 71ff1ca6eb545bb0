"""``python -m bench.add``: from `p2pcdn add` to the first picture.

A film of a minute and one of an hour are added to a server that runs, as they are and encoded, and
opened in headless Chromium as soon as the command has ended.
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import av
import click
from playwright.async_api import async_playwright

from origin.synth import Rendition, synthesise
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.servers import PROGRAM, p2pcdn, run, site
from tests.e2e.viewer import Stage

FILM = Rendition("720p", 1280, 720, 1_500_000)
MINUTE = 60
GAP = 0.1
"""Seconds: sound goes on for a little longer than the picture."""


class Case(NamedTuple):
    """What is added."""

    what: str
    film: str
    options: tuple[str, ...] = ()


CASES = (
    Case("a minute, copied", "minute"),
    Case("an hour, copied", "hour"),
    Case("a minute, encoded", "minute", ("--encode",)),
    Case("a minute, copied, and 480p and 360p of it", "minute", ("--ladder", "720,480,360")),
)


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    made = synthesise(folder / "made", seconds=MINUTE, renditions=(FILM,))
    for name, count in (("minute", 1), ("hour", 60)):
        repeat(made.parent / f"{FILM.name}.m3u8", folder / f"{name}.mp4", count)
    print("| film | MB | added after, s | CPU, s | first picture after, s |")
    print("| --- | --- | --- | --- | --- |")
    (folder / "content").mkdir()
    where = ("--content", str(folder / "content"), "--data", str(folder / "data"))
    async with async_playwright() as play, site() as pages, p2pcdn("serve", *where) as server:
        browser = await play.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED]
        )
        for number, case in enumerate(CASES):
            film = folder / f"{case.film}.mp4"
            words = [str(film), "--name", f"film-{number}", *case.options, *where]
            words += ["--listen", server.url.removeprefix("http://"), "--json"]
            used, begin = _processor(), time.monotonic()
            async with run(*PROGRAM, "add", *words) as adding:
                await adding.process.wait()
                await adding.printed('"added"')
            added, used = time.monotonic() - begin, _processor() - used
            (media,) = json.loads(adding.output[-1])["urls"]
            async with Stage(browser, pages, server.url, media).viewer() as viewer:
                await viewer.until("() => document.querySelector('video').currentTime > 0")
                shown = time.monotonic() - begin
            size = film.stat().st_size / 1e6
            print(f"| {case.what} | {size:.1f} | {added:.1f} | {used:.1f} | {shown:.1f} |")
        await browser.close()


def _processor() -> float:
    """Seconds of the processor that commands which have ended took."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def repeat(playlist: Path, path: Path, count: int) -> None:
    """An MP4 file of a playlist's film, several times over."""
    with av.open(str(playlist)) as source, av.open(str(path), "w") as film:
        video, audio = source.streams.video[0], source.streams.audio[0]
        unpacked = av.BitStreamFilterContext("aac_adtstoasc", audio)
        ours: dict[str, Any] = {
            kind: film.add_stream_from_template(stream, opaque=True)
            for kind, stream in (("video", video), ("audio", audio))
        }
        packets = []
        for packet in source.demux(video, audio):
            kind, base = packet.stream.type, packet.time_base
            for plain in unpacked.filter(packet) if kind == "audio" and packet.size else [packet]:
                if plain.has_sidedata("new_extradata"):
                    extradata = bytes(plain.get_sidedata("new_extradata"))
                    ours[kind].codec_context.extradata = extradata
                if plain.size and plain.pts is not None and plain.dts is not None:
                    times = plain.pts, plain.dts, plain.duration or 0
                    packets.append((kind, bytes(plain), *times, plain.is_keyframe, base))
        for number in range(count):
            for kind, data, pts, dts, duration, key, base in packets:
                packet = av.Packet(data)
                moved = round(number * (MINUTE + GAP) / base)
                packet.stream, packet.time_base = ours[kind], base
                packet.pts, packet.dts, packet.duration = pts + moved, dts + moved, duration
                packet.is_keyframe = key
                film.mux(packet)


if __name__ == "__main__":
    main()
