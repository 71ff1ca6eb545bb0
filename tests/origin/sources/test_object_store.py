"""An object store: what a URL says, and what comes of its errors."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import pytest

from origin.sources import object_store
from origin.sources.object_store import (
    AWAY,
    NO_BUCKET,
    Object,
    ObjectReader,
    connect,
    failure_of,
    place_of,
)
from origin.sources.turns import Turns
from p2pcdn.errors import ConfigError, SourceError, SourceReason
from tests.origin.buckets import KEYS, Store, make_impatient
from tests.origin.media_files import noise

DATA = noise(300_000)


class Clock:
    """A time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def reader(store: Store, clock: Clock | None = None) -> ObjectReader:
    place = place_of(store.url("tv"), "content")
    return ObjectReader(connect(place, "content"), clock or Clock())


@pytest.mark.parametrize(
    ("url", "bucket", "prefix", "options"),
    [
        ("s3://films", "films", "", {}),
        ("S3://films/tv/2026/", "films", "tv/2026", {}),
        ("s3://films/a%20b", "films", "a b", {}),
        ("s3://f?region=eu&anonymous=yes", "f", "", {"region": "eu", "skip_signature": "yes"}),
        ("s3://f/x?endpoint=http://minio:9000", "f", "x", {"endpoint": "http://minio:9000"}),
        ("gs://f?endpoint=https://gcs.example", "f", "", {"base_url": "https://gcs.example"}),
        ("az://f/x?account=me", "f", "x", {"account_name": "me"}),
    ],
)  # fmt: skip
def test_urls(url: str, bucket: str, prefix: str, options: dict[str, str]) -> None:
    place = place_of(url, "content")
    assert (place.bucket, place.prefix, place.options) == (bucket, prefix, options)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3://", "content has to be s3://BUCKET or s3://BUCKET/PREFIX, as in s3://films/2026."),
        ("s3://a:80/x", "content has to be s3://BUCKET"),
        ("gs://films/a//b", "content has to be gs://BUCKET"),
        ("gs://films/a/../b", "content has to be gs://BUCKET"),
        ("gs://films#b", "content has to be gs://BUCKET"),
        ("gs://films/a#b", "content has to be gs://BUCKET"),
        ("gs://films?region=x", "content may say endpoint, anonymous behind its question mark"),
        ("s3://f?secret_access_key=x", "not 'secret_access_key'."),
        ("s3://f?anonymous=no", "content says anonymous=yes, or nothing of it."),
        ("s3://f?endpoint=minio:9000", "The endpoint of content has to be as http://minio.example:9000."),
        ("s3://f?endpoint=http://user:word@minio", "The endpoint of content has to be"),
    ],
)  # fmt: skip
def test_urls_that_say_nothing_good(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place_of(url, "content")
    assert sentence in str(caught.value)


def test_a_key_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        place_of("s3://an-id:a-secret-key@films", "content")
    assert "AWS_SECRET_ACCESS_KEY" in str(caught.value)
    assert "a-secret" not in str(caught.value)


def test_without_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ConfigError) as caught:
        connect(place_of("s3://films", "content"), "content")
    assert str(caught.value) == (
        "content needs obstore: `pip install '.[bucket]'` in a clone of the project."
    )


def test_what_the_environment_says_is_wrong_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "a-secret-key")
    with pytest.raises(ConfigError) as caught:
        connect(place_of("gs://films", "content"), "content")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value)
    assert "a-secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["gs://films", "az://films?account=me"])
def test_the_others_can_be_had(url: str) -> None:
    store = connect(place_of(f"{url}{'&' if '?' in url else '?'}anonymous=yes", "x"), "x")
    assert "films" in repr(store)


def test_what_is_there(store: Store) -> None:
    store.put_all({"tv/a.ts": DATA, "tv/x/b.ts": b"b", "other": b"no", "tv/": b""})
    ask = reader(store)
    found = ask.look("a.ts")
    assert found.identity.size == len(DATA)
    assert abs(found.identity.modified - time.time()) < 60
    assert ask.list(10) == {"a.ts": found, "x/b.ts": ask.look("x/b.ts")}
    assert ask.list(1) is None
    assert ask.read("a.ts", found, 5, 70_000) == DATA[5:70_000]
    assert ask.trouble is None


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_the_other_stores(store: Store, scheme: str) -> None:
    """By their own protocols, which differ from S3's in listings and in how keys are written."""
    account = "&account=me" if scheme == "az" else ""
    url = f"{scheme}://{store.bucket}/tv?endpoint={store.endpoint}&anonymous=yes{account}"
    ask = ObjectReader(connect(place_of(url, "content"), "content"))
    store.put_all({"tv/x/a.ts": DATA, "tv/x/b%20c.ts": b"b", "other": b"no"})
    found = ask.look("x/a.ts")
    assert ask.list(10) == {"x/a.ts": found, "x/b c.ts": ask.look("x/b c.ts")}
    assert ask.read("x/a.ts", found, 5, 70_000) == DATA[5:70_000]
    store.put("tv/x/a.ts", DATA[::-1])
    for failing in (lambda: ask.read("x/a.ts", found, 0, 10), lambda: ask.look("x/none.ts")):
        with pytest.raises(SourceError) as caught:
            failing()
        assert caught.value.reason is SourceReason.MISSING
    store.fault = "denied"
    with pytest.raises(SourceError) as caught:
        ask.list(10)
    assert caught.value.detail == "the store answered 403 AccessDenied"


def test_other_bytes_are_another_version(store: Store) -> None:
    ask = reader(store)
    store.put("tv/a.ts", DATA)
    before = ask.look("a.ts")
    store.put("tv/a.ts", DATA[::-1])
    assert ask.look("a.ts") != before
    assert ask.look("a.ts").identity.size == before.identity.size


@pytest.mark.parametrize("fault", ["", "unconditional"])
def test_no_byte_is_of_another_version(store: Store, fault: str) -> None:
    ask = reader(store)
    store.put("tv/a.ts", DATA)
    before = ask.look("a.ts")
    store.put("tv/a.ts", DATA[::-1])
    store.fault = fault
    with pytest.raises(SourceError) as caught:
        ask.read("a.ts", before, 0, 100)
    assert (caught.value.reason, caught.value.detail) == (SourceReason.MISSING, "a.ts")
    assert store.answered[-1] == (206 if fault else 412)


@pytest.mark.parametrize(
    ("fault", "reason", "detail"),
    [
        ("denied", SourceReason.STATUS, "the store answered 403 AccessDenied"),
        ("no bucket", SourceReason.STATUS, NO_BUCKET),
        ("broken", SourceReason.STATUS, "the store answered 500 InternalError"),
        ("busy", SourceReason.BUSY, "the store answered 503 SlowDown"),
        ("reset", SourceReason.CLOSED, "the store broke off"),
        ("truncated", SourceReason.CLOSED, "the store broke off"),
        ("short", SourceReason.LENGTH, "99999 bytes, not 100000"),
        ("silent", SourceReason.TIMEOUT, "the store was silent for too long"),
    ],
)
def test_faults(
    store: Store,
    fault: str,
    reason: SourceReason,
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.put("tv/a.ts", DATA)
    found = reader(store).look("a.ts")
    store.fault = fault
    if fault == "silent":
        make_impatient(monkeypatch)
    ask = reader(store)
    with pytest.raises(SourceError) as caught:
        ask.read("a.ts", found, 0, 100_000)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_listing_says_that_there_is_no_bucket(store: Store) -> None:
    store.fault = "no bucket"
    with pytest.raises(SourceError) as caught:
        reader(store).list(10)
    assert caught.value.detail == NO_BUCKET


def test_a_key_that_is_no_path(store: Store) -> None:
    store.put("tv/a//b.ts", b"x")
    with pytest.raises(SourceError) as caught:
        reader(store).list(10)
    assert caught.value.detail == "a key has an empty name among its folders (`//`)"


def test_one_that_is_away_is_not_asked_again_for_a_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    store.put("tv/a.ts", DATA)
    store.fault = "silent"
    make_impatient(monkeypatch)
    ask = reader(store, clock)
    for _ in range(3):
        with pytest.raises(SourceError) as caught:
            ask.look("a.ts")
        assert caught.value.reason is SourceReason.TIMEOUT
    assert store.take() == ["HEAD tv/a.ts"]
    assert ask.trouble is not None
    store.fault = "denied"
    clock.now += AWAY
    with pytest.raises(SourceError):
        ask.look("a.ts")
    assert store.take() == ["HEAD tv/a.ts"]


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    url = "s3://films?endpoint=http://127.0.0.1:1"
    ask = ObjectReader(connect(place_of(url, "content"), "content"))
    with pytest.raises(SourceError) as caught:
        ask.look("a.ts")
    assert (caught.value.reason, caught.value.detail) == (
        SourceReason.UNREACHABLE,
        "no connection to the store",
    )


def test_too_many_at_once(store: Store) -> None:
    place = place_of(store.url("tv"), "content")
    ask = ObjectReader(connect(place, "content"), turns=Turns(1))
    with ask.turn():
        with pytest.raises(SourceError) as caught, ask.turn():
            pass
        assert caught.value.reason is SourceReason.BUSY
    with ask.turn():
        pass


def test_nothing_of_a_failure_is_told_but_what_everybody_may_know() -> None:
    text = (
        "Generic Azure error: Error performing GET https://me.blob.example/f?sv=2026&sig=a-secret "
        "- Server returned non-2xx status code: 403 Forbidden: <Code>AuthFailed</Code>"
    )
    assert failure_of(RuntimeError(text), "a.ts").detail == "the store answered 403 AuthFailed"


def test_who_writes_the_same_version_otherwise() -> None:
    when = datetime(2026, 11, 30, 3, 24, tzinfo=UTC)
    meta = {"path": "a", "size": 5, "last_modified": when, "e_tag": '"0x8D"'}
    listed = meta | {"e_tag": "0x8D", "last_modified": when.replace(microsecond=123_000)}
    assert object_store._object(meta) == object_store._object(listed)
    assert object_store._object(meta).etag == '"0x8D"'
    weak, none = (object_store._object(meta | {"e_tag": tag}) for tag in ('W/"0x8D"', None))
    assert weak == Object(object_store._object(meta).identity, "")
    assert none.etag == ""


def test_keys_go_by_the_environment(store: Store) -> None:
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(connect(place_of(store.url(), "x"), "x"))
