"""Several processes on one port: real processes, real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog

from p2pcdn.errors import ConfigError
from p2pcdn.service import supervisor
from p2pcdn.service.server import bind
from p2pcdn.service.supervisor import Supervisor
from p2pcdn.service.worker import VARIABLE

PROGRAM = textwrap.dedent(f"""
    # A worker, as small as it can be: it says who it is. Imports of ours would take their time.
    import asyncio, json, os, signal, sys
    worker = json.loads(os.environ["{VARIABLE}"])
    if worker["index"] >= int(sys.argv[1]):
        sys.exit(3)

    async def answer(reader, writer):
        writer.write(b"%d %d" % (worker["index"], os.getpid()))
        writer.close()

    async def main():
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = ended.set if sys.argv[2] == "willing" else lambda: None
        loop.add_signal_handler(signal.SIGTERM, end)
        loop.add_signal_handler(signal.SIGHUP, lambda: os.kill(os.getpid(), signal.SIGKILL))
        loop.add_reader(worker["life"], ended.set)
        server = await asyncio.start_server(answer, "127.0.0.1", worker["port"], reuse_port=True)
        os.write(worker["life"], b".")
        await ended.wait()
        server.close()

    asyncio.run(main())
""")
PATIENCE = 20.0


def made(count: int = 2, most: int = 9, kind: str = "willing") -> Supervisor:
    return Supervisor("127.0.0.1", 0, count, (sys.executable, "-c", PROGRAM, str(most), kind))


@asynccontextmanager
async def running(made: Supervisor) -> AsyncIterator[Supervisor]:
    ready = asyncio.Event()
    task = asyncio.create_task(made.run(ready.set))
    waiting = asyncio.create_task(ready.wait())
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert ready.is_set()
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def who(port: int) -> tuple[int, int]:
    """Which worker answers, and its process."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    index, pid = map(int, (await reader.read()).split())
    writer.close()
    return index, pid


async def all_of(port: int, wanted: Callable[[dict[int, int]], bool]) -> dict[int, int]:
    """The processes by worker, once they are as wanted."""
    found: dict[int, int] = {}
    async with asyncio.timeout(PATIENCE):
        while not wanted(found):
            with suppress(OSError, ValueError):
                found |= [await who(port)]
            await asyncio.sleep(0.01)
    return found


async def test_all_serve_on_one_port_and_who_dies_is_started_again() -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(made()) as started:
            directory = started._directory
            assert directory.stat().st_mode & 0o777 == 0o700
            assert list(directory.iterdir()) == []  # files would be taken away after some days
            pids = await all_of(started.port, lambda found: len(found) == 2)
            os.kill(pids[1], signal.SIGKILL)
            again = await all_of(started.port, lambda found: found.get(1, pids[1]) != pids[1])
            assert again.get(0, pids[0]) == pids[0]
            pids |= again
            os.kill(os.getpid(), signal.SIGHUP)  # it is for all, and this program dies of it
            pids = await all_of(
                started.port,
                lambda found: all(found.get(index, pid) != pid for index, pid in pids.items()),
            )
    told = [(entry["event"], entry.get("worker"), entry.get("code")) for entry in logs]
    assert told[:2] == [("worker_ended", 1, -9), ("worker_started", 1, None)]
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not directory.exists()
    with pytest.raises(ConnectionRefusedError):
        await who(started.port)


async def test_who_cannot_be_started_just_now_is_later_and_the_others_serve_on(
    tmp_path: Path,
) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    command = (str(python), "-c", PROGRAM, "9", "willing")
    with structlog.testing.capture_logs() as logs:
        async with running(Supervisor("127.0.0.1", 0, 2, command)) as started:
            pids = await all_of(started.port, lambda found: len(found) == 2)
            python.unlink()  # as an upgrade does for a moment
            os.kill(pids[1], signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                while all(entry["event"] != "worker_not_started" for entry in logs):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            python.symlink_to(sys.executable)
            again = await all_of(started.port, lambda found: found.get(1, pids[1]) != pids[1])
            assert again.get(0, pids[0]) == pids[0]


async def test_a_hangup_is_not_for_who_is_just_starting(tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    slow = textwrap.dedent(f"""
        import pathlib, time
        pathlib.Path({str(begun)!r}).touch()
        while not pathlib.Path({str(go)!r}).exists():
            time.sleep(0.01)
    """)
    command = (sys.executable, "-c", slow + PROGRAM, "9", "willing")

    async def hang_up() -> None:
        while not begun.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)  # it is passed on
        go.touch()

    hanging_up = asyncio.create_task(hang_up())
    async with running(Supervisor("127.0.0.1", 0, 2, command)):
        await hanging_up


@pytest.mark.parametrize("most", [0, 1])
async def test_what_cannot_be_started_ends_all(most: int) -> None:
    started = made(most=most)
    async with asyncio.timeout(PATIENCE):
        assert await started.run() == 3
    assert all(process.returncode is not None for process in started._processes.values())


async def test_who_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ENDS_WITHIN", 0.1)
    with structlog.testing.capture_logs() as logs:
        async with running(made(kind="stubborn")) as started:
            pass
    assert [entry["event"] for entry in logs] == ["workers_killed"]
    assert all(process.returncode == -9 for process in started._processes.values())


async def test_a_port_that_another_has_is_not_shared_with_it() -> None:
    (taken,) = bind("127.0.0.1", 0, shared=True)
    with taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Another program listens on port {port}"):
            await Supervisor("127.0.0.1", port, 2).run()


async def test_where_ports_cannot_be_shared_it_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with pytest.raises(ConfigError, match="workers = 1"):
        await made().run()


def test_workers_end_with_a_supervisor_that_is_killed() -> None:
    program = textwrap.dedent(f"""
        import asyncio, sys
        from p2pcdn.service.supervisor import Supervisor
        made = Supervisor("127.0.0.1", 0, 2, (sys.executable, "-c", {PROGRAM!r}, "9", "willing"))

        def tell():
            print(*(process.pid for process in made._processes.values()), flush=True)

        asyncio.run(made.run(tell))
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        process.kill()
        # They have its output, too: it is over when both have ended.
        assert process.stdout.read() == b""
