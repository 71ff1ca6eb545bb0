"""The demo: a page that shows what comes from where, and a switch that cuts the origin.

The page is an ordinary one. It loads hls.js, makes a player, includes the snippet by its script
tag and looks at `window.p2pcdn`, as any site's could. What only `p2pcdn demo` has is the switch::

    GET  /demo/api/cut                          {"cut": false}
    POST /demo/api/cut   {"cut": true}          the origin refuses media and manifests until told
                                                otherwise
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import hdrs, web

STATIC = Path(__file__).parent / "static"
BUNDLE = STATIC.parents[1] / "static"

FILES = {path.name: path for path in STATIC.iterdir()} | {"hls.min.js": BUNDLE / "hls.min.js"}
"""All that is served: no path of a request ever reaches the file system."""

HEADERS = {
    # A page under a policy this strict is the proof that the snippet works under one. hls.js
    # needs the two blobs: it plays through one, and its worker is another.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; media-src blob:; worker-src blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-cache",
}


NOT_BUILT = "The browser bundle has not been built: run `make bundle`."


def is_built() -> bool:
    """Whether the browser bundle is there, which the page plays with."""
    return FILES["hls.min.js"].exists()


class Cuttable(Protocol):
    """What the switch acts on: the origin."""

    cut: bool


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the switch says, both ways."""

    cut: bool


class Demo:
    """The page and the switch, as a service (`p2pcdn.service.Service`)."""

    def __init__(self, origin: Cuttable) -> None:
        self._origin = origin

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Where the demo answers."""
        return [
            web.get("/", _to_page),
            web.get("/demo", _to_page),
            web.get("/demo/{name:[^/]*}", _file),
            web.get("/demo/api/cut", self._get),
            web.post("/demo/api/cut", self._post),
        ]

    async def start(self) -> None:
        """There is nothing in the background."""

    async def drain(self) -> None:
        """All answers are short."""

    async def close(self) -> None:
        """There is nothing to release."""

    def problems(self) -> list[str]:
        """Why the page would not work."""
        return [] if is_built() else [NOT_BUILT]

    async def _get(self, request: web.Request) -> web.Response:
        return self._answer()

    async def _post(self, request: web.Request) -> web.Response:
        # Another site's page can send JSON only after a preflight, which is refused.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="The switch takes application/json.")
        try:
            self._origin.cut = msgspec.json.decode(await request.read(), type=Cut).cut
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(
                text=f'The switch takes {{"cut": true}} or {{"cut": false}}: {error}.'
            ) from None
        return self._answer()

    def _answer(self) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(Cut(self._origin.cut)),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )


async def _to_page(request: web.Request) -> web.Response:
    raise web.HTTPFound("/demo/")


async def _file(request: web.Request) -> web.FileResponse:
    path = FILES.get(request.match_info["name"] or "index.html")
    if path is None or not path.exists():
        raise web.HTTPNotFound(text=f"The demo has no {request.path}.")
    return web.FileResponse(path, headers=HEADERS)
