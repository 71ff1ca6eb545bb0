"""Reads the configuration again when its file has changed, or one that it names, or on SIGHUP.

Only what it says of sites is applied: who may come in, and the kill switch. A file that is wrong is
reported, and what was said before stays in force: a typo must not let anybody in or out.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from p2pcdn.config import Config
from p2pcdn.errors import ConfigError

EVERY = 1.0
"""Seconds between two looks at the files, which are read when they were the same at both."""

Looks = dict[Path, tuple[int, ...] | None]
"""What changes of a file whenever the file does; None while there is none."""

log = structlog.get_logger("p2pcdn.tracker")


class Reloader:
    """Calls ``apply`` with each new configuration; it may raise `ConfigError`, too."""

    def __init__(
        self,
        read: Callable[[], Config],
        file: Path | None,
        apply: Callable[[Config], None],
        named: Callable[[Config], Iterable[Path]],
        config: Config,
    ) -> None:
        """``named`` are the files that a configuration names and `apply` reads; ``config`` is the
        one in force."""
        self._read = read
        self._file = file
        self._apply = apply
        self._named = named
        self._files = self._files_of(config)
        self._stamp = self._look()
        self._task: asyncio.Task[None] | None = None
        self._signals = False

    def start(self) -> None:
        """Watch from now on."""
        if self._files:
            self._task = asyncio.create_task(self._watch(), name="configuration")
        loop = asyncio.get_running_loop()
        # Only a main thread gets signals, and Windows has none of this name.
        with contextlib.suppress(NotImplementedError, AttributeError, RuntimeError, ValueError):
            loop.add_signal_handler(signal.SIGHUP, self.again)
            self._signals = True

    async def close(self) -> None:
        """Watch no more."""
        if self._signals:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def again(self) -> None:
        """Read it now."""
        # Before anything is read: a change meanwhile is seen next time.
        self._stamp = before = self._look()
        try:
            config = self._read()
            # Also what one names that is refused: that may be what has to be mended.
            self._files = self._files_of(config)
            still = {file: before[file] for file in self._files & before.keys()}
            self._stamp = self._look() | still
            self._apply(config)
        except ConfigError as error:
            log.error("configuration_refused", error=str(error), in_force="what was before")
        except Exception:
            log.exception("configuration_failed")  # a bug, and no reason not to look again
        else:
            log.info("configuration_read")

    async def _watch(self) -> None:
        before = self._stamp
        while True:
            await asyncio.sleep(EVERY)
            now = self._look()
            # While it is being written it may be empty, which would say that all is open.
            if now == before != self._stamp:
                self.again()
            before = now

    def _files_of(self, config: Config) -> set[Path]:
        own = () if self._file is None else (self._file,)
        return {*own, *self._named(config)}

    def _look(self) -> Looks:
        return {file: _look_at(file) for file in self._files}


def _look_at(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):  # the latter: no system has files of such a name
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
