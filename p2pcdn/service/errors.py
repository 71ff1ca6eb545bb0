"""Every failure of our HTTP has one shape: ``{"error": {"code": ..., "message": ...}}``.

A handler raises aiohttp's own exceptions with a sentence as text, ``raise
web.HTTPNotFound(text="There is no file at /media/a.ts.")``; the code is the status in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from p2pcdn.errors import ErrorCode, RemoteError

_STATUS_OF: dict[ErrorCode, HTTPStatus] = {
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.TOO_FAST: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.DRAINING: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.WRONG_ORIGIN: HTTPStatus.FORBIDDEN,
}

SORRY = "Something went wrong on this server; its log says what."

log = structlog.get_logger("p2pcdn.http")


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A failure as an answer: a code for programs and a sentence for people."""
    return web.Response(
        status=status,
        body=msgspec.json.encode({"error": {"code": code, "message": message}}),
        content_type="application/json",
        headers=headers,
    )


def of_exception(request: web.Request, error: web.HTTPException) -> web.Response:
    """One of aiohttp's exceptions in our shape, with its headers but those about its body."""
    status = HTTPStatus(error.status)
    untold = f"{error.status}: {error.reason}"  # aiohttp's text where nobody gave one
    message = error.text or untold
    if message == untold:
        message = f"{status.phrase}: {request.path}."
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{error.method} is not possible here, only {allowed}."
    headers = {
        name: value
        for name, value in error.headers.items()
        if name not in (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH)
    }
    return error_response(error.status, code_of(status), message, headers)


def code_of(status: HTTPStatus) -> str:
    """The status in words, as programs like them: ``not_found``."""
    return status.name.lower()


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer in our shape."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise  # a redirect
        return of_exception(request, error)
    except RemoteError as error:
        status = _STATUS_OF.get(error.code, HTTPStatus.BAD_REQUEST)
        return error_response(status, error.code.value, error.detail or f"{status.phrase}.")
    except ConnectionError:
        raise  # the client has gone; there is nobody to answer
    except web.RequestPayloadError as error:
        return error_response(
            HTTPStatus.BAD_REQUEST,
            code_of(HTTPStatus.BAD_REQUEST),
            f"The request's body is not valid HTTP: {error}.",
        )
    except Exception as error:
        log.exception("request_failed", method=request.method, path=request.path)
        if request.writer.output_size:
            # Another answer would be taken for the rest of the body of the one that has begun.
            raise ConnectionAbortedError from error
        return error_response(
            HTTPStatus.INTERNAL_SERVER_ERROR, code_of(HTTPStatus.INTERNAL_SERVER_ERROR), SORRY
        )
