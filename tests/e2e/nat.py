"""Two homes behind masquerading NATs, and a server out on a network of their own making.

::

    viewer 1 -- [10.77.1.2]  NAT 1  [203.0.113.11] --+
                                                     +-- bridge -- [203.0.113.1] server
    viewer 2 -- [10.77.2.2]  NAT 2  [203.0.113.12] --+

Everything is in network namespaces, so it needs root, iproute2 and nftables, and nothing of it is
reachable from, or reaches, any other network.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER = "203.0.113.1"

RULES = """
table ip home {
  chain out { type nat hook postrouting priority 100; oifname "wan" masquerade; }
  chain through {
    type filter hook forward priority 0; policy drop;
    iifname "lan" accept;
    ct state established,related accept;
  }
  chain in {
    type filter hook input priority 0; policy drop;
    iifname { "lan", "lo" } accept;
    ct state established,related accept;
  }
}
"""
"""What a home router does: translate what leaves, and let in only what was asked for.

Nor may the other viewer's first packet reach the router itself: it would be tracked there, and the
viewer's own, which leaves a moment later, would have to take another port than STUN saw.
"""


def missing() -> str | None:
    """Why namespaces can't be made here, if they can't."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"no {tool!r}: install iproute2 and nftables"
    probe = subprocess.run(["ip", "netns", "add", "p2pcdn-probe"], capture_output=True, text=True)
    if probe.returncode != 0:
        return f"no network namespaces here: {probe.stderr.strip()}"
    _ip("netns", "delete", "p2pcdn-probe")
    return None


@dataclass(frozen=True)
class Networks:
    """The names of the namespaces."""

    server: str
    homes: tuple[str, str]

    def within(self, namespace: str) -> tuple[str, ...]:
        """What to write before a command so that it runs there."""
        return ("ip", "netns", "exec", namespace)

    def wrapper(self, namespace: str, program: str, directory: Path) -> str:
        """A script that runs a program there, for whoever can only be given a path."""
        script = directory / f"{namespace}.sh"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} {program} "$@"\n')
        script.chmod(0o755)
        return str(script)


@contextlib.contextmanager
def networks() -> Iterator[Networks]:
    """Make the namespaces, and take them away again."""
    prefix = f"p2pcdn-{os.getpid()}"
    names = [f"{prefix}-net", *(f"{prefix}-{what}{n}" for n in (1, 2) for what in ("nat", "home"))]
    net, nat1, home1, nat2, home2 = names
    with contextlib.ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", net, "link", "add", "bridge", "type", "bridge")
        _ip("-n", net, "link", "set", "bridge", "up")
        _ip("-n", net, "address", "add", f"{SERVER}/24", "dev", "bridge")
        for number, (nat, home) in enumerate([(nat1, home1), (nat2, home2)], start=1):
            _home(net, nat, home, number)
        yield Networks(net, (home1, home2))


def _home(net: str, nat: str, home: str, number: int) -> None:
    _cable(nat, "wan", net, f"port{number}")
    _ip("-n", net, "link", "set", f"port{number}", "master", "bridge")
    _ip("-n", nat, "address", "add", f"203.0.113.1{number}/24", "dev", "wan")
    _cable(home, "eth0", nat, "lan")
    _ip("-n", nat, "address", "add", f"10.77.{number}.1/24", "dev", "lan")
    _ip("-n", home, "address", "add", f"10.77.{number}.2/24", "dev", "eth0")
    _ip("-n", home, "route", "add", "default", "via", f"10.77.{number}.1")
    inside = ["ip", "netns", "exec", nat]
    _run([*inside, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    _run([*inside, "nft", "-f", "-"], RULES)


def _cable(one: str, end: str, other: str, other_end: str) -> None:
    _ip("link", "add", end, "netns", one, "type", "veth", "peer", other_end, "netns", other)
    _ip("-n", one, "link", "set", end, "up")
    _ip("-n", other, "link", "set", other_end, "up")


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _run(words: list[str], text: str | None = None) -> None:
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
