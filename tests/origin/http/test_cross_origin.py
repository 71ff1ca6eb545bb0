"""What other sites' pages may do."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request

from origin.http import cross_origin


def test_headers_of_every_answer() -> None:
    assert cross_origin.headers("*") == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Content-Range, ETag, Age",
        "Timing-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


async def test_preflight() -> None:
    request = make_mocked_request("OPTIONS", "/media/a.ts")
    response = await cross_origin.preflight("https://page.example")(request)
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://page.example"
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Range", "If-Range", "*"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in response.headers
