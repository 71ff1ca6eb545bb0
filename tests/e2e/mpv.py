"""mpv without a screen, told what to do by its JSON IPC (mpv(1), "JSON IPC")."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.servers import Command, run

PATIENCE = 60.0
"""Seconds that anything may take on a busy machine."""

AHEAD = 4
"""Seconds that mpv reads ahead: for what lies beyond, a seek has to ask again."""

OPTIONS = (
    *("--no-config", "--vo=null", "--ao=null", "--no-terminal", "--keep-open=yes", "--idle=yes"),
    f"--cache-secs={AHEAD}",
    # It starts to play when as much is there: a busy machine may be late by that.
    *("--cache-pause-initial=yes", f"--cache-pause-wait={AHEAD - 1}"),
)

EXPECTED = (
    "recorder: ",
    "ffmpeg/demuxer: hls: maybe the m3u8 list sequence have been wraped.",
    "cplayer: Audio device underrun detected.",
)
"""How warnings begin that say nothing of us: `save` is experimental; a seek back in a recording; a
busy machine lets mpv sleep for longer than its audio lasts. Where data are wanting, it waits for
its cache, and says that."""


@dataclass
class Mpv:
    """An mpv that plays."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    underruns: int = 0
    """How often it stopped for want of data, once it played: at first, or after a seek."""
    complaints: list[str] = field(default_factory=list)
    """Of its log, warnings and worse."""
    _playing: bool = False
    _restarted: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    async def command(self, *words: str | float) -> Any:
        """Have it do something, wait until it is done, and return the answer."""
        self.writer.write(json.dumps({"command": words}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return (await self._answers.get()).get("data")

    async def load(self, url: str) -> float:
        """Wait until it plays a URL; where that begins, in seconds."""
        await self.command("request_log_messages", "warn")
        await self.command("observe_property", 1, "paused-for-cache")
        await self.command("loadfile", url)
        return await self._starts()

    async def seek(self, position: float) -> None:
        """Go to a position, and wait until it plays there."""
        self._playing = False
        self._restarted.clear()
        await self.command("seek", position, "absolute", "exact")
        await self._starts()

    async def plays_to(self, position: float) -> None:
        """Wait until it has played on to a position."""
        async with asyncio.timeout(PATIENCE):
            now = await self._position()
            while now < position:
                await asyncio.sleep(0.05)
                now = await self._position()

    async def save(self, file: Path) -> None:
        """Write down all packets that it has read, those before a seek as well."""
        await self.command("dump-cache", 0, 1e6, str(file))

    async def _starts(self) -> float:
        async with asyncio.timeout(PATIENCE):
            await self._restarted.wait()
        position = await self._position()
        # Until then it may wait for its cache to fill.
        await self.plays_to(position + 0.5)
        self._playing = True
        return position

    async def _position(self) -> float:
        position = await self.command("get_property", "time-pos")
        assert isinstance(position, float), f"it plays nothing: {self.complaints}"
        return position

    async def listen(self) -> None:
        """Hear what it says, until it ends."""
        while line := await self.reader.readline():
            match json.loads(line):
                case {"event": "property-change", "name": "paused-for-cache", "data": True}:
                    self.underruns += self._playing
                case {"event": "playback-restart"} | {"event": "end-file"}:
                    self._restarted.set()
                case {"event": "log-message", "prefix": prefix, "text": text}:
                    complaint = f"{prefix}: {text.strip()}"
                    if not complaint.startswith(EXPECTED):
                        self.complaints.append(complaint)
                case {"error": error} as answer:
                    if error != "success":
                        self.complaints.append(f"refused: {answer}")
                    self._answers.put_nowait(answer)


@contextlib.asynccontextmanager
async def mpv(directory: Path, *options: str) -> AsyncIterator[Mpv]:
    """Run mpv; its socket goes to the directory."""
    socket = directory / "mpv"
    async with run("mpv", *OPTIONS, f"--input-ipc-server={socket}", *options) as running:
        player = Mpv(*await _connect(socket, running))
        listening = asyncio.create_task(player.listen())
        try:
            yield player
        finally:
            listening.cancel()
            player.writer.close()


async def _connect(
    socket: Path, running: Command
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return await asyncio.open_unix_connection(socket)
            assert running.process.returncode is None, running.text
            await asyncio.sleep(0.05)
