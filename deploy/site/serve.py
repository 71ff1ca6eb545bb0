"""The demo's site: somebody else's web server, with a page that has the script tag.

::

    GET /              index.html, with the addresses below filled in
    GET /hls.min.js    the site's own player

``LISTEN`` (HOST:PORT) is where it listens, ``ORIGIN`` where the film is. Where ``TRACKERS`` (URLs,
separated by spaces) names several, each visitor is sent to the next one.
"""

from __future__ import annotations

import html
import itertools
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
PLAYER = (files("origin") / "static" / "hls.min.js").read_bytes()

ORIGIN = os.environ.get("ORIGIN", "http://localhost:8080")
TRACKERS = itertools.cycle(os.environ.get("TRACKERS", "").split() or [""])


def page() -> str:
    """The page, for the next visitor."""
    tracker = next(TRACKERS)
    named = f' data-tracker="{html.escape(tracker)}"' if tracker else ""
    return PAGE.replace("{origin}", html.escape(ORIGIN)).replace("{tracker}", named)


class Handler(BaseHTTPRequestHandler):
    """Answers one visitor."""

    def do_GET(self) -> None:
        """Send what there is."""
        if self.path == "/":
            self._send(page().encode(), "text/html; charset=utf-8")
        elif self.path == "/hls.min.js":
            self._send(PLAYER, "text/javascript")
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep quiet: it is the film that counts."""

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process ends."""
    host, _, port = os.environ.get("LISTEN", "0.0.0.0:8081").rpartition(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
