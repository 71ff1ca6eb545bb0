"""Several processes on one port: started, watched, begun anew when one dies, and ended together.

::

    reserve the port -> start the first -> ready -> start the others -> ready -> tell people
                        a worker ends by itself: said, and started again
                        SIGTERM, SIGINT: all drain at once

The first is started alone, since what is wrong with the settings is wrong for all of them, and is
to be said once. Each is this same command again, and knows by its environment which it is. Should
the supervisor be killed, they notice and drain.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import structlog

from p2pcdn.errors import ConfigError
from p2pcdn.service.server import bind
from p2pcdn.service.worker import VARIABLE, Worker, can_share_ports

ENDS_WITHIN = 3.5
"""Seconds that a worker has to drain; a server of ours takes less than 3."""

PAUSE = (0.05, 5.0)
"""Seconds until a worker that has died is started again: first, and at most. The pause doubles
while it does not live for as long as the longest."""

log = structlog.get_logger("p2pcdn.server")


class Supervisor:
    """Has ``count`` workers on a port."""

    def __init__(
        self, host: str, port: int, count: int, command: Sequence[str] | None = None
    ) -> None:
        """``command`` is what each of them runs: this process's own unless said."""
        self.host = host
        self.port = port
        self._count = count
        self._command = command or (sys.executable, *sys.orig_argv[1:])
        self._directory = Path()
        self._secret = secrets.token_bytes(32)
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._lives: dict[int, socket.socket] = {}
        """Our end of what each worker reads: it ends with us, however we end."""
        self._ready: set[int] = set()
        """Those that serve, or did until just now."""
        self._reserved: list[socket.socket] = []

    async def run(self, tell: Callable[[], None] = lambda: None) -> int:
        """Serve until cancelled; ``tell`` is called once all of them do. The exit code, if one of
        them could not be started."""
        if not can_share_ports():
            raise ConfigError(
                "Several workers on one port need Linux, macOS or a BSD: workers = 1."
            )
        self._reserve()
        # The path of a Unix socket may have 100 characters or so: not below the data directory.
        self._directory = Path(tempfile.mkdtemp(prefix="p2pcdn-"))  # for nobody else: mode 0700
        try:
            with self._passes_on_hangups():
                return await self._serve(tell)
        finally:
            await self._end()
            for kept in (*self._reserved, *self._lives.values()):
                kept.close()
            shutil.rmtree(self._directory, ignore_errors=True)

    def _reserve(self) -> None:
        """Find a port that nobody else has, and see to it that it stays so."""
        for found in bind(self.host, self.port):
            self.port = found.getsockname()[1]
            found.close()
        # Nobody connects to these: they do not listen.
        self._reserved = bind(self.host, self.port, shared=True, listen=False)

    async def _serve(self, tell: Callable[[], None]) -> int:
        code = await self._start(0)
        if code is not None:
            return code
        codes = await asyncio.gather(*(self._start(index) for index in range(1, self._count)))
        if any(code is not None for code in codes):
            return max(abs(code) for code in codes if code is not None)
        tell()
        await asyncio.gather(*(self._keep(index) for index in range(self._count)))
        raise AssertionError("workers are kept until somebody cancels that")

    async def _keep(self, index: int) -> None:
        """Start a worker again whenever it has ended."""
        loop = asyncio.get_running_loop()
        shortest, longest = PAUSE
        pause = shortest
        while True:
            began = loop.time()
            code: int | None = await self._processes[index].wait()
            log.warning("worker_ended", worker=index, code=code)
            while code is not None:
                pause = shortest if loop.time() - began > longest else min(2 * pause, longest)
                await asyncio.sleep(pause)
                began = loop.time()
                try:
                    code = await self._start(index)
                except OSError as error:  # no memory or no program just now; the others serve on
                    log.warning("worker_not_started", worker=index, error=str(error))
            log.info("worker_started", worker=index, pid=self._processes[index].pid)

    async def _start(self, index: int) -> int | None:
        """Start a worker, and wait until it serves; if it ends before, its exit code."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                worker = Worker(
                    index=index,
                    count=self._count,
                    port=self.port,
                    directory=str(self._directory),
                    secret=self._secret,
                    life=theirs.fileno(),
                )
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=os.environ | {VARIABLE: msgspec.json.encode(worker).decode()},
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for us, and we tell them
                )
            self._ready.discard(index)
            self._processes[index] = process
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            said = await loop.sock_recv(ours, 1)
            if not said:
                return await process.wait() or 1
            lives, self._lives[index] = self._lives.get(index), ours.dup()
            if lives is not None:
                lives.close()
            self._ready.add(index)
            return None

    @contextlib.contextmanager
    def _passes_on_hangups(self) -> Iterator[None]:
        """SIGHUP has every worker look at its configuration."""
        loop = asyncio.get_running_loop()

        def pass_on() -> None:
            for index in self._ready:  # others would die of it, and read all as they start
                with contextlib.suppress(ProcessLookupError):
                    self._processes[index].send_signal(signal.SIGHUP)

        loop.add_signal_handler(signal.SIGHUP, pass_on)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _end(self) -> None:
        """Have all of them drain, at the same time."""
        running = [process for process in self._processes.values() if process.returncode is None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if not running:
            return
        ends = [asyncio.create_task(process.wait()) for process in running]
        _, late = await asyncio.wait(ends, timeout=ENDS_WITHIN)
        if late:
            log.warning("workers_killed", count=len(late))
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(late)
