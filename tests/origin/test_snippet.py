"""The browser bundle by all its names."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from origin.http import cross_origin
from origin.http.meter import Meter
from origin.http.sending import Sender
from origin.snippet import Facts, Snippet, facts
from tests.origin.conftest import Totals

SCRIPT = b"console.log('p2pcdn');" * 100
HASH = hashlib.sha256(SCRIPT).hexdigest()[:16]

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "p2pcdn.js").write_bytes(SCRIPT)
    (tmp_path / "p2pcdn.mjs").write_bytes(b"export {};")
    (tmp_path / "p2pcdn-local.mjs").write_bytes(b"export {};")
    (tmp_path / "p2pcdn.d.ts").write_bytes(b"export {};")
    return tmp_path


@pytest.fixture
async def client(bundle: Path) -> AsyncIterator[Client]:
    app = web.Application()
    sender = Sender(Meter(Totals()), cross_origin.headers("*"))
    app.add_routes(Snippet(bundle).routes(sender, cross_origin.preflight("*")))
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "caching"),
    [
        ("/p2pcdn.js", "public, max-age=300"),
        ("/p2pcdn.v1.js", "public, max-age=300"),
        (f"/p2pcdn.{HASH}.js", "public, max-age=31536000, immutable"),
    ],
)
async def test_the_script(client: Client, path: str, caching: str) -> None:
    response = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert response.status == 200
    assert await response.read() == SCRIPT
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == caching
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Vary"] == "Accept-Encoding"


async def test_another_hash_is_not_found(client: Client) -> None:
    response = await client.get("/p2pcdn.0123456789abcdef.js")
    assert response.status == 404
    error = (await response.json())["error"]
    assert error["code"] == "not_found"
    assert error["message"] == (
        f"There is no version '0123456789abcdef' of the snippet here; this is {HASH}."
    )


async def test_the_modules_and_their_types(client: Client) -> None:
    for name in ("/p2pcdn.mjs", "/p2pcdn-local.mjs"):
        module = await client.get(name)
        assert module.headers["Content-Type"] == "text/javascript; charset=utf-8"
    types = await client.get("/p2pcdn.d.ts")
    assert types.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "br, GZIP ; q=1", "*"])
async def test_compressed(client: Client, accepted: str) -> None:
    plain = await client.get("/p2pcdn.js", headers={"Accept-Encoding": "identity"})
    response = await client.get("/p2pcdn.js", headers={"Accept-Encoding": accepted})
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(await response.read()) == SCRIPT
    assert response.headers["ETag"] != plain.headers["ETag"]


@pytest.mark.parametrize(
    "accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip2", "deflate;q=0.5"]
)
async def test_not_compressed(client: Client, accepted: str) -> None:
    response = await client.get("/p2pcdn.js", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert await response.read() == SCRIPT


async def test_nothing_new(client: Client) -> None:
    etag = (await client.get("/p2pcdn.js")).headers["ETag"]
    again = await client.get("/p2pcdn.js", headers={"If-None-Match": etag})
    assert again.status == 304
    assert again.headers["Vary"] == "Accept-Encoding"


async def test_a_new_build_is_served_at_once(client: Client, bundle: Path) -> None:
    await client.get("/p2pcdn.js")
    (bundle / "p2pcdn.js").write_bytes(b"new")
    response = await client.get("/p2pcdn.js", headers={"Accept-Encoding": "identity"})
    assert await response.read() == b"new"
    assert (await client.get(f"/p2pcdn.{HASH}.js")).status == 404


async def test_no_bundle(client: Client, bundle: Path) -> None:
    (bundle / "p2pcdn.js").unlink()
    for path in ("/p2pcdn.js", f"/p2pcdn.{HASH}.js"):
        response = await client.get(path)
        assert response.status == 503
        error = (await response.json())["error"]
        assert error["message"] == "The browser bundle has not been built: run `make bundle`."


async def test_preflight(client: Client) -> None:
    response = await client.options("/p2pcdn.mjs")
    assert response.status == 204


def test_what_is_known_of_the_bundle(tmp_path: Path) -> None:
    assert facts(tmp_path) is None
    (tmp_path / "manifest.json").write_text('{"version": "1", "hash": "ab", "sri": "sha384-cd"}')
    assert facts(tmp_path) == Facts("ab", "sha384-cd")
    (tmp_path / "manifest.json").write_text("{")
    assert facts(tmp_path) is None
