"""An object store and its errors, by way of obstore: S3 and what speaks its protocol, Google Cloud
Storage, Azure Blob Storage.

::

    s3://BUCKET/PREFIX?region=eu-central-1&endpoint=http://minio:9000&anonymous=yes
    gs://BUCKET/PREFIX
    az://CONTAINER/PREFIX?account=films

Keys never stand in a URL, which is printed and logged: the libraries' usual environment variables
have them, or the machine itself is known to the store. What obstore says of a failure can have
addresses and tokens in it, so only a reason, a status and a code are taken from it.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from origin.sources import Identity, missing
from origin.sources.turns import Share, Turns
from p2pcdn.errors import ConfigError, SourceError, SourceReason, UnavailableError

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CONNECT = timedelta(seconds=3)
SILENCE = timedelta(seconds=5)
"""For which an answer may stand still."""
ANSWER = timedelta(seconds=20)
"""That an answer may take in all: a block of it is small."""
RETRIES = 2
LAST_RETRY = timedelta(seconds=10)
"""After the first attempt; no other begins later."""

AWAY = 2.0
"""Seconds for which a store that could not be reached is not asked again: whoever asks meanwhile
hears so at once, and holds no thread."""

NO_BUCKET = "there is no such bucket"

_BATCH = 1000
"""Objects that one request for a listing brings."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,221}")
_ENDPOINT = re.compile(r"https?://[^/?#@\s]+(/[^?#@\s]*)?")
_STATUS = re.compile(r"status code: ([0-9]{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")

_NAMES = {
    "s3": {"endpoint": "endpoint", "region": "region", "anonymous": "skip_signature"},
    "gs": {"endpoint": "base_url", "anonymous": "skip_signature"},
    "az": {"endpoint": "endpoint", "account": "account_name", "anonymous": "skip_signature"},
}
"""What may be asked for behind a URL's question mark, and how obstore calls it."""

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


class Place(NamedTuple):
    """What a URL says."""

    scheme: str
    bucket: str
    prefix: str
    options: Mapping[str, str]
    """By obstore's names."""

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def endpoint(self) -> str:
        """Where it is, if that is no place of Amazon's, Google's or Microsoft's."""
        given = self.options.get(_NAMES[self.scheme]["endpoint"], "")
        return given or next(filter(None, map(os.environ.get, _ENDPOINTS[self.scheme])), "")


class Object(NamedTuple):
    """One version of an object."""

    identity: Identity
    etag: str
    """What a read can be made conditional on; empty if the store has nothing of the kind."""


def place_of(url: str, name: str) -> Place:
    """What the URL of a bucket says; `ConfigError`, by the setting's ``name``, if that is wrong."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    known = _NAMES[scheme]
    if "@" in parts.netloc:
        raise ConfigError(
            f"{name} has a password or a key in it, and it is printed: give keys by environment "
            "variables, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    prefix = unquote(parts.path).removeprefix("/").removesuffix("/")
    odd = prefix and any(part in ("", ".", "..") for part in prefix.split("/"))
    if not _BUCKET.fullmatch(parts.netloc) or odd or parts.fragment:
        raise ConfigError(
            f"{name} has to be {scheme}://BUCKET or {scheme}://BUCKET/PREFIX, as in "
            f"{scheme}://films/2026."
        )
    options = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in known:
            raise ConfigError(
                f"{name} may say {', '.join(known)} behind its question mark, not {key[:32]!a}."
            )
        options[known[key]] = value
    if options.get("skip_signature", "yes") != "yes":
        raise ConfigError(f"{name} says anonymous=yes, or nothing of it.")
    endpoint = options.get(known["endpoint"])
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise ConfigError(f"The endpoint of {name} has to be as http://minio.example:9000.")
    return Place(scheme, parts.netloc, prefix, options)


def connect(place: Place, name: str) -> ObjectStore:
    """The store at a place; nobody is asked yet. `ConfigError` if what it needs is not there."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, GCSStore, S3Store
    except ImportError as error:
        raise UnavailableError(
            f"{name} needs obstore: `pip install '.[bucket]'` in a clone of the project."
        ) from error
    client: ClientConfig = {
        "connect_timeout": CONNECT,
        "read_timeout": SILENCE,
        "timeout": ANSWER,
        "allow_http": place.endpoint.startswith("http://"),
    }
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": LAST_RETRY,
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    stores: dict[str, Callable[..., ObjectStore]] = {
        "s3": S3Store,
        "gs": GCSStore,
        "az": AzureStore,
    }
    try:
        return stores[place.scheme](
            place.bucket,
            prefix=place.prefix or None,
            config=dict(place.options),
            client_options=client,
            retry_config=retries,
        )
    except (BaseError, ValueError, OSError):
        # Its text could have a key in it.
        raise ConfigError(
            f"{name} cannot be used as the environment is: see what is set of "
            f"{_VARIABLES[place.scheme]}."
        ) from None


_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT",
    "az": "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY",
}


class ObjectReader:
    """Asks a store, for whoever may wait; all it raises is `SourceError`. Any thread may use it."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Callable[[], float] = time.monotonic,
        turns: Turns | None = None,
    ) -> None:
        """``turns`` are those of all places that threads wait for."""
        self._store = store
        self._clock = clock
        self.turn = Share(turns or Turns(), "the store").turn
        self._again_at = float("-inf")
        self.trouble: SourceError | None = None
        """Why it did not give what was last asked for; None if it did, or had no such thing."""

    def look(self, path: str) -> Object:
        """What is at ``path`` now."""
        import obstore

        with self._asked(path):
            return _object(obstore.head(self._store, path))

    def read(self, path: str, version: Object, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to, not including, ``stop`` of this very version: if it has
        been replaced, they are missing."""
        import obstore

        options: GetOptions = {"range": (start, stop)}
        if version.etag:
            options["if_match"] = version.etag
        with self._asked(path):
            found = obstore.get(self._store, path, options=options)
            if _object(found.meta) != version:  # a store that knows no conditions
                raise missing(path)
            data = bytes(found.bytes())
            if len(data) != stop - start:
                raise SourceError(SourceReason.LENGTH, f"{len(data)} bytes, not {stop - start}")
            return data

    def list(self, most: int) -> dict[str, Object] | None:
        """All objects by their paths; None if there are more than ``most``."""
        import obstore

        found: dict[str, Object] = {}
        with self._asked(""):
            for batch in obstore.list(self._store, chunk_size=_BATCH):
                found.update((meta["path"], _object(meta)) for meta in batch)
                if len(found) > most:
                    return None
        found.pop("", None)  # some tools put an object where a folder begins
        return found

    @contextmanager
    def _asked(self, path: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        trouble = self.trouble
        if trouble is not None and self._clock() < self._again_at:
            raise again(trouble)
        try:
            yield
        except (BaseError, OSError, ValueError, SourceError) as error:
            failure = error if isinstance(error, SourceError) else failure_of(error, path)
            if failure.reason is not SourceReason.MISSING:
                self.trouble = failure
            if failure.reason in (SourceReason.UNREACHABLE, SourceReason.TIMEOUT):
                self._again_at = self._clock() + AWAY
            raise failure from None
        else:
            self.trouble = None


def again(error: SourceError) -> SourceError:
    """The same error for somebody else."""
    return SourceError(error.reason, error.detail)


def failure_of(error: Exception, path: str) -> SourceError:
    """What an error of obstore's means, without anything in it that is nobody's business."""
    text = str(error)
    found, code = _STATUS.search(text), _CODE.search(text)
    status = int(found[1]) if found else 0
    said = " ".join(filter(None, (found and found[1], code and code[1])))
    detail = f"the store answered {said}" if said else "the store broke off"
    reason = SourceReason.CLOSED
    if code and code[1] in ("NoSuchBucket", "ContainerNotFound"):
        reason, detail = SourceReason.STATUS, NO_BUCKET
    elif status == 412 or isinstance(error, FileNotFoundError | ValueError):
        # A path that cannot be a key is a `ValueError`.
        return missing(path)
    elif status in (429, 503):
        reason = SourceReason.BUSY
    elif status:
        reason = SourceReason.STATUS
    elif "Timeout" in text or "TimedOut" in text:
        reason, detail = SourceReason.TIMEOUT, "the store was silent for too long"
    elif "kind: Connect" in text:
        reason, detail = SourceReason.UNREACHABLE, "no connection to the store"
    elif "NotPartial" in text or "UnexpectedRange" in text:
        reason, detail = SourceReason.LENGTH, "the store gave another range than was asked for"
    elif "InvalidPath" in text:
        reason, detail = SourceReason.STATUS, "a key has an empty name among its folders (`//`)"
    return SourceError(reason, detail)


def _object(meta: ObjectMeta | Mapping[str, Any]) -> Object:
    """Listings and answers write the same version differently: without quotes, with fractions."""
    told = meta["e_tag"] or ""
    tag = told.removeprefix("W/").strip('"')
    seconds = int(meta["last_modified"].timestamp())
    number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8])
    strong = tag and not told.startswith("W/")
    identity = Identity(meta["size"], seconds * 1_000_000_000, number)
    return Object(identity, f'"{tag}"' if strong else "")
