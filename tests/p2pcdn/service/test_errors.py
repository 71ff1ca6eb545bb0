"""Whatever goes wrong in a handler comes out as one shape."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import aiohttp
import pytest
from aiohttp import web

from p2pcdn.errors import ErrorCode, RemoteError
from tests.p2pcdn.service.hosting import Answer, connected, hello, hosted


async def ask(error: Exception, method: str = "GET") -> Answer:
    """The answer of a handler that raises this."""

    async def fail(request: web.Request) -> NoReturn:
        raise error

    async with hosted(web.get("/x", fail)) as server, connected(server) as wire:
        wire.send(f"{method} /x HTTP/1.1\r\nHost: x\r\n\r\n")
        return await wire.answer()


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (web.HTTPNotFound(text="No file a."), 404, "not_found", "No file a."),
        (web.HTTPNotFound(), 404, "not_found", "Not Found: /x."),
        (web.HTTPForbidden(), 403, "forbidden", "Forbidden: /x."),
        (RemoteError(ErrorCode.MALFORMED, "no JSON"), 400, "malformed", "no JSON"),
        (RemoteError(ErrorCode.TOO_LARGE), 413, "too_large", "Request Entity Too Large."),
        (RemoteError(ErrorCode.TOO_FAST), 429, "too_fast", "Too Many Requests."),
        (RemoteError(ErrorCode.DRAINING), 503, "draining", "Service Unavailable."),
        (RemoteError(ErrorCode.WRONG_ORIGIN, "Not you."), 403, "wrong_origin", "Not you."),
        (
            ValueError("secret"),
            500,
            "internal_server_error",
            "Something went wrong on this server; its log says what.",
        ),
    ],
)
async def test_errors_have_a_code_and_a_sentence(
    error: Exception, status: int, code: str, message: str
) -> None:
    answer = await ask(error)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.error == (code, message)


async def test_the_headers_of_an_error_are_kept() -> None:
    error = web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": "bytes */7"})
    answer = await ask(error)
    assert answer.headers["Content-Range"] == "bytes */7"
    assert answer.headers["Content-Type"] == "application/json"


async def test_a_redirect_is_no_error() -> None:
    answer = await ask(web.HTTPFound("/elsewhere"))
    assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")
    assert answer.body == b"302: Found"


async def test_what_is_not_there_and_what_is_not_possible() -> None:
    async with hosted(web.get("/x", hello)) as server, connected(server) as wire:
        wire.get("/none?q=1")
        assert (await wire.answer()).error == ("not_found", "Not Found: /none.")
        wire.send("DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await wire.answer()
        assert answer.headers["Allow"] == "GET,HEAD"
        assert answer.error == (
            "method_not_allowed", "DELETE is not possible here, only GET, HEAD.",
        )  # fmt: skip


async def read(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def test_a_body_that_is_too_large() -> None:
    async with hosted(web.post("/", read)) as server, connected(server) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n" + "x" * 65_537)
        assert (await wire.answer()).error[0] == "request_entity_too_large"


@pytest.mark.parametrize(
    "header", ["Transfer-Encoding: chunked", "Content-Length: 11\r\nContent-Encoding: gzip"]
)
@pytest.mark.parametrize("apart", [True, False])
async def test_a_body_that_is_no_http(header: str, apart: bool) -> None:
    async with hosted(web.post("/", read)) as server, connected(server) as wire:
        wire.send(f"POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")
        if apart:
            await wire.writer.drain()
            await asyncio.sleep(0.05)  # so that the parser sees the header alone
        wire.send("no length\r\n")
        answer = await wire.answer()
        assert answer.error[0] in ("bad_request", "request_timeout")
        assert await wire.ended() == b""


async def test_a_bug_is_logged_once_without_the_clients_address(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    await ask(ValueError("secret"))
    logged = caplog.text + "".join(capsys.readouterr())
    assert logged.count("request_failed") == 1
    assert "secret" in logged
    assert logged.count("127.0.0.1") == logged.count("http://127.0.0.1:")  # its own address


async def test_a_client_that_goes_is_no_error(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def gone(request: web.Request) -> NoReturn:
        raise ConnectionResetError("the client went")

    async with hosted(web.get("/x", gone)) as server, connected(server) as wire:
        wire.get("/x")
        assert await wire.ended() == b""
    logged = caplog.text + "".join(capsys.readouterr())
    assert "Traceback" not in logged
    assert "went" not in logged


async def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def fail(request: web.Request) -> NoReturn:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"begun")
        raise OSError("a disk")

    async with (
        hosted(web.get("/x", fail)) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/x") as answer,
    ):
        assert await answer.content.readexactly(5) == b"begun"
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.readany()
