"""Clients that wait for the broker's verdict on the symbols they want."""

import asyncio
from collections.abc import Callable

from realtime.market.stream.channels import rejected
from realtime.market.stream.subscription_plan import Request

VERDICT_TIMEOUT_S = 2.0
"""How long a client waits for the broker's word on new symbols; then they count as accepted. The Go
SDK waits for its ack for three seconds."""


class Verdicts:
    """Requests of clients, until the broker has confirmed or refused them."""

    def __init__(self) -> None:
        self._waiting: dict[Request, tuple[Callable[[], None], asyncio.Future[None]]] = {}

    async def wait_for(self, request: Request, accept: Callable[[], None]) -> None:
        """Wait for the verdict; `accept` is called in the moment of the confirmation, or after
        `VERDICT_TIMEOUT_S`. Raises `Rejected`."""
        verdict = asyncio.get_running_loop().create_future()
        self._waiting[request] = (accept, verdict)
        try:
            async with asyncio.timeout(VERDICT_TIMEOUT_S):
                await verdict
        except TimeoutError:
            accept()
            return
        finally:
            self._waiting.pop(request, None)
        if request.code is not None:
            raise rejected(request.code)

    def resolve(self) -> None:
        """End the wait of all requests that are done."""
        for request, (accept, verdict) in list(self._waiting.items()):
            if request.is_done and not verdict.done():
                if request.code is None:
                    accept()
                verdict.set_result(None)
