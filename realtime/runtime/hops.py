"""Requests between members that only the owner of an account may answer: sent, and served."""

import asyncio
import secrets
import ssl
from collections.abc import Callable, Sequence

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from realtime.api.owners import HOP_HEADER, HopLost, HopRequest, HopUnsent, Owner
from realtime.api.responses import ApiResponse
from realtime.cluster.feed_client import FeedStatus
from realtime.cluster.front_accounts import FrontAccounts
from realtime.cluster.hop import (
    FORWARD_PATH,
    METHOD_HEADER,
    NotSent,
    ResponseLost,
    send_to_owner,
)
from realtime.cluster.mesh import SECRET_HEADER
from realtime.secret import Secret

MAX_CHANGES = 40
MAX_READS = 12
"""Requests to owners at one time: together fewer than the connections that a mesh accepts of one
address, and apart, so that no number of questions about the past delays an order or a cancel."""

SLOT_TIMEOUT_S = 2.0
"""A request that cannot leave by then is refused: nothing was sent."""

METHODS = frozenset({"GET", "POST", "PATCH", "DELETE"})

OWN_HEADERS = frozenset({"host", "cookie", "origin", SECRET_HEADER.lower(), METHOD_HEADER.lower()})
"""Of the request between the members, and not of the client's."""


class Hops:
    """Finds the owners of followed accounts, and sends requests to them."""

    def __init__(
        self,
        accounts: FrontAccounts,
        session: aiohttp.ClientSession,
        *,
        get_statuses: Callable[[], Sequence[FeedStatus]],
        has_own_accounts: bool,
        are_halts_shared: bool = False,
        secret: Secret,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._accounts = accounts
        self._session = session
        self._get_statuses = get_statuses
        self._has_own_accounts = has_own_accounts
        self.are_halts_shared = are_halts_shared
        self._secret = secret
        self._tls = tls
        self._changes = asyncio.Semaphore(MAX_CHANGES)
        self._reads = asyncio.Semaphore(MAX_READS)

    @property
    def owners(self) -> Sequence[Owner | None]:
        """All owners; None is this daemon, if it has accounts of its own."""
        own = [None] if self._has_own_accounts else []
        return [*own, *map(_make_owner, self._get_statuses())]

    def get_owner(self, label: str) -> Owner | None:
        """The owner of a followed account; None: this daemon."""
        feed = self._accounts.get_feed(label)
        for status in self._get_statuses():
            if status.address == feed:
                return _make_owner(status)
        return None

    def make_id(self) -> str:
        """A client order id that was never used."""
        return f"rt-{secrets.token_hex(16)}"

    async def send(self, owner: Owner, request: HopRequest) -> ApiResponse:
        """The owner's response. Raises `HopUnsent` or `HopLost`."""
        headers = {HOP_HEADER: "1"}
        if request.token is not None:
            headers["Authorization"] = f"Bearer {request.token}"
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        if request.content_type is not None:
            headers["Content-Type"] = request.content_type
        slots = self._reads if request.method == "GET" else self._changes
        try:
            async with asyncio.timeout(SLOT_TIMEOUT_S):
                await slots.acquire()
        except TimeoutError:
            raise HopUnsent("as many requests as may be are on their way") from None
        try:
            status, body, kept = await send_to_owner(
                self._session,
                owner.address,
                method=request.method,
                target=request.path,
                body=request.body,
                headers=headers,
                secret=self._secret,
                tls=self._tls,
            )
        except NotSent as error:
            raise HopUnsent(str(error)) from error
        except ResponseLost as error:
            raise HopLost(str(error)) from error
        finally:
            slots.release()
        return ApiResponse(status=status, body=body, headers=kept)


def _make_owner(status: FeedStatus) -> Owner:
    problem = None if status.is_current else f"nothing is received from it: {status.error}"
    return Owner(status.address, status.member or status.address, status.url, problem)


def add_forwarded_requests(mesh: web.Application, app: web.Application, host: str) -> None:
    """Serve, on the mesh, requests that fronts have passed on, as `app` serves them.

    The client's own token is verified again here. `host` is a name by which `app` is called.
    """

    async def serve_forwarded(request: web.Request) -> web.StreamResponse:
        method = request.headers.get(METHOD_HEADER, "")
        if method not in METHODS or request.headers.getall(HOP_HEADER, []) != ["1"]:
            return web.Response(status=400, text="one hop, and its method, are expected\n")
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in OWN_HEADERS
        )
        headers["Host"] = host
        target = URL(request.raw_path.removeprefix(FORWARD_PATH), encoded=True)
        clone = request.clone(method=method, rel_url=target, headers=headers)
        # The whole path of a client's request: names, token, permission, rate, parameters.
        response = await app._handle(clone)
        response.headers[METHOD_HEADER] = method
        return response

    mesh.router.add_post(FORWARD_PATH + "/{target:.*}", serve_forwarded)
