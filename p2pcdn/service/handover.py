"""From HTTP to another protocol on the same connection: aiohttp reads the request, a handler says
yes, and from then on the connection is whose protocol it is.

::

    GET, Upgrade --> aiohttp: deadlines, limits, routes --> handler --hand_over()--> Line
                                                               '--> HandedOver: nothing is written

So requests are looked at by one parser and with one set of limits, whatever becomes of them.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from p2pcdn.service.deadline import DeadlineHandler, Line


def hand_over(request: web.Request) -> Line:
    """Take the connection of a request; its handler returns `HandedOver` then.
    `ConnectionResetError` if it is lost."""
    protocol = request.protocol
    assert isinstance(protocol, DeadlineHandler)  # as `Server` has them
    return protocol.hand_over()


class HandedOver(web.StreamResponse):
    """The answer of a handler that has given the connection away: somebody else answers."""

    def __init__(self) -> None:
        super().__init__(status=HTTPStatus.SWITCHING_PROTOCOLS)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: there is no answer of aiohttp's to end."""
