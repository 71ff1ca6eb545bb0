"""What one of several processes knows of itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import msgspec
import pytest

from p2pcdn.service.worker import ALONE, VARIABLE, Worker, this_worker

SECOND = Worker(index=1, count=3, port=8080, directory="/somewhere", secret=b"\xff")


def test_its_environment_says_which_it_is() -> None:
    assert this_worker({}) is None
    assert this_worker({VARIABLE: msgspec.json.encode(SECOND).decode()}) == SECOND


def test_it_knows_the_others() -> None:
    assert (SECOND.name, SECOND.names) == ("1", ["0", "1", "2"])
    assert not SECOND.is_first
    assert not SECOND.is_alone
    assert SECOND.path_of("2") != SECOND.path_of("1") != SECOND.inside


def test_who_is_alone_is_first() -> None:
    assert ALONE.is_alone
    assert ALONE.is_first
    ALONE.ready()  # there is nobody to be told


async def test_it_says_when_it_is_ready_and_ends_with_its_supervisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[tuple[int, int]] = []
    orphaned = asyncio.Event()

    def kill(pid: int, number: int) -> None:
        killed.append((pid, number))
        orphaned.set()

    monkeypatch.setattr(os, "kill", kill)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Worker(count=2, life=theirs.fileno()).ready()
        assert ours.recv(16) == b"."
        assert killed == []
        ours.close()
        await asyncio.wait_for(orphaned.wait(), 5)
    assert killed == [(os.getpid(), signal.SIGTERM)]


async def test_a_supervisor_that_is_gone_before_is_noticed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphaned = asyncio.Event()
    monkeypatch.setattr(os, "kill", lambda *_: orphaned.set())
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        Worker(count=2, life=theirs.fileno()).ready()
        await asyncio.wait_for(orphaned.wait(), 5)
