"""Failures of requests by HTTP, in words for a person."""

from __future__ import annotations

import os
import socket
import ssl

import aiohttp


def why(error: Exception) -> str:
    """What a person wants to know of a failure of aiohttp's, or of the system's: the end of a
    sentence, without the host, which its beginning names."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause: BaseException = error.certificate_error
        return f"its certificate is not one to believe ({getattr(cause, 'verify_message', cause)})"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"it answers {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own text repeats the host, and adds settings that nobody has heard of.
        return _of_system(error.os_error)
    if isinstance(error, OSError):
        return _of_system(error)
    return str(error) or type(error).__name__


def _of_system(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        said = getattr(error, "reason", None) or str(error)
        return f"it does not speak TLS ({said.replace('_', ' ').lower()})"
    # What says of a name that it is not known has numbers of its own.
    number = 0 if isinstance(error, socket.gaierror) else error.errno or 0
    return str(os.strerror(number) if number > 0 else error.strerror or error).lower()
