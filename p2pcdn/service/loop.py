"""The event loop of a process, and how the process is told to stop.

The first SIGINT or SIGTERM cancels the main coroutine, whose ``finally`` (mostly that of
`Server.serve_forever`) closes everything; a second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Literal

Loop = Literal["uvloop", "asyncio"]

COLLECT_AFTER = (10_000, 20, 50)
"""New objects after which the garbage collector looks at them, after how many looks at those that
stayed, and after how many of these at all."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(main: Coroutine[Any, Any, int | None], loop: Loop = "uvloop", *, hasty: bool = True) -> int:
    """Run ``main`` to its end or until a signal; the process's exit code.

    A stop by a signal is what the operator asked for, and counts as success. uvloop is used where
    it can be imported. Unless ``hasty``, a second signal is that one again: a service manager may
    tell every process to stop, and a supervisor then tells its own.
    """
    with asyncio.Runner(loop_factory=_factory(loop)) as runner:
        return runner.run(_until_signal(main, hasty=hasty))


def settle() -> None:
    """Have the garbage collector leave alone what is there now: what was imported and set up stays,
    and to look through it again and again takes a tenth of a second, in which nobody is served.

    And have it look less often: hardly anything here refers to itself, and of a crowd that comes
    all stay, so that it would look at all of them again and again, some 75 ms each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _until_signal(main: Coroutine[Any, Any, int | None], *, hasty: bool) -> int:
    task = asyncio.ensure_future(main)
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if signalled and hasty:
            os._exit(130)  # asked twice: whoever asks does not want to wait for a clean end
        if signalled:
            return
        signalled = True
        task.cancel()

    _on_signals(stop)
    try:
        return await task or 0
    except asyncio.CancelledError:
        if not signalled:
            raise
        return 0


def _on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows: the handler runs outside the loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def _factory(loop: Loop) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if loop == "asyncio":
        return None
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ImportError:
        return None
    return factory
