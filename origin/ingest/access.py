"""Which encoder may put what: tokens.

There is one token that is good for all folders of `ingest.paths`. From it come others, each good
for a folder alone and if need be for a time, which nobody has to remember::

    FOLDER.EXPIRES.MAC      MAC = HMAC-SHA256(token, "p2pcdn ingest" 0 FOLDER 0 EXPIRES)

FOLDER and MAC in base64 for URLs, EXPIRES in seconds since 1970 or 0. An encoder sends a token as
``Authorization: Bearer TOKEN``, or as the password of a user of any name, since that is what fits
into a URL. Who loses one of them has to have the first one changed, and with it all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus

from aiohttp import hdrs

from origin.http_error import HttpError
from p2pcdn.config import Config
from p2pcdn.service.secret import token_in
from p2pcdn.wire.manifest import from_base64, to_base64

FILE = "ingest-token"

_CHALLENGE: dict[str, str] = {
    # ffmpeg sends what is in its URL only if it is asked for it.
    hdrs.WWW_AUTHENTICATE: 'Basic realm="p2pcdn ingest", Bearer realm="p2pcdn ingest"',
    hdrs.CACHE_CONTROL: "no-store",
}


def first_token(config: Config) -> str:
    """The token that is good for all folders; it is made if there is none."""
    return config.ingest.token or token_in(config.data / FILE, "token of encoders")


def token_for(first: str, folder: str, expires: int = 0) -> str:
    """The token for a folder alone, until a time in seconds since 1970 if that is not 0."""
    return f"{to_base64(folder.encode())}.{expires}.{to_base64(_mac(first, folder, expires))}"


class Access:
    """Lets encoders put what they may."""

    def __init__(
        self, first: str, folders: Iterable[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._first = first
        self._folders = tuple(folders)
        self._clock = clock

    def check(self, authorization: str, path: str) -> str:
        """The folder in which who sends this may put files, everywhere if it is empty; `HttpError`
        unless this path is in there. It says nothing of what would be right."""
        token = _token_of(authorization)
        folder = None if token is None else self._folder_of(token)
        if folder is None:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED, "Encoders need a token here that is good.", _CHALLENGE
            )
        if not _is_in(path, folder) or not any(_is_in(path, one) for one in self._folders):
            raise HttpError(HTTPStatus.FORBIDDEN, "Nothing may be put there with this token.")
        return folder

    def _folder_of(self, token: str) -> str | None:
        """Where a token is good: in all folders, if that is empty; None if it is not."""
        if hmac.compare_digest(token.encode(), self._first.encode()):
            return ""
        name, _, rest = token.partition(".")
        expires, _, mac = rest.partition(".")
        given, folder = from_base64(mac), from_base64(name)
        if not given or not folder or not expires.isdecimal() or len(expires) > 12:
            return None
        try:
            text = folder.decode()
        except UnicodeDecodeError:
            return None
        until = int(expires)
        right = _mac(self._first, text, until)
        if not hmac.compare_digest(given, right) or (until and self._clock() >= until):
            return None
        return text


def _mac(first: str, folder: str, expires: int) -> bytes:
    said = b"p2pcdn ingest\0" + folder.encode() + b"\0" + str(expires).encode()
    return hmac.new(first.encode(), said, hashlib.sha256).digest()


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _token_of(authorization: str) -> str | None:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip() if given.isascii() else None
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(given.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return pair.partition(":")[2] or None
