"""A large library: ``python -m bench.origin.library [--files 100000] [--films 1]``.

How soon after its start an origin sends media and manifests of 100,000 files in 1,000 folders that
it has never seen, what viewers notice of the hashing in the background, how long that takes, and
what the library costs in memory and when nothing happens. The server has a core, the viewers the
other. With ``--films 100`` there are no playlists: each file is a content.

Then how fast a core hashes, from the page cache, beside SHA-256 alone.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.tracker.process import ROOT, Server, cores, free_port, wait_for
from origin.catalog.edition import Stretch
from origin.catalog.hashing import chunk_hashes
from origin.sources.directory import Directory
from p2pcdn.model import CHUNK_SIZE

IN_A_FOLDER = 100
"""Files: a playlist, its segments, and films that stand alone."""
SIZE = 8192
"""Bytes of a file: it is their number that is measured."""
PROBES = 500
"""Requests of each kind."""
CROWD = 5.0
"""Seconds for which as much is asked for as can be had."""
IDLE = 30.0
"""Seconds for which nothing is asked."""
HASHED = 1024 * 1024 * 1024


def main() -> None:
    """Measure, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.origin.library")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--films", type=int, default=1, help="of a hundred files; 1 to 98, or 100")
    parser.add_argument("--place", help="where the files are made (a temporary directory)")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout that serves")
    parser.add_argument("--patience", type=float, default=600, help="seconds for the hashing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.place) as place:
        library = Library(given.files // IN_A_FOLDER, given.films)
        library.make(Path(place) / "content")
        with served(Path(place), given.tree) as server:
            first(server, library)
            viewed(server, Path(place), library, given.patience)
            idle(server)
        crowded(Path(place), given.tree)
    hash_speed(given.place)


class Library(NamedTuple):
    """What there is."""

    folders: int
    films: int
    """In each folder."""

    @property
    def media(self) -> list[str]:
        """The files of a folder that have hashes."""
        segments = range(IN_A_FOLDER - 1 - self.films)
        return [*(f"{n}.ts" for n in segments), *(f"{n}.mp4" for n in range(self.films))]

    @property
    def content(self) -> str:
        """What of a folder has a manifest, or one of those."""
        return "0.mp4" if self.films == IN_A_FOLDER else "index.m3u8"

    def make(self, place: Path) -> None:
        """Write it."""
        chance = random.Random("library")
        lines = [f"#EXTINF:4,\n{name}\n" for name in self.media if name.endswith(".ts")]
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" + "".join(lines) + "#EXT-X-ENDLIST\n"
        for number in range(self.folders):
            folder = place / f"{number:04}"
            folder.mkdir(parents=True)
            for name in self.media:
                (folder / name).write_bytes(chance.randbytes(SIZE))
            if lines:
                (folder / self.content).write_text(playlist)
        files, contents = self.folders * IN_A_FOLDER, self.folders * (self.films + bool(lines))
        print(f"files                          {files:>9,} in {self.folders:,} folders")
        print(f"contents                       {contents:>9,}")


def slices_hashed(place: Path) -> int:
    """How many hash lists there are, of segments and slices."""
    with contextlib.closing(
        sqlite3.connect(f"file:{place / 'data' / 'origin.sqlite3'}?mode=ro", uri=True)
    ) as database:
        return int(database.execute("SELECT count(*) FROM hashes").fetchone()[0])


@contextlib.contextmanager
def served(place: Path, tree: Path) -> Iterator[Server]:
    """An origin that has not seen the library before."""
    port = free_port()
    variables = {
        "P2PCDN_LISTEN": f"127.0.0.1:{port}",
        "P2PCDN_DATA": str(place / "data"),
        "P2PCDN_CONTENT": str(place / "content"),
        "PYTHONPATH": str(tree),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "origin"],
        cwd=tree,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.sched_setaffinity(process.pid, {cores()[0]})
    os.sched_setaffinity(0, {cores()[1]})
    try:
        yield Server("p2pcdn", port, process.pid)
    finally:
        process.kill()
        process.wait()
        os.sched_setaffinity(0, cores())


def get(port: int, path: str) -> float:
    """Seconds that an answer takes, on a connection of its own."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    finally:
        connection.close()
    return time.perf_counter() - began


def first(server: Server, library: Library) -> None:
    """How soon the first of each kind comes, counted from the start of the process."""
    began = time.perf_counter()
    wait_for(server.port)
    print(f"listening                      {time.perf_counter() - began:9.2f} s after the start")
    for what, path in (
        ("first file", f"/media/{library.folders // 2:04}/{library.media[7]}"),
        ("first manifest", f"/manifest/{library.folders - 1:04}/{library.content}"),
        ("first manifest of a film", f"/manifest/{library.folders - 2:04}/0.mp4"),
    ):
        get(server.port, path)
        print(f"{what:30} {time.perf_counter() - began:9.2f} s after the start")
    say_memory(server, "memory then")


def viewed(server: Server, place: Path, library: Library, patience: float) -> None:
    """What viewers notice of the hashing, until all is hashed."""
    began, cpu = time.perf_counter(), server.cpu()
    all_of_it = library.folders * len(library.media)
    done = threading.Event()
    thread = threading.Thread(target=probe, args=(server, library, "hashing", done, 3.0))
    thread.start()
    before = now = slices_hashed(place)
    while now < all_of_it and time.perf_counter() < began + patience:
        time.sleep(1.0)
        now = slices_hashed(place)
    took = time.perf_counter() - began
    done.set()
    thread.join()
    print(f"hashed in the background       {now:>9,} of {all_of_it:,} files in {took:.0f} s")
    print(f"                               {(now - before) / took:9.0f} files a second")
    print(f"                               {(server.cpu() - cpu) / took * 100:9.0f} % of a core")
    say_memory(server, "memory then")
    if now >= all_of_it:
        probe(server, library, "nothing else", done, 0.0)


def probe(
    server: Server, library: Library, beside: str, done: threading.Event, pause: float
) -> None:
    """Ask for files and manifests, twenty a second, and say how long they took."""
    time.sleep(pause)
    chance = random.Random(beside)
    media, manifests = [], []
    for _ in range(PROBES):
        folder = f"{chance.randrange(library.folders):04}"
        media.append(get(server.port, f"/media/{folder}/{chance.choice(library.media)}"))
        manifests.append(get(server.port, f"/manifest/{folder}/{library.content}"))
        if pause and done.is_set():
            break
        time.sleep(0.05)
    say(f"file, beside {beside}", media)
    say(f"manifest, beside {beside}", manifests)


def idle(server: Server) -> None:
    """What it costs when nobody asks for anything."""
    cpu = server.cpu()
    time.sleep(IDLE)
    print(f"when nothing happens           {(server.cpu() - cpu) / IDLE * 100:9.1f} % of a core")
    say_memory(server, "memory then")


def crowded(place: Path, tree: Path) -> None:
    """What is sent while nothing else is to be done, and while a film of a terabyte is hashed."""
    folder = place / "crowd" / "content"
    folder.mkdir(parents=True)
    (folder / "segment.bin").write_bytes(bytes(2 * 1024 * 1024))
    with served(folder.parent, tree) as server:
        wait_for(server.port)
        alone = rate(server.port)
        with (folder / "film.mp4").open("wb") as file:
            file.truncate(2**40)  # of which nothing is on the disk
        while slices_hashed(folder.parent) < 2:
            time.sleep(0.1)
        before, began = slices_hashed(folder.parent), time.perf_counter()
        beside = rate(server.port)
        hashed = (slices_hashed(folder.parent) - before) / (time.perf_counter() - began)
    print(f"sent by a core that is busy    {alone / 1e6:9.0f} MB/s")
    print(
        f"the same while it hashes       {beside / 1e6:9.0f} MB/s, and {hashed * 4:.0f} MiB/s of it"
    )


def rate(port: int) -> float:
    """Bytes a second that four viewers get who never stop asking."""
    received = [0] * 4
    stop = time.perf_counter() + CROWD

    def view(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while time.perf_counter() < stop:
            connection.request("GET", "/media/segment.bin")
            received[number] += len(connection.getresponse().read())
        connection.close()

    threads = [threading.Thread(target=view, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(received) / CROWD


def hash_speed(directory: str | None) -> None:
    """How fast a core hashes a file in the page cache."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        path = Path(place) / "film.mp4"
        block = random.Random("film").randbytes(16 * 1024 * 1024)
        with path.open("wb") as file:
            for _ in range(HASHED // len(block)):
                file.write(block)
        source = Directory(Path(place))
        identity = source.identify_all(["film.mp4"])["film.mp4"]
        stretch = Stretch("film.mp4", identity, 0, HASHED)
        never = threading.Event()
        chunk_hashes(source, stretch, never)  # it is in the page cache now
        ours = timed(lambda: chunk_hashes(source, stretch, never))
        chunks = memoryview(block)
        alone = timed(
            lambda: [
                hashlib.sha256(chunks[at : at + CHUNK_SIZE]).digest()
                for _ in range(HASHED // len(block))
                for at in range(0, len(block), CHUNK_SIZE)
            ]
        )
    print(f"hashing a file                 {HASHED / ours / 2**20:9.0f} MiB/s of a core")
    print(f"SHA-256 alone                  {HASHED / alone / 2**20:9.0f} MiB/s of a core")


def timed(do: Callable[[], object]) -> float:
    """Seconds of CPU, the least of three times."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        do()
        times.append(time.thread_time() - began)
    return min(times)


def say(what: str, times: list[float]) -> None:
    """The middle, and the worst of a hundred."""
    times.sort()
    middle, worst = times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{what:30} {middle * 1e3:9.1f} ms, at the 99th of a hundred {worst * 1e3:.1f} ms")


def say_memory(server: Server, what: str) -> None:
    print(f"{what:30} {server.memory() / 2**20:9.0f} MiB")


if __name__ == "__main__":
    main()
