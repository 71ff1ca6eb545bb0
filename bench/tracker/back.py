"""A tracker that is killed (SIGKILL), and started again: when all its clients are back.

The clients are native peers' own (`TrackerClient`), since how they come back is what is measured.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import ExitStack

import aiohttp
import structlog

from bench.tracker.process import free_port, server
from bench.tracker.sockets import source
from bench.tracker.viewers import ANSWER, CONTENT, OFFER
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.tracker import (
    Answered,
    FromTracker,
    Invite,
    Join,
    Joined,
    Linked,
    Offered,
    SendAnswer,
    SendOffer,
    Welcome,
)
from peer.native.tracker_client import TrackerClient

AWAY = 2.0
"""Seconds that the tracker is away for."""


async def kill(clients: int) -> tuple[int, float]:
    """How many were back within a minute, and in how many seconds the last of them, counted from
    the tracker's being killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    loop = asyncio.get_running_loop()
    port = free_port()
    url = f"ws://127.0.0.1:{port}/tracker/v1"
    here: set[int] = set()

    def client(number: int, session: aiohttp.ClientSession) -> TrackerClient:
        def hear(message: FromTracker) -> None:
            match message:
                case Welcome():
                    content = f"{number // CONTENT:032x}"
                    one.send(Join(PROTOCOL, "pk_demo", content, "native", True))
                case Joined():
                    here.add(number)
                case Invite(pairing=pairing):
                    one.send(SendOffer(pairing, OFFER))
                case Offered(pairing=pairing):
                    one.send(SendAnswer(pairing, ANSWER))
                case Answered(pairing=pairing):
                    one.send(Linked(pairing, 100.0))

        def lost() -> None:
            here.discard(number)

        one = TrackerClient(session, url, hear=hear, lost=lost, rng=random.Random(number))
        return one

    async def until(wanted: int, seconds: float) -> None:
        deadline = loop.time() + seconds
        while len(here) < wanted and loop.time() < deadline:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)

    sessions = [
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, local_addr=(source(number), 0))
        )
        for number in range(40)
    ]
    everybody = [client(number, sessions[number % len(sessions)]) for number in range(clients)]
    try:
        with server("p2pcdn", port):
            for first in range(0, clients, 50):
                await asyncio.gather(*(one.open() for one in everybody[first : first + 50]))
            await until(clients, 60)
        killed = loop.time()
        await asyncio.sleep(AWAY)
        with ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, server("p2pcdn", port))
            await until(clients, 60)
            back = loop.time() - killed
            return len(here), back
    finally:
        for one in everybody:
            if one._running is not None:
                one._running.cancel()
        for session in sessions:
            await session.close()
