"""A Chromium without Playwright, which makes every page believe that somebody looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.browser import FLAGS, find_chromium


class Devtools:
    """The DevTools protocol, one call at a time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method of the browser, or of a tab's session; its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        await self._socket.send_json(message)
        while True:
            answer = await self._socket.receive_json(timeout=30)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    async def open_tab(self, url: str) -> Tab:
        """Open a tab in front of all others."""
        target = (await self.call("Target.createTarget", url=url))["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        await self.call("Target.activateTarget", targetId=target)
        return Tab(self, attached["sessionId"])


class Tab:
    """One tab."""

    def __init__(self, devtools: Devtools, session: str) -> None:
        self._devtools = devtools
        self._session = session

    async def evaluate(self, expression: str, *, gesture: bool = False) -> Any:
        """The value of a JavaScript expression; ``gesture`` as if the viewer had asked for it."""
        answer = await self._devtools.call(
            "Runtime.evaluate",
            self._session,
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=gesture,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, condition: str, seconds: float = 30) -> None:
        """Wait for an expression to be true; asked from outside, for timers inside are slow."""
        async with asyncio.timeout(seconds):
            while not await self.evaluate(condition):  # noqa: ASYNC110  there is no event
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def chromium(profile: Path, more: Iterable[str] = ()) -> AsyncIterator[Devtools]:
    """A Chromium with its usual throttling of tabs that nobody looks at, and ``more`` flags."""
    process = await asyncio.create_subprocess_exec(
        find_chromium(),
        "--headless",
        "--mute-audio",
        *FLAGS,
        *more,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        url = await asyncio.wait_for(_address(process), 30)
        async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
            yield Devtools(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if "DevTools listening on" in line:
            return line.split()[-1]
    raise AssertionError("Chromium ended before it said where it listens")
