"""What went wrong, in words."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from p2pcdn.failures import why

KEY = ConnectionKey("cdn.example", 443, True, True, None, None, None)


def refused() -> OSError:
    """As asyncio says it."""
    return OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "it does not answer"),
        (aiohttp.ClientConnectorError(KEY, refused()), "connection refused"),
        (refused(), "connection refused"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "Cannot write"), "connection reset by peer"),
        (
            aiohttp.ClientConnectorError(KEY, socket.gaierror(8, "Name or service not known")),
            "name or service not known",
        ),
        (
            aiohttp.ClientConnectorError(KEY, OSError("the address is not public")),
            "the address is not public",
        ),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL] wrong version number")),
            "it does not speak TLS ([ssl] wrong version number)",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError(1, "it is too old")),
            "its certificate is not one to believe (it is too old)",
        ),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_failure_in_words(error: Exception, words: str) -> None:
    assert why(error) == words
