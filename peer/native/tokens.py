"""Join tokens: where they come from, and the proof that their key is ours.

::

    thumbprint --POST--> the site's back end --token--> proof of the tracker's nonce --> join, renew

The key lives as long as the peer does. A token that was given by hand cannot be renewed, unless
somebody gives another.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import aiohttp
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from p2pcdn import es256
from p2pcdn.core.ports import Prove, Proved
from p2pcdn.failures import why
from p2pcdn.wire.manifest import to_base64
from p2pcdn.wire.token import LONGEST, key_of, proof_text, thumbprint
from p2pcdn.wire.tracker import Credentials, Proof, PublicKey

TIMEOUT = 4.0
"""Seconds that a back end may take: the tracker waits five for a join."""

_TOKEN = re.compile(rf"[A-Za-z0-9_.-]{{1,{LONGEST}}}")

log = structlog.get_logger("p2pcdn.peer")


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key to prove join tokens with."""
    return ec.generate_private_key(ec.SECP256R1())


def thumbprint_of(key: ec.EllipticCurvePrivateKey) -> str:
    """What a token's ``cnf.jkt`` has to be for this key (RFC 7638)."""
    return thumbprint(_public(key))


def _public(key: ec.EllipticCurvePrivateKey) -> PublicKey:
    encoded = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key_of(encoded)


class Tokens:
    """Does what `Prove` asks for. ``proved`` gets the answer; without a token for a join there is
    none, and ``failed`` is called."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        site: str,
        content: str,
        url: str,
        token: str | None,
        token_url: str | None,
        proved: Callable[[Proved], None],
        failed: Callable[[], None],
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> None:
        """``key`` is one that somebody has a token bound to; without it, they have one of their
        own."""
        self._session = session
        self._site = site
        self._content = content
        self._url = url
        self._token = token
        self._token_url = token_url
        self._shown: str | None = None
        """The token that was proved last."""
        self._proved = proved
        self._failed = failed
        self._private = key or new_key()
        self._key = _public(self._private)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def known(self) -> bool:
        """Whether there is a token, or somebody to ask for one."""
        return self._token is not None or self._token_url is not None

    @property
    def renewable(self) -> bool:
        """Whether there may be another after the first."""
        return self._token_url is not None

    @property
    def thumbprint(self) -> str:
        """Of our key (RFC 7638): what a token's ``cnf.jkt`` has to be."""
        return thumbprint(self._key)

    def do(self, event: Prove) -> None:
        """Get a token, and prove that it is ours."""
        if event.fresh and not self.renewable and self._token == self._shown:
            return  # that is tried again, and by then somebody may have brought another
        task = asyncio.create_task(self._do(event), name="join token")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def give(self, token: str) -> None:
        """Another token by hand, for when the one before is about to expire."""
        self._token = token

    async def close(self) -> None:
        """Ask for nothing more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _do(self, event: Prove) -> None:
        token = await self._ask() if self._token_url is not None else self._token
        if token is not None:
            self._shown = token
            self._proved(Proved(event.nonce, self._credentials(event.nonce, token)))
        elif not event.fresh:
            self._failed()

    async def _ask(self) -> str | None:
        asked = {
            "thumbprint": self.thumbprint,
            "site": self._site,
            "content": self._content,
            "url": self._url,
        }
        try:
            async with self._session.post(
                str(self._token_url), json=asked, timeout=aiohttp.ClientTimeout(TIMEOUT)
            ) as response:
                response.raise_for_status()
                data = b""
                async for part in response.content.iter_any():
                    data += part
                    if len(data) > LONGEST + 16:
                        break
                text = data.decode("ascii").strip()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("no_token", url=self._token_url, error=why(error))
            return None
        if not _TOKEN.fullmatch(text):
            log.warning("no_token", url=self._token_url, error="what came is no token")
            return None
        return text

    def _credentials(self, nonce: str, token: str) -> Credentials:
        said = proof_text(nonce, self._site, self._content, token)
        signature = es256.to_raw(self._private.sign(said, ec.ECDSA(SHA256())))
        return Credentials(token, Proof(self._key, to_base64(signature)), self._url)
