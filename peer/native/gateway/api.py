"""The gateway's REST API, below ``/SECRET/api/v1``.

==========================  ==============================================================  =======
request                     what it does                                                    pages
==========================  ==============================================================  =======
GET ``/``                   says that it is there, and its version                          yes
POST ``/contents``          ``{"url": ..., "keep": true}`` adds a content; where it is read  no keep
GET ``/token?url=``         what a join token for a content has to be made out for          yes
GET ``/contents``           all contents, with their figures                                no
GET ``/contents/ID``        one of them                                                     own
PATCH ``/contents/ID``      ``{"paused": true}`` leaves its swarm, ``false`` comes back     no
DELETE ``/contents/ID``     forgets it                                                      no
GET ``/code``               the code that is good now, if there is one                      no
POST ``/code``              makes one                                                       no
GET ``/pages``              the paired pages                                                no
DELETE ``/pages?origin=``   forgets one; a page may forget itself                           own
==========================  ==============================================================  =======
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from aiohttp import hdrs, web

from p2pcdn import __version__
from p2pcdn.errors import ConfigError, P2pcdnError, SourceError
from p2pcdn.wire.token import LONGEST
from peer.native.addresses import ContentAddress
from peer.native.gateway.admission import Pass, Role
from peer.native.gateway.codes import Codes, shown
from peer.native.gateway.contents import Contents, Entry
from peer.native.gateway.guard import may_read, session
from peer.native.gateway.media import NOT_FOR_PAGES
from peer.native.gateway.state import State
from peer.native.http_source import HttpSource
from peer.native.tokens import thumbprint_of

Answer = Callable[[web.Request, Pass, str], Awaitable[web.Response]]


class Add(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST ``/contents``."""

    url: str
    keep: bool = False
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)] | None = None


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """The body of PATCH ``/contents/ID``."""

    paused: bool


class Api:
    """Answers what is asked for below ``api/v1``."""

    def __init__(self, contents: Contents, state: State, codes: Codes) -> None:
        self._contents = contents
        self._state = state
        self._codes = codes
        self.base = ""
        """``http://HOST:PORT/``, once that is known."""
        self._answers: dict[tuple[str, str], tuple[Answer, bool]] = {
            # Method and resource; who answers, and whether pages may ask.
            ("GET", ""): (self._version, True),
            ("POST", "contents"): (self._add, True),
            ("GET", "contents"): (self._list, False),
            ("GET", "contents/"): (self._show, True),
            ("PATCH", "contents/"): (self._change, False),
            ("DELETE", "contents/"): (self._remove, False),
            ("GET", "token"): (self._token, True),
            ("GET", "code"): (self._code, False),
            ("POST", "code"): (self._new_code, False),
            ("GET", "pages"): (self._pages, False),
            ("DELETE", "pages"): (self._part, True),
        }

    async def answer(self, request: web.Request, admitted: Pass, rest: str) -> web.Response:
        """``rest`` is the path below ``api/v1/``."""
        resource, slash, name = rest.strip("/").partition("/")
        found = self._answers.get((request.method, resource + slash))
        if found is None:
            raise web.HTTPNotFound(text=f"There is no {request.method} {rest} here.")
        answer, for_pages = found
        if admitted.role is not Role.OWNER and not for_pages:
            raise web.HTTPForbidden(text="That is for the owner of this peer alone.")
        try:
            return await answer(request, admitted, name)
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=f"The body is not right: {error}.") from error
        except ConfigError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        except P2pcdnError as error:
            raise web.HTTPConflict(text=str(error)) from error

    async def pair(self, admitted: Pass) -> web.Response:
        """A page shows the code: it gets a secret of its own for it."""
        now = asyncio.get_running_loop().time()
        if admitted.origin is None or not self._codes.spend(admitted.secret, now):
            raise ConnectionError("another page was quicker")
        secret = self._state.pair(admitted.origin)
        return _json({"base": f"{self.base}{secret}/"})

    def new_code(self) -> str:
        """A code, without hyphens; `ConfigError` if no page could use one."""
        if not self.base.startswith("http://127.0.0.1:"):
            raise ConfigError(
                "There is no code: pages look for a gateway at 127.0.0.1 alone, and this one is at "
                f"{self.base}."
            )
        return self._codes.new(self._state.port, asyncio.get_running_loop().time())

    async def _version(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        return _json({"p2pcdn": __version__})

    async def _add(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=Add)
        page = admitted.origin if admitted.role is Role.PAGE else None
        if page is not None:
            await self._assert_readable(page, ContentAddress.parse(asked.url))
        keep = asked.keep and page is None
        entry = await self._contents.add(
            asked.url, keep=keep, page=page, lasts=True, token=asked.token
        )
        return _json(self._described(entry, admitted), 201)

    async def _token(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        page = admitted.origin if admitted.role is Role.PAGE else None
        address = ContentAddress.parse(request.query.get("url", ""))
        if page is not None:
            await self._assert_readable(page, address)
        try:
            async with session(page, address.origin) as asking:
                manifest = await HttpSource(asking, address).manifest(address.path)
        except SourceError as error:
            raise web.HTTPBadGateway(text="The origin gives no manifest of it.") from error
        return _json(
            {
                "thumbprint": thumbprint_of(self._contents.key(page)),
                "site": manifest.site,
                "content": manifest.content,
                "url": f"/media/{address.path}",
                "client": "native",
            }
        )

    async def _assert_readable(self, page: str, address: ContentAddress) -> None:
        if not await may_read(page, address.manifest(address.path)):
            raise web.HTTPForbidden(text=NOT_FOR_PAGES)

    async def _list(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        return _json([self._described(entry, admitted) for entry in self._contents.all])

    async def _show(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        return _json(self._described(self._entry(name, admitted), admitted))

    async def _change(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        change = msgspec.json.decode(await request.read(), type=Change)
        entry = self._entry(name, admitted)
        await self._contents.pause(entry, change.paused)
        return _json(self._described(entry, admitted))

    async def _remove(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        await self._contents.remove(self._entry(name, admitted))
        return web.Response(status=204)

    async def _code(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        good = self._codes.current(asyncio.get_running_loop().time())
        return _json({"code": good and shown(good[0]), "seconds": good and round(good[1], 1)})

    async def _new_code(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        self.new_code()
        return await self._code(request, admitted, name)

    async def _pages(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        return _json(sorted(set(self._state.pages.values())))

    async def _part(self, request: web.Request, admitted: Pass, name: str) -> web.Response:
        page = admitted.origin if admitted.role is Role.PAGE else request.query.get("origin", "")
        if not self._state.part(page or ""):
            raise web.HTTPNotFound(text="No such page is paired.")
        return web.Response(status=204)

    def _entry(self, id_: str, admitted: Pass) -> Entry:
        entry = self._contents.get(id_)
        theirs = admitted.role is Role.OWNER or (entry and entry.source.page == admitted.origin)
        if entry is None or not theirs:
            raise web.HTTPNotFound(text="There is no such content here.")
        return entry

    def _described(self, entry: Entry, admitted: Pass) -> dict[str, Any]:
        stats, progress = (entry.peer.stats, entry.peer.progress) if entry.peer else (None, None)
        # A page's own contents are read with its own secret, which nobody else is told.
        mine = entry.source.page is None or admitted.role is Role.PAGE
        return {
            "id": entry.id,
            "url": entry.url,
            "media": f"{self.base}{admitted.secret}/{entry.path}" if mine else None,
            "page": entry.source.page,
            "state": entry.state,
            "failure": entry.failure,
            "keep": entry.keep,
            "segments": {"kept": progress.kept, "known": progress.wanted} if progress else None,
            "bytes": {
                "origin": entry.plain + (stats.origin_bytes if stats else 0),
                "peers": stats.peer_bytes if stats else 0,
                "shared": stats.uploaded_bytes if stats else 0,
            },
            "links": stats.links if stats else 0,
        }


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        headers={hdrs.CONTENT_TYPE: "application/json", hdrs.CACHE_CONTROL: "no-store"},
    )
