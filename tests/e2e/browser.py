"""Finds and starts a real Chromium."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SHELL = "chromium-headless-shell"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

UNTHROTTLED = [
    # Only one page of a browser can be in front; all of them are viewers here.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]


def find_engine() -> str:
    """The path of a Chromium for viewers who do nothing but watch; CHROME_PATH beats the search.

    The headless shell is the same engine without tool bars, tabs and prompts, which take as much of
    the processor again as a page that plays. Where it isn't installed it is the whole browser.
    """
    shell = None if os.environ.get("CHROME_PATH") else shutil.which(SHELL)
    return shell or find_chromium()


def find_chromium() -> str:
    """The path of an installed Chromium or Chrome; CHROME_PATH beats the search."""
    named = os.environ.get("CHROME_PATH")
    for name in (named,) if named else NAMES:
        path = shutil.which(name)
        if path:
            return path
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    if mac.exists():
        return str(mac)
    raise RuntimeError("No browser: install Chromium or Chrome, or set CHROME_PATH to where it is.")
