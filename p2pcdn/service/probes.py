"""What machines ask every server of ours: is it alive, is it ready, what are its figures?

`/livez` answers as long as the event loop turns. `/readyz` says whether to send traffic: 503 while
a service has a problem or the process is going away, with ``?verbose`` also why, and what else is
not as it should be though it stops nobody. `/metrics` is Prometheus text of whatever the process
has registered, for whoever may see the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

REQUESTS = Counter(
    "p2pcdn_http_requests",
    "HTTP requests answered, by route (never by path: paths name contents) and status.",
    ["route", "status"],
)

COUNTED = web.RequestKey("counted", bool)
"""In a request that another process of ours has answered, and counted by the route that it has."""


def routes(
    problems: Callable[[], list[str]],
    metrics: Handler,
    notes: Callable[[], list[str]] = list,
) -> Iterable[web.AbstractRouteDef]:
    """The probes' routes; ``problems`` is empty when it is ready, ``notes`` when there is nothing
    to tell beside; ``metrics`` answers for itself."""

    async def readyz(request: web.Request) -> web.Response:
        found = problems()
        text = "\n".join([*(found or ["ok"]), *notes()])
        return _plain(text if "verbose" in request.query else "", status=503 if found else 200)

    return [
        web.get("/livez", _livez),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count each answer; a WebSocket counts as it is handed over."""
    status = 499  # the client went before there was an answer, as nginx counts it
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        if COUNTED not in request:
            resource = request.match_info.route.resource
            route = resource.canonical if resource is not None else "none"
            REQUESTS.labels(route, str(status)).inc()


async def _livez(request: web.Request) -> web.Response:
    return _plain("ok")


def metrics(figures: Collector) -> Handler:
    """Answers what there is to collect."""

    async def answer(request: web.Request) -> web.Response:
        # An older Prometheus asks for its own text format, a newer one for OpenMetrics.
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(figures), headers={"Content-Type": content_type})

    return answer


def _plain(text: str, status: int = 200) -> web.Response:
    return web.Response(
        text=f"{text}\n" if text else "", status=status, headers={"Cache-Control": "no-store"}
    )
