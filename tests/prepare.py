"""Makes sure of what the tests need beside Python and Node: ``python -m tests.prepare``.

A browser that is installed is found. Where there is none, a CI machine (CI=true, root, Debian) gets
Debian's packages; a person is told what to install, since it is their machine. What only some
tests need is optional: they say themselves why they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from ctypes.util import find_library
from typing import NamedTuple

from tests import fast_python, nginx
from tests.e2e.browser import SHELL, find_chromium


class Need(NamedTuple):
    """Something that has to be installed, and the Debian package that brings it."""

    package: str
    purpose: str
    found: Callable[[], bool]
    required: bool = False


def _chromium() -> bool:
    try:
        find_chromium()
    except RuntimeError:
        return False
    return True


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


NEEDS = (
    Need("chromium", "real browsers (or set CHROME_PATH to a Chrome)", _chromium, required=True),
    Need(SHELL, "half the time in browsers", _program(SHELL)),
    Need("firefox-esr", "the smoke test in Firefox", _program("firefox-esr", "firefox")),
    # Firefox brings no H.264 of its own.
    Need("libavcodec-extra", "H.264 in Firefox", lambda: find_library("avcodec") is not None),
    Need("iproute2", "viewers behind NATs and on cables that count, as root", _program("ip")),
    Need("nftables", "viewers behind NATs, as root", _program("nft")),
    Need("ffmpeg", "encoders of live streams, and a player at the gateway", _program("ffmpeg")),
    Need("mpv", "another player at the gateway", _program("mpv")),
    Need("nginx", "media that stay at a CDN, a proxy in front", lambda: nginx.find() is not None),
    Need("wrk", "the benchmark of the origin", _program("wrk")),
    Need("coturn", "peers behind a TURN server", _program("turnserver")),
    Need("curl", "a line of the how-tos", _program("curl")),
    Need("zip", "a line of the how-tos", _program("zip")),
    Need("php-cli", "a back end of the how-tos that makes tokens", _program("php")),
    Need("systemd", "the unit", _program("systemd-analyze")),
    Need(
        "redis-server",
        "several trackers with one store (or valkey-server)",
        _program("valkey-server", "redis-server"),
    ),
)


def main() -> int:
    """Install or name what is missing; the exit code."""
    missing = [need for need in NEEDS if not need.found()]
    if missing and _may_install():
        _install([need.package for need in missing])
        missing = [need for need in missing if not need.found()]
    for need in missing:
        kind = "needed" if need.required else "not needed, but good to have"
        print(f"{need.package} is not installed; it is {kind} for {need.purpose}.", file=sys.stderr)
    if not fast_python.make():
        print(
            "Python 3.12 with aiolibdatachannel is not there; it is not needed, but good to have "
            "for the tests of native peers' faster transport.",
            file=sys.stderr,
        )
    required = [need.package for need in missing if need.required]
    if required:
        print(
            f"The tests need {' and '.join(required)}: on Debian or Ubuntu "
            f"`sudo apt-get install {' '.join(required)}`, elsewhere any Chrome or Chromium.",
            file=sys.stderr,
        )
    return 1 if required else 0


def _may_install() -> bool:
    return (
        os.environ.get("CI") == "true"
        and shutil.which("apt-get") is not None
        and hasattr(os, "geteuid")
        and os.geteuid() == 0
    )


def _install(packages: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", *words], env=environment, check=False)


if __name__ == "__main__":
    raise SystemExit(main())
