"""`/metrics`, `/healthz` (the process is alive) and `/readyz` (it can take mail): for machines, without secrets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from directmail_relay.telemetry.metrics import METRICS_CONTENT_TYPE, render_metrics

Check = Callable[[], Awaitable[bool]]


def make_app(checks: Mapping[str, Check], routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The application; `checks` name what must hold for `/readyz`, each quick and never raising.

    `routes` are those of what else we serve: each part of `web` makes its own.
    """

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        results = {name: await check() for name, check in checks.items()}
        ready = all(results.values())
        return JSONResponse({"ready": ready, "checks": results}, status_code=200 if ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(render_metrics(), media_type=METRICS_CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *routes,
        ]
    )
