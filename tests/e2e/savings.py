"""What peers save, as the account has it and as the server's cable has it.

A scene is watched twice: with peers, and by the same who are given the same by plain HTTP, with no
snippet on their page. By how much more the second makes the server send is what peers saved::

    plain    what the server sent, for so many bytes of media        difference >= saved
    peers    what the server sent, for the same

Where the second run's players were given more or less media than the first's (a segment that came a
moment earlier), what its server sent is corrected by those bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Playwright, async_playwright

from tests.e2e import cables
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.cables import Net, Sent
from tests.e2e.servers import BUNDLE, PAGES, Command, p2pcdn, run
from tests.e2e.viewer import Stage, Viewer

FETCH = """
import itertools, sys, urllib.request as u
playlist, most = sys.argv[1], int(sys.argv[2])
def lines(url):
    text = u.urlopen(url).read().decode()
    here = url.rpartition("/")[0]
    return [f"{here}/{line}" for line in text.splitlines() if line and line[0] != "#"]
for url in itertools.cycle(lines(lines(playlist)[0])):
    if most <= 0: break
    most -= len(u.urlopen(u.Request(url, headers={"Range": f"bytes=0-{most - 1}"})).read())
"""
"""What a program without peers does for as much media as a native peer had: fetch it."""


REPORT_EVERY = 3
"""Seconds between two reports of a peer in these runs."""

WHOLE = {"maxBufferLength": 120}
"""A player that loads all that there is at once; and one that loads some seconds ahead."""
LITTLE = {"maxBufferLength": 6, "maxMaxBufferLength": 6}

STOP = """async () => {
  let [given, since] = [-1, 0];
  while (given !== probe.given || performance.now() < since + 700) {
    if (given !== probe.given) [given, since] = [probe.given, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  player.stopLoad();
}"""
"""Load no more, once nothing is being loaded: what was on its way would have been sent in vain."""

NOTE_REPORTS = """
window.reported = [0, 0];
WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, {
  apply(send, socket, [text]) {
    Reflect.apply(send, socket, [text]);
    if (!/"type":"report"/.test(text)) return;
    const held = [probe.given, p2pcdn.getStats().uploadedBytes];
    const leave = () => {
      if (socket.bufferedAmount) setTimeout(leave, 20);
      else window.reported = held;
    };
    leave();
  },
});
"""
"""What had been given, and given to others, when a report left the page."""

LOOK = """() => [
  window.probe?.given ?? 0,
  window.p2pcdn?.getStats?.().uploadedBytes ?? 0,
  ...(window.reported ?? [0, 0]),
]"""


@dataclass
class Held:
    """How much media somebody has been given, and has given to others, and of how much of both it
    has reported."""

    given: int = 0
    uploaded: int = 0
    reported: tuple[int, int] = (0, 0)

    def note(self, given: int, uploaded: int, *reported: int) -> None:
        self.given, self.uploaded = given, uploaded
        self.reported = (reported[0], reported[1])

    @property
    def unreported(self) -> int:
        """Bytes of which nobody will hear if it is killed now."""
        given, uploaded = self.reported
        return self.given - given + self.uploaded - uploaded


@dataclass
class Watcher:
    """One who watches in a browser of its own."""

    viewer: Viewer
    browser: Browser
    held: Held = field(default_factory=Held)
    killed: bool = False

    async def note(self) -> None:
        """Look how much media its player has been given."""
        self.held.note(*await self.viewer.page.evaluate(LOOK))

    async def leave(self) -> None:
        """Go to another page, with nothing on its way."""
        await self.viewer.page.evaluate(STOP)
        await self.note()
        await self.viewer.page.goto("about:blank")

    async def kill(self) -> None:
        """``kill -9`` of its browser and all that belongs to it, once it has reported something."""
        await self.viewer.until("() => window.reported[0] > 0")
        session = await self.browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        await self.note()
        self.killed = True
        for process in sorted(processes, key=lambda process: process["type"] != "browser"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["id"], signal.SIGKILL)


@dataclass
class Run:
    """One run of a scene."""

    net: Net
    media: str
    site: str
    directory: Path
    peers: bool
    begun: Sent
    watchers: list[Watcher] = field(default_factory=list)
    playwright: Playwright | None = None
    browsers: dict[int, Browser] = field(default_factory=dict)
    """Those that nobody watches with yet, by place."""
    natives: list[Held] = field(default_factory=list)
    unreported: int = 0
    """Of native peers that were killed."""
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def launch(self, *places: int) -> None:
        """Start browsers, all at once."""
        if self.playwright is None:
            self.playwright = await self.stack.enter_async_context(async_playwright())
        flags = [*FLAGS, *UNTHROTTLED, f"--unsafely-treat-insecure-origin-as-secure={self.site}"]
        flags.append("--disable-features=WebRtcHideLocalIpsWithMdns")
        # The headless shell would take no word for it that the origin is secure.
        programs = [
            cables.script(
                self.net.within(place), find_chromium(), self.directory / f"chromium-{place}"
            )
            for place in places
        ]
        launch = self.playwright.chromium.launch
        browsers = await asyncio.gather(
            *(launch(executable_path=program, args=flags) for program in programs)
        )
        for place, browser in zip(places, browsers, strict=True):
            self.browsers[place] = browser
            self.stack.push_async_callback(browser.close)

    async def watch(self, place: int, config: dict[str, Any] | None = None) -> Watcher:
        """Somebody comes to watch."""
        if place not in self.browsers:
            await self.launch(place)
        browser = self.browsers.pop(place)
        stage = Stage(browser, self.site, self.net.url, self.media)
        before = f"window.playerConfig = {json.dumps(config or {})};{NOTE_REPORTS}"
        snippet = f"{self.net.url}/p2pcdn.js" if self.peers else ""
        viewer = await self.stack.enter_async_context(stage.viewer(before=before, snippet=snippet))
        watcher = Watcher(viewer, browser)
        self.watchers.append(watcher)
        return watcher

    @contextlib.asynccontextmanager
    async def native(self, place: int) -> AsyncIterator[Command]:
        """A native peer; what it holds at its end counts as given to it."""
        words = (*self.net.within(place), sys.executable, "-m", "tests.e2e.native", self.media)
        held = Held()
        self.natives.append(held)
        async with run(*words) as command:
            yield command
        told = [line for line in command.output if line.startswith("held ")]
        held.note(*map(int, told[-1].split()[1:5]))
        if command.process.returncode == -signal.SIGKILL:
            self.unreported += held.unreported

    async def fetch(self, place: int, size: int) -> None:
        """Fetch so many bytes of the media by plain HTTP."""
        words = (*self.net.within(place), "python3", "-c", FETCH)
        process = await asyncio.create_subprocess_exec(*words, self.media, str(size))
        assert await process.wait() == 0

    async def summary(self) -> dict[str, Any]:
        """The account, as soon as all have gone and nothing comes in any more."""
        before: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while True:
                summary: dict[str, Any] = json.loads(await cables.ask(self.net, "/api/v1/summary"))
                if summary["swarms"] == 0 and summary == before:
                    return summary
                before = summary
                await asyncio.sleep(0.5)


@dataclass
class Outcome:
    """What a run came to."""

    sent: Sent
    given: tuple[int, ...]
    """To each."""
    unreported: int
    """What those who were killed had not reported, at most."""
    summary: dict[str, Any]


async def kill(native: Command) -> None:
    """Have a native peer that has reported something say what it holds, and kill itself in the same
    moment."""
    await native.printed("reported")
    native.process.send_signal(signal.SIGUSR1)
    await native.process.wait()


Scene = Callable[[Run], Awaitable[None]]


async def play(
    scene: Scene, net: Net, content: Path, media: str, directory: Path, *, peers: bool
) -> Outcome:
    """Run a scene once, with a server and an account of its own."""
    pages = _lay_out(directory)
    arguments = ("--content", str(content), "--data", str(directory / "data"), *net.options)
    arguments += ("--set", f"tracker.admin_token={cables.TOKEN}")
    arguments += ("--set", f"tracker.report_every={REPORT_EVERY}")
    address, port = net.site
    words = (*net.within(0), "python3", "-m", "http.server", str(port), "--bind", address)
    async with (
        p2pcdn("serve", *arguments, listen=net.listen, prefix=net.server) as server,
        run(*words, "--directory", str(pages)) as pages_server,
    ):
        await _ready(net, server)
        await pages_server.printed("Serving HTTP")
        site = f"http://{address}:{port}"
        running = Run(net, f"{net.url}/media/{media}", site, directory, peers, net.sent())
        async with running.stack:
            await scene(running)
            summary = await running.summary()
            sent = net.sent() - running.begun
        held = [*(watcher.held for watcher in running.watchers), *running.natives]
        killed = [watcher.held.unreported for watcher in running.watchers if watcher.killed]
        return Outcome(
            sent, tuple(one.given for one in held), running.unreported + sum(killed), summary
        )


async def watch(run: Run) -> None:
    """One loads a film, one takes all of it from that one, one leaves after some seconds of it."""
    await run.launch(1, 2, 3)
    first = await run.watch(1, WHOLE)
    await first.viewer.until("() => window.probe.digests && window.probe.given >= 15e6")
    second, third = await asyncio.gather(run.watch(2, WHOLE), run.watch(3, LITTLE))
    await second.viewer.until("() => window.probe.given >= 15e6")
    await third.viewer.plays(3)
    if run.peers:  # they bring it more than its player wants
        await third.viewer.until("() => window.p2pcdn.getStats().peerBytes > probe.given + 4e6")
    for watcher in (third, second, first):
        await watcher.leave()


def replay(outcome: Outcome) -> Scene:
    """The plain run of a scene in which somebody ends at no certain moment: a program fetches as
    much for each as each was given."""

    async def fetch(run: Run) -> None:
        for size in outcome.given:
            await run.fetch(1, size)
            held = Held()
            held.note(size, 0, 0, 0)
            run.natives.append(held)

    return fetch


def _lay_out(directory: Path) -> Path:
    """Make the site, and what a run needs beside."""
    pages = directory / "site"
    pages.mkdir(parents=True)
    (pages / "pages").symlink_to(PAGES)
    (pages / "bundle").symlink_to(BUNDLE)
    return pages


async def _ready(net: Net, server: Command) -> None:
    # Whoever asks before starts a program each time, and so takes the server's time to start.
    await server.printed("Snippet")
    async with asyncio.timeout(30):
        while server.process.returncode is None:
            with contextlib.suppress(ConnectionError):
                await cables.ask(net, "/readyz")
                return
            await asyncio.sleep(0.1)
    raise AssertionError(server.text)


@dataclass(frozen=True)
class Comparison:
    """Of a scene with peers and without."""

    peers: Outcome
    plain: Outcome

    @property
    def saved(self) -> int:
        """The headline."""
        return int(self.peers.summary["saved_bytes"])

    @property
    def corrected(self) -> int:
        """By how much less media was given in the plain run."""
        return sum(self.peers.given) - sum(self.plain.given)

    @property
    def spared(self) -> int:
        """Bytes of payload that the server did not send because of peers."""
        return self.plain.sent.payload - self.peers.sent.payload + self.corrected

    @property
    def spared_wire(self) -> int:
        """The same with the packets' headers, as the kernel counts."""
        return self.plain.sent.wire - self.peers.sent.wire + self.corrected
