"""A gateway and a simulator in virtual time, over real bytes."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from realtime.auth.principal import Permission, Principal
from realtime.broker.http_client import HttpClient, open_session
from realtime.broker.order_api import OrderApi
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.cluster.coordinator import Coordinator
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.gateway import Gateway
from realtime.orders.journal import Journal
from realtime.orders.order_client import OrderClient
from realtime.orders.order_request import OrderChanges, Placement, read_value
from realtime.orders.results import Placed
from realtime.orders.risk import AccountRiskRules, Limits, RiskChecks, RiskRules
from realtime.orders.routing import Candidate
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from tests.virtual import VirtualConnector, nanosecond_clock, wall_clock


def make_principal(
    name: str = "anonymous", *, may_trade: bool = True, accounts: frozenset[str] | None = None
) -> Principal:
    """Return a principal that may read, and trade or not."""
    permissions: frozenset[Permission] = frozenset({"account_access"})
    if may_trade:
        permissions |= {"trading"}
    return Principal(user_id=name, accounts=accounts, permissions=permissions)


ANYONE = make_principal()


def order(**more: object) -> Placement:
    """A market order for one share, or what is said."""
    body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return read_value({**body, **more}, Placement)


class TradingSetup(Struct, frozen=True):
    """A gateway and its broker; the calls are those of a principal that may do everything."""

    gateway: Gateway
    simulator: Simulator

    async def place(self, request: Placement, *, key: str | None = None) -> Placed:
        return await self.gateway.place(request, ANYONE, key=key)

    async def place_all(
        self, requests: Sequence[Placement | Declined], *, key: str | None = None
    ) -> list[Placed | Declined | Unresolved]:
        return await self.gateway.place_all(requests, ANYONE, key=key)

    async def replace(
        self, label: str, order_id: str, changes: OrderChanges, *, key: str | None = None
    ) -> Placed:
        return await self.gateway.replace(label, order_id, changes, ANYONE, key=key)

    async def cancel(self, label: str, order_id: str) -> None:
        await self.gateway.cancel(label, order_id, ANYONE)

    async def close_position(
        self, label: str, symbol: str, *, qty: Decimal | None = None, key: str | None = None
    ) -> Placed:
        return await self.gateway.close_position(label, symbol, ANYONE, qty=qty, key=key)

    def at_broker(self, label: str) -> list[dict[str, object]]:
        """Every order that the exchange has of an account."""
        return self.simulator.exchange.orders(label, {"status": "all", "limit": "500"})

    def ids(self, label: str) -> list[str]:
        """Their client order ids, a duplicate twice."""
        return [str(row["client_order_id"]) for row in self.at_broker(label)]

    def posts(self, label: str) -> int:
        """Requests that the simulator has counted."""
        return self.simulator.counters.get(label).get("requests", 0)


@asynccontextmanager
async def broker(
    *, accounts: int = 3, seed: int = 7, requests_per_minute: int = 200
) -> AsyncIterator[Simulator]:
    """A quiet simulator."""
    simulator = Simulator(
        accounts=accounts,
        seed=seed,
        activity=0,
        clock=nanosecond_clock,
        step_s=1.0,
        requests_per_minute=requests_per_minute,
    )
    await simulator.start(port=8091)
    async with simulator:
        yield simulator


@asynccontextmanager
async def trading(
    simulator: Simulator,
    *,
    seed: int = 1,
    rules: RiskRules | None = None,
    limits: Mapping[str, Limits] | None = None,
    live: Sequence[str] = (),
    journal: Path | None = None,
    places: int = 8,
    url: str | None = None,
    restrictions: Mapping[str, str] | None = None,
    get_generation: Callable[[], int] = lambda: 0,
    wall_offset_s: float = 0.0,
    coordinator: Coordinator | None = None,
) -> AsyncIterator[TradingSetup]:
    """A gateway for all of the simulator's accounts; `live` names those with real money.
    `wall_offset_s`: by how much the machine's clock was set after the start."""
    labels = list(simulator.exchange.labels)
    fleet = FleetLimiter()
    async with open_session(VirtualConnector(limit=0)) as http:
        order_clients = {
            label: OrderClient(
                label,
                OrderApi(
                    HttpClient(
                        http,
                        url or simulator.url,
                        Credentials(Secret(f"demo-{label}"), Secret(f"demo-secret-{label}")),
                        RateLimiter(fleet, orders_at_once=places),
                        clock=wall_clock,
                    )
                ),
            )
            for label in labels
        }
        permits = {
            label: AccountRiskRules(
                label=label, paper=label not in live, limits=(limits or {}).get(label, Limits())
            )
            for label in labels
        }
        prices = simulator.exchange.prices
        risk_checks = RiskChecks(rules or RiskRules(), permits, lambda symbol: prices().get(symbol))
        async with Gateway(
            order_clients,
            risk_checks=risk_checks,
            journal=Journal(journal, lambda: wall_clock() + wall_offset_s),
            get_candidates=lambda only: [
                Candidate(label=label, restriction=(restrictions or {}).get(label))
                for label in labels
                if only in (None, label)
            ],
            clock=wall_clock,
            wall_clock=lambda: wall_clock() + wall_offset_s,
            rng=random.Random(seed),
            get_generation=get_generation,
            coordinator=coordinator,
        ) as gateway:
            yield TradingSetup(gateway, simulator)
