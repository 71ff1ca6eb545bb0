"""What the figures depend on: the machine, and the versions of everything."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import p2pcdn
from bench.browsers.servers import HERE, ROOT


def machine() -> str:
    """The processor, the memory and the system, in a phrase."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions(browser: str, hls: str) -> str:
    """Who took part, in a phrase."""
    package = json.loads((HERE / "package.json").read_text())["dependencies"]
    return (
        f"Chromium {browser}, hls.js {hls}, p2pcdn {p2pcdn.__version__}{_commit()}, "
        f"p2p-media-loader {package['p2p-media-loader-hlsjs']} with "
        f"bittorrent-tracker {package['bittorrent-tracker']}"
    )


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        commit = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" ({commit})"
