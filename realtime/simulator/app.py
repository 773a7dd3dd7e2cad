"""The simulator as a whole: one exchange, one HTTP server, one port.

All waits use the event loop's time and all randomness seeded generators: the same seed gives the
same day, in real time and in virtual time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from email.utils import formatdate
from random import Random
from types import TracebackType
from typing import Literal, Self

import structlog
from aiohttp import web

from realtime.simulator.account_presets import account_specs
from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.control.server import ControlServer
from realtime.simulator.credentials import Credentials
from realtime.simulator.exchange.engine import AccountSpec, Exchange, TradeUpdate
from realtime.simulator.faults.catalogue import parse_fault
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.http_log import http_log
from realtime.simulator.market.service import MarketData
from realtime.simulator.rest import responses
from realtime.simulator.rest.rate_limiter import RateLimiter
from realtime.simulator.rest.routes import RouteContext
from realtime.simulator.rest.server import RestServer
from realtime.simulator.rest.stale_reads import StateHistory
from realtime.simulator.stream.broadcaster import Broadcaster
from realtime.simulator.stream.server import StreamServer
from realtime.simulator.traffic.past_trading import add_past
from realtime.simulator.traffic.scheduler import TrafficScheduler

# How often prices move and resting orders are matched.
STEP_S = 0.1
# Traffic steps more often, so that no burst of orders blocks the loop for long.
TRAFFIC_STEP_S = 0.02
# Open connections that may wait to be accepted: a fleet of 1000 arrives within a second.
BACKLOG = 2048
# Stages of stopping: close frames to sockets, then requests in flight.
GOODBYE_LIMIT_S = 2.0
REQUESTS_LIMIT_S = 0.5
# No order is longer than a few kilobytes; this is a security limit.
MAX_BODY = 256 * 1024

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """An Alpaca-compatible broker. Use as `async with Simulator(...) as sim:` and then `sim.url`.

    `activity` is the number of generated events per second; `step_s` None leaves every step of the
    exchange to `step()`. `clock` returns epoch nanoseconds for timestamps, never for waits.
    `past_days`: calendar days of invented trading before the start.
    """

    def __init__(
        self,
        *,
        accounts: int | Sequence[AccountSpec] = 3,
        seed: int = 7,
        activity: float = 0.0,
        market: str = "always",
        clock: Callable[[], int] = time.time_ns,
        step_s: float | None = STEP_S,
        requests_per_minute: int = 200,
        frames: Literal["binary", "text"] = "binary",
        past_days: int = 0,
    ) -> None:
        specs = account_specs(accounts) if isinstance(accounts, int) else list(accounts)
        labels = [spec.label for spec in specs]
        self.seed = seed
        self._clock = clock
        self.specs = specs
        self.exchange = Exchange(seed=seed, clock=clock)
        for spec in specs:
            self.exchange.open_account(spec)
        self._market = market
        self.exchange.set_market(market)
        self.exchange.on_update = self._publish
        self.faults = FaultRegistry(_loop_time)
        self.counters = RequestCounters(labels)
        self._broadcaster = Broadcaster(labels, self.faults, Random(f"{seed}:frames"), _loop_time)
        self._history = StateHistory(self.exchange, self.faults)
        self.traffic = TrafficScheduler(self.exchange, specs, seed=seed, activity=activity)
        self.credentials = credentials = Credentials(labels)
        self._stream = StreamServer(
            self._broadcaster, self.faults, credentials, self.counters, text=frames == "text"
        )
        context = RouteContext(self.exchange, self._history, self.faults, clock)
        limit = RateLimiter(requests_per_minute, _loop_time)
        self._rest = RestServer(context, credentials, limit, self.counters, Random(f"{seed}:rest"))
        self.market_data = MarketData(
            self.exchange,
            credentials,
            self.faults,
            self.counters,
            seed=seed,
            clock=clock,
            now=_loop_time,
        )
        if past_days:
            add_past(self.exchange, labels, past_days, self.market_data.history.price_at)
        self._request_ids = Random(f"{seed}:request-ids")
        self._step_s = step_s
        self._background: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self.host = ""
        self.port = 0

    @property
    def url(self) -> str:
        """Base URL of REST and `/_sim`; the stream is `stream_url`."""
        return f"http://{self._address}"

    @property
    def stream_url(self) -> str:
        """URL of the trading stream."""
        return f"ws://{self._address}/stream"

    @property
    def _address(self) -> str:
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def activity(self) -> float:
        """Generated events per second."""
        return self.traffic.activity

    async def __aenter__(self) -> Self:
        if self._runner is None:
            await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and start stepping; return the port (0: chosen by the system).

        Raises OSError if the port is taken.
        """
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=http_log,
            handle_signals=False,
            handler_cancellation=True,
            shutdown_timeout=REQUESTS_LIMIT_S,
        )
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.host = host
        self.port = port or runner.addresses[0][1]
        self.traffic.add_initial_orders(self.step)
        self._background = asyncio.create_task(self._run_background(), name="simulator:life")
        return self.port

    async def stop(self) -> None:
        """Stop stepping, close sockets (1001), let requests end; within 5 s."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in list(runner.sites):
            await site.stop()
        await self._stop_background()
        self._stream.sessions.close_all()
        self.market_data.stream.sessions.close_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_LIMIT_S):
                await self._stream.sessions.wait_empty()
                await self.market_data.stream.sessions.wait_empty()
        self._stream.sessions.abort_all()
        self.market_data.stream.sessions.abort_all()
        self._broadcaster.close()
        await runner.cleanup()

    async def wait(self) -> None:
        """Wait until the simulator stops; raises the error of a failed background task."""
        if self._background is not None:
            life = self._background
            await asyncio.wait([life])
            error = None if life.cancelled() else life.exception()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0]

    def step(self, *, prices_move: bool = True) -> None:
        """Run one step of the exchange: prices move, resting orders are matched."""
        self.exchange.advance(prices_move=prices_move)
        self._history.step()
        self.market_data.step()

    def _timed_step(self) -> None:
        """Run a step; without traffic prices do not move, so that two reads are equal."""
        self.step(prices_move=self.activity > 0)

    def add_fault(self, fault: object) -> str:
        """Add a fault in the form of `POST /_sim/faults`; return its id."""
        return self.faults.add(parse_fault(fault)).id

    def set_activity(self, activity: float) -> None:
        """Set the generated events per second."""
        self.traffic.activity = activity

    def set_market(self, mode: str) -> None:
        """Set the market hours: always, open, closed or nyse."""
        self.exchange.set_market(mode)
        self._market = mode

    def status(self) -> dict[str, object]:
        """Return the figures of `GET /_sim`."""
        return {
            "accounts": len(self.specs),
            "seed": self.seed,
            "market": self._market,
            "activity": self.activity,
            "sockets": len(self._stream.sessions),
            "events": self._broadcaster.published,
            "traffic_refused": self.traffic.refused,
        }

    def _step_traffic(self) -> None:
        self.traffic.step(_loop_time())

    def _publish(self, update: TradeUpdate) -> None:
        self.traffic.handle_event(update)
        self._history.handle_event(update)
        self.market_data.handle_event(update)
        self._broadcaster.publish(update)

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[_error_middleware], client_max_size=MAX_BODY)
        for path in ("/stream", "/stream/"):  # older SDKs add the slash
            app.router.add_get(path, self._stream.handle)
        self._rest.add_to(app)
        self.market_data.add_to(app)
        ControlServer(self, self.faults, self.counters).add_to(app)
        app.on_response_prepare.append(self._set_response_headers)
        return app

    async def _set_response_headers(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        # The broker's own clock, which clients measure theirs against.
        response.headers["Date"] = formatdate(self._clock() / 1e9, usegmt=True)
        response.headers["X-Request-ID"] = f"{self._request_ids.getrandbits(128):032x}"

    async def _run_background(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self._step_s is not None:
                steps = _call_every(self._step_s, self._timed_step)
                tasks.create_task(steps, name="simulator:steps")
            tasks.create_task(
                _call_every(TRAFFIC_STEP_S, self._step_traffic), name="simulator:traffic"
            )

    async def _stop_background(self) -> None:
        life, self._background = self._background, None
        if life is not None and life.cancel():
            await asyncio.wait([life])


@web.middleware
async def _error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Respond to unknown routes and failures in the broker's format."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return responses.not_found()
    except web.HTTPMethodNotAllowed:
        return responses.json_error({"message": "Method Not Allowed"}, 405)
    except web.HTTPException as error:  # the library's texts are not the broker's
        return responses.html_error(error.status)
    except ConnectionError:
        raise
    except Exception:
        log.exception("request.failed", method=request.method, path=request.path)
        return responses.error_response(500)


async def _call_every(seconds: float, callback: Callable[[], None]) -> None:
    """Call `callback` at a fixed rate; late calls are not repeated."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + seconds, loop.time())
        await asyncio.sleep(due - loop.time())
        callback()


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
