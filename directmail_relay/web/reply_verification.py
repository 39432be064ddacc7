"""`/reply-address/verify`: the page behind the link of the verification mail (验证回信地址).

GET shows a button and changes nothing, since scanners of mail open every link; POST approves, once. Whatever is wrong
with a ticket, the page is the same. No scripts, no other hosts, nothing kept by caches or told to other sites.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from directmail_relay.accounts.changes import Change, RefusedError
from directmail_relay.accounts.reply_verification import Pending, approve, find_pending
from directmail_relay.content.verification_mail import PATH
from directmail_relay.database.engine import Database
from directmail_relay.database.errors import TROUBLE
from directmail_relay.submission.limits import TokenBuckets, client_group
from directmail_relay.telemetry.logs import get_logger
from directmail_relay.web import reply_pages as pages

log = get_logger("web")

PER_MINUTE = 20  # requests of one client address (IPv6: its /64), in one worker
MAX_FORM_OCTETS = 1024

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


class ReplyVerification:
    """The two halves of the page. `clock` gives POSIX seconds, `monotonic` the time by which clients are limited."""

    def __init__(self, database: Database, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._buckets = TokenBuckets(PER_MINUTE, monotonic)

    @property
    def route(self) -> Route:
        """For `make_app(checks, routes)`."""
        return Route(PATH, self._answer, methods=["GET", "POST"])

    async def _answer(self, request: Request) -> Response:
        client = client_group(request.client.host if request.client else "")
        if not self._buckets.take(client):
            return _page(pages.SLOW_DOWN, 429, {"Retry-After": "60"})
        try:
            if request.method == "POST":
                return await self._approve(await _read_ticket(request))
            return await self._ask(request.query_params.get("ticket", ""))
        except TROUBLE as error:
            log.error("reply_verification_failed", error=type(error).__name__)
            return _page(pages.TROUBLE, 503, {"Retry-After": "60"})

    async def _ask(self, ticket: str) -> Response:
        pending = await self._database.read(find_pending, self._clock(), ticket)
        return _page(pages.NOT_VALID, 404) if pending is None else _page(_question(pending, ticket), 200)

    async def _approve(self, ticket: str) -> Response:
        try:
            address = await self._database.write(approve, Change("relay", self._clock()), ticket)
        except RefusedError:
            return _page(pages.NOT_VALID, 404)
        log.info("reply_address_verified", address=address)
        return _page(pages.DONE.format(address=escape(address)), 200)


def _question(pending: Pending, ticket: str) -> str:
    return pages.QUESTION.format(
        address=escape(pending.address),
        mailbox=escape(pending.mailbox),
        action=PATH.rpartition("/")[2],  # relative: before us a proxy may put another path in front
        ticket=escape(ticket),
    )


async def _read_ticket(request: Request) -> str:
    """The form's `ticket`; empty when there is none, or the form is larger than ours ever is."""
    form = bytearray()
    try:
        async for piece in request.stream():
            form += piece
            if len(form) > MAX_FORM_OCTETS:
                return ""
    except ClientDisconnect:
        return ""
    try:
        fields = parse_qs(form.decode("ascii"), max_num_fields=2)
    except ValueError:
        return ""
    return fields.get("ticket", [""])[0]


def _page(body: str, status: int, more: dict[str, str] | None = None) -> Response:
    return HTMLResponse(pages.PAGE.format(body=body), status, {**_HEADERS, **(more or {})})
