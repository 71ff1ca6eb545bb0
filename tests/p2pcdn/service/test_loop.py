"""The process: which loop, and what a signal does. Real processes, real signals."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from p2pcdn.errors import ConfigError
from p2pcdn.service import run, settle
from p2pcdn.service.loop import COLLECT_AFTER, Loop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


async def loop_name() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.parametrize(("loop", "module"), [("uvloop", "uvloop"), ("asyncio", "asyncio")])
def test_it_runs_on_the_loop_asked_for(loop: Loop, module: str) -> None:
    names: list[str] = []

    async def main() -> None:
        names.append(await loop_name())

    assert run(main(), loop) == 0
    assert names[0].split(".")[0] == module


def test_without_uvloop_it_runs_on_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    names: list[str] = []

    async def main() -> int:
        names.append(await loop_name())
        return 7

    assert run(main()) == 7
    assert names[0].startswith("asyncio")


def test_an_error_comes_through() -> None:
    async def main() -> None:
        raise ConfigError("This is not right.")

    with pytest.raises(ConfigError):
        run(main())


@contextmanager
def process(body: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``async def main()`` with this body, and has printed "ready"."""
    script = "import asyncio\nfrom p2pcdn.service import run\nasync def main():\n"
    script += textwrap.indent(textwrap.dedent(body), "    ")
    script += "\nraise SystemExit(run(main()))\n"
    started = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_it_close_what_it_opened(number: signal.Signals) -> None:
    body = """
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            print("closed", flush=True)
    """
    with process(body) as started:
        started.send_signal(number)
        out, err = started.communicate(timeout=20)
    assert (out, err, started.returncode) == ("closed\n", "", 0)


def test_a_second_signal_waits_for_nothing() -> None:
    body = """
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            print("closing", flush=True)
            await asyncio.Event().wait()
    """
    with process(body) as started:
        assert started.stdout is not None
        started.send_signal(signal.SIGTERM)
        assert started.stdout.readline() == "closing\n"
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=20) == 130


def test_who_is_told_to_stop_by_two_is_told_once() -> None:
    closed = []

    async def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.01)
            closed.append(True)

    assert run(main(), hasty=False) == 0
    assert closed


def test_what_is_there_is_left_alone_by_the_collector() -> None:
    frozen, usual = gc.get_freeze_count(), gc.get_threshold()
    try:
        settle()
        assert gc.get_freeze_count() > frozen + 1000
        assert gc.get_threshold() == COLLECT_AFTER > usual
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
