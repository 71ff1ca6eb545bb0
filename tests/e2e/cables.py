"""A server and those who watch, each on a cable of its own, so that what it sends can be counted.

::

    server --[10.88.0.1]--+               the kernel counts what goes into each cable
    site ----[10.88.0.2]--+-- switch
    who watches [.3, .4]--+

Each is in a network namespace, which needs root and iproute2. Where there can be none, all are on
this machine's own network, and a relay before the server counts instead::

    who watches ---- relay (counts) ---- server
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.browsers.proxy import Proxy
from tests.e2e.servers import free_port

HEADERS = 66
"""Bytes that a packet of TCP has before its payload: 14 of Ethernet, 20 of IPv4, 32 of TCP with
its timestamps."""

TOKEN = "the-cables-own-admin-token-0123456789"
ASK = """
import sys, urllib.request as u
ask = u.Request(sys.argv[1], headers={"Authorization": f"Bearer {sys.argv[2]}"})
print(u.urlopen(ask).read().decode())
"""

PACKET = 1514
"""Bytes of the largest, with its headers."""

NETWORK = "10.88.0"
PORT = 8080


def missing() -> str | None:
    """Why there can be no namespaces here, if so."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "no 'ip': install iproute2"
    name = f"p2pcdn-probe-{os.getpid()}"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if probe.returncode != 0:
        return f"no network namespaces here: {probe.stderr.strip()}"
    _ip("netns", "delete", name)
    return None


@dataclass(frozen=True)
class Sent:
    """What the server has sent."""

    bytes: int
    """As the kernel counts them: packets with their headers."""
    packets: int
    again: int = 0
    """Packets that TCP sent once more: they were lost, or the machine was late to say that they
    were not. That is the network's doing, and another number in each run."""

    @property
    def wire(self) -> int:
        """Bytes with the headers of their packets, each once."""
        return self.bytes - self.again * PACKET

    @property
    def payload(self) -> int:
        """Bytes without these headers. Packets that are not TCP, or set a connection up, have
        others, by some bytes."""
        return self.bytes - HEADERS * self.packets - self.again * (PACKET - HEADERS)

    def __sub__(self, other: Sent) -> Sent:
        return Sent(
            self.bytes - other.bytes, self.packets - other.packets, self.again - other.again
        )


class Net(Protocol):
    """Where a server is, and who watches."""

    @property
    def kind(self) -> str:
        """What counts."""

    @property
    def listen(self) -> str:
        """What the server listens on."""

    @property
    def server(self) -> tuple[str, ...]:
        """What to write before the server's command."""

    @property
    def url(self) -> str:
        """Where it is for others."""

    @property
    def own_url(self) -> str:
        """Where it is for itself: what is asked there is not counted."""

    @property
    def site(self) -> tuple[str, int]:
        """Address and port of the site whose page is watched."""

    @property
    def options(self) -> tuple[str, ...]:
        """What the server has to be told."""

    def within(self, place: int) -> tuple[str, ...]:
        """What to write before a command: of place 0 the site's, else of somebody who watches."""

    def sent(self) -> Sent:
        """What the server has sent by now."""


@dataclass(frozen=True)
class Cables:
    """Namespaces, one for the server, one for the site, one for each who watches."""

    prefix: str
    kind: str = "cables"
    listen: str = f"0.0.0.0:{PORT}"
    url: str = f"http://{NETWORK}.1:{PORT}"
    own_url: str = f"http://127.0.0.1:{PORT}"
    site: tuple[str, int] = (f"{NETWORK}.2", PORT)
    options: tuple[str, ...] = ()

    @property
    def server(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", f"{self.prefix}-server")

    def within(self, place: int) -> tuple[str, ...]:
        return ("ip", "netns", "exec", f"{self.prefix}-{place}")

    def sent(self) -> Sent:
        shown = _ip("-n", f"{self.prefix}-server", "-s", "-j", "link", "show", "dev", "eth0")
        figures = json.loads(shown)[0]["stats64"]["tx"]
        told = subprocess.run(
            [*self.server, "cat", "/proc/net/snmp"], capture_output=True, text=True, check=True
        ).stdout
        names, values = (line.split() for line in told.splitlines() if line.startswith("Tcp:"))
        again = dict(zip(names, values, strict=True))["RetransSegs"]
        return Sent(figures["bytes"], figures["packets"], int(again))


@contextlib.asynccontextmanager
async def cables(places: int, *, split: bool = False) -> AsyncIterator[Cables]:
    """Make the namespaces, with so many places to watch from, and take them away again.

    Kernels hand each other packets of up to 64 KiB, which network cards would take apart; ``split``
    has them taken apart at once, so that each header of a real cable is counted.
    """
    prefix = f"p2pcdn-{os.getpid()}"
    ends = [f"{prefix}-server", *(f"{prefix}-{place}" for place in range(places + 1))]
    switch = f"{prefix}-switch"
    with contextlib.ExitStack() as stack:
        for name in (switch, *ends):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", switch, "link", "add", "switch", "type", "bridge")
        _ip("-n", switch, "link", "set", "switch", "up")
        limits = ("gso_max_segs", "1") if split else ()
        for number, end in enumerate(ends, start=1):
            port = ("netns", switch, "name", f"port{number}")
            _ip("link", "add", "eth0", "netns", end, *limits, "type", "veth", "peer", *port)
            _ip("-n", switch, "link", "set", f"port{number}", "master", "switch", "up")
            _ip("-n", end, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            _ip("-n", end, "link", "set", "eth0", "up")
            # Whoever gathers addresses is to find a way out.
            _ip("-n", end, "route", "add", "default", "dev", "eth0")
        yield Cables(prefix)


@dataclass(frozen=True)
class Relay:
    """All on one machine, with a relay before the server."""

    proxy: Proxy
    port: int
    site: tuple[str, int]
    kind: str = "a relay"
    server: tuple[str, ...] = ()
    options: tuple[str, ...] = ("--set", "tracker.stun=false")

    @property
    def listen(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    @property
    def own_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def within(self, place: int) -> tuple[str, ...]:
        return ()

    def sent(self) -> Sent:
        return Sent(self.proxy.bytes, 0)


@contextlib.asynccontextmanager
async def relay() -> AsyncIterator[Relay]:
    """Put a relay before where the server will be."""
    port = free_port()
    async with Proxy(port) as proxy:
        yield Relay(proxy, port, ("127.0.0.1", free_port()))


def net(places: int, *, split: bool = False) -> contextlib.AbstractAsyncContextManager[Net]:
    """Cables, or a relay where there can be none."""
    return relay() if missing() else cables(places, split=split)


async def ask(net: Net, path: str) -> str:
    """What the server answers itself."""
    words = (*net.server, "python3", "-c", ASK, net.own_url + path, TOKEN)
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, error = await process.communicate()
    if process.returncode != 0:
        raise ConnectionError(error.decode().splitlines()[-1])
    return output.decode()


def script(words: tuple[str, ...], program: str, path: Path) -> str:
    """A script that runs a program after these words, for whoever can only be given a path."""
    path.write_text(f'#!/bin/sh\nexec {" ".join((*words, program))} "$@"\n')
    path.chmod(0o755)
    return str(path)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
