"""What `docker compose up` gives: it plays, it bears that any part is killed, it ends at once.

The tests go from one state of the same containers to the next, in this order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import aiohttp
import pytest
from playwright.async_api import Browser, Page

from tests.compose.stack import Stack, docker
from tests.docs.blocks import block, commands

PATIENCE = 60_000
"""Milliseconds for what a browser waits for, on a busy machine."""

PLAYS = "() => document.querySelector('video').currentTime > 2"
PEERS = "() => window.p2pcdn?.getStats().peerBytes > 0"
LINKS = "() => window.p2pcdn?.getStats().links > 0"

SERVICES = ("demo", "peer", "site")


@contextlib.asynccontextmanager
async def windows(browser: Browser, url: str, number: int = 2) -> AsyncIterator[list[Page]]:
    """So many viewers, one after the other, each in a profile of its own, that play."""
    contexts = [await browser.new_context() for _ in range(number)]
    try:
        pages = []
        for context in contexts:
            page = await context.new_page()
            await page.goto(url)
            await page.wait_for_function(PLAYS, timeout=PATIENCE)
            pages.append(page)
        yield pages
    finally:
        for context in contexts:
            await context.close()


async def any_of(pages: list[Page], condition: str) -> None:
    """Wait until this is so in one of the windows: which of them gives is not for us to say."""
    waiting = [
        asyncio.create_task(page.wait_for_function(condition, timeout=PATIENCE)) for page in pages
    ]
    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for task in done:
        task.result()


async def until(ask: Callable[[], Awaitable[Any]], seconds: float = 90) -> Any:
    """What is answered once there is something in it: the engine and servers tell nobody by
    themselves."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    return answer


def token(stack: Stack, service: str = "demo") -> str:
    return stack.run(service, "print(open('/data/admin-token').read())").strip()


async def summary(stack: Stack, service: str = "demo", query: str = "") -> dict[str, Any]:
    """The figures, as the dashboard gets them."""
    headers = {"Authorization": f"Bearer {token(stack, service)}"}
    url = f"{stack.url(service)}/api/v1/summary{query}"
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        assert answer.status == 200
        return cast("dict[str, Any]", await answer.json())


async def counted(stack: Stack, key: str, above: float = 0) -> bool:
    """Whether the demo has counted more than that."""
    return bool((await summary(stack))[key] > above)


async def meets(stack: Stack, swarms: int) -> bool:
    """Whether somebody is there for so many contents."""
    return bool((await summary(stack))["swarms"] == swarms)


async def watched(stack: Stack, service: str, query: str = "") -> bool:
    """Whether both windows are counted."""
    return bool((await summary(stack, service, query))["viewers"] == 2)


async def is_back(stack: Stack, service: str, restarts: int) -> bool:
    """Whether a service has been started again, by the engine, and answers."""
    state = await asyncio.to_thread(stack.state, service)
    return state["RestartCount"] > restarts and stack.is_well(service)


async def test_two_windows_of_the_demo_feed_each_other(stack: Stack, browser: Browser) -> None:
    async with windows(browser, f"{stack.url('demo')}/demo/") as pages:
        await any_of(pages, PEERS)
        await until(lambda: counted(stack, "peer_bytes_confirmed"))
        await until(lambda: watched(stack, "demo"))
        dashboard = await browser.new_page()
        await dashboard.goto(f"{stack.url('demo')}/dashboard/?token={token(stack)}")
        await dashboard.wait_for_function(
            "() => /[1-9][\\d.,]* ?[kMG]B/.test(document.body.innerText)", timeout=PATIENCE
        )
        await dashboard.close()


async def test_a_page_of_a_strangers_site_does_it_with_one_tag(
    stack: Stack, browser: Browser
) -> None:
    async with windows(browser, stack.url("site")) as pages:
        await any_of(pages, PEERS)


async def test_the_native_peer_holds_the_film_and_seeds_it(stack: Stack, browser: Browser) -> None:

    async def holds() -> bool:
        return "demo/index.m3u8: complete" in stack.compose("logs", "--no-color", "peer")

    await until(holds)
    # Nobody else is there: what comes from peers has come from it.
    async with windows(browser, f"{stack.url('demo')}/demo/", 1) as [page]:
        await page.wait_for_function(PEERS, timeout=PATIENCE)


@pytest.mark.parametrize("service", SERVICES)
async def test_what_was_killed_is_back_by_itself(
    stack: Stack, browser: Browser, figures: dict[str, object], service: str
) -> None:
    known = token(stack)
    restarts = stack.state(service)["RestartCount"]
    async with windows(browser, f"{stack.url('demo')}/demo/") as pages:
        await asyncio.gather(*(page.wait_for_function(LINKS, timeout=PATIENCE) for page in pages))
        at = time.monotonic()
        await asyncio.to_thread(stack.crash, service)
        await until(lambda: is_back(stack, service, restarts))
        figures[f"{service}: seconds from its end until it is well again"] = round(
            time.monotonic() - at, 1
        )
        # The film goes on for those who were there, and there is more to come from peers.
        for page in pages:
            at_second = await page.evaluate("() => document.querySelector('video').currentTime")
            await page.wait_for_function(
                f"() => document.querySelector('video').currentTime !== {at_second}",
                timeout=PATIENCE,
            )
    async with windows(browser, stack.url("site")) as pages:
        await any_of(pages, PEERS)
    assert token(stack) == known, "what is to be kept is in a volume"


@pytest.mark.parametrize("service", SERVICES)
async def test_it_has_the_least_rights(stack: Stack, service: str) -> None:
    told = stack.run(
        service,
        "import os; print(os.getuid(), *open('/proc/1/status'), sep='\\n')\n"
        "try: open('/opt/p2pcdn/x', 'w')\nexcept OSError as error: print(error.strerror)\n",
    )
    lines = [line.split() for line in told.splitlines() if line]
    assert lines[0] == ["10001"]
    assert ["CapEff:", "0" * 16] in lines
    assert ["CapBnd:", "0" * 16] in lines
    assert ["NoNewPrivs:", "1"] in lines
    assert ["Read-only", "file", "system"] in lines
    state = stack.state(service)
    assert state["HostConfig"]["Init"]
    assert state["HostConfig"]["Memory"] > 0


@pytest.mark.parametrize("service", SERVICES)
async def test_it_stops_in_time_and_starts_again(
    stack: Stack, figures: dict[str, object], service: str
) -> None:
    counted_before = (await summary(stack))["peer_bytes_confirmed"]
    before = time.monotonic()
    # Who is not gone by then is killed, and the exit code says so.
    await asyncio.to_thread(stack.compose, "stop", "--timeout", "3", service)
    figures[f"{service}: seconds to stop"] = round(time.monotonic() - before, 2)
    ended = stack.state(service)["State"]["ExitCode"]
    # The site is a program of Python's own: it knows no better than to end by the signal.
    assert ended == (143 if service == "site" else 0)
    await asyncio.to_thread(stack.up, *stack.options)
    assert stack.is_well(service)
    assert (await summary(stack))["peer_bytes_confirmed"] >= counted_before > 0


async def test_two_trackers_are_one(
    stack: Stack, browser: Browser, figures: dict[str, object]
) -> None:
    took = await asyncio.to_thread(stack.up, "--profile", "scale")
    figures["scale: seconds until all is healthy, beside the demo"] = round(took, 1)
    async with windows(browser, stack.url("site-of-two")) as pages:
        await any_of(pages, PEERS)
        # Whoever is asked knows of those at the other one.
        await until(lambda: watched(stack, "tracker-b", "?scope=all"))
        # Each visitor came in at another one, and the film is at home at one of them.
        await asyncio.to_thread(stack.crash, "tracker-a")
        await asyncio.to_thread(stack.compose, "restart", "--timeout", "1", "valkey")
        await until(lambda: is_back(stack, "tracker-a", 0))
    async with windows(browser, stack.url("site-of-two")) as pages:
        await any_of(pages, PEERS)


async def test_a_turn_server_hides_viewers(stack: Stack, browser: Browser) -> None:
    ((*_, option, file, _up),) = commands(block("how-to/turn.md:3"))
    await asyncio.to_thread(stack.up, option, file)
    # The native peer finds that there is another tracker, for the film and for what is live.
    await until(lambda: meets(stack, 2))
    before = await summary(stack)
    # One alone: what comes from peers comes from the container, whose own address nobody is told.
    async with windows(browser, f"{stack.url('demo')}/demo/", 1) as [page]:
        await page.wait_for_function(PEERS, timeout=PATIENCE)
        await until(lambda: counted(stack, "relayed_bytes", before["relayed_bytes"]))


async def test_every_profile_is_sound(stack: Stack) -> None:
    """Also of those whose images are not had here."""
    stack.options = ("--profile", "*")
    found = json.loads(stack.compose("config", "--format", "json"))
    assert {"prometheus", "grafana", "edge", "coturn", "valkey"} <= found["services"].keys()


async def test_the_lean_image_says_what_it_has_not(images: dict[str, str]) -> None:
    code = "import importlib.util as u; print(*(u.find_spec(n) for n in ('aiortc', 'av', 'pip')))"
    found = docker("run", "--rm", "--entrypoint", "python", images["serve"], "-c", code)
    assert found.split() == ["None"] * 3
    ran = docker(
        "run", "--rm", "--entrypoint", "sh", images["serve"], "-c", "p2pcdn demo 2>&1 || true"
    )
    assert "of the container images, the full one has it" in ran
    assert docker("run", "--rm", images["serve"], "--version").startswith("p2pcdn ")
