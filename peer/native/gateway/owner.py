"""The owner's own page: the contents and their figures, and the code for a page that is to be
paired. It uses the REST API like anybody."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

FILE = Path(__file__).with_name("owner.html")


def page() -> web.Response:
    """The page; nothing but its own script runs in it."""
    text, policy = _page()
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _page() -> tuple[str, str]:
    text = FILE.read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; connect-src 'self'; style-src '{_hash(text, 'style')}'; "
        f"script-src '{_hash(text, 'script')}'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )
    return text, policy


def _hash(text: str, element: str) -> str:
    inside = text.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
