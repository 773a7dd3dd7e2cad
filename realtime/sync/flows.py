"""Reads an account's deposits and withdrawals: once when it is synced, then hourly.

They are rare and come without an event, but a deposit must not look like a profit for an hour: they
are read again, too, when the cash has changed without an execution. One request each time.
"""

import asyncio
from collections.abc import Callable

from realtime.broker.rest_client import RestClient
from realtime.core.cash_flows import CashFlow, get_net_flows
from realtime.core.model import AccountLabel
from realtime.errors import RealtimeError
from realtime.store.records import Record
from realtime.store.store import Store
from realtime.sync.balances import RefreshLimiter
from realtime.telemetry.log import get_logger

log = get_logger()

INTERVAL_S = 3600.0

CHECK_INTERVAL_S = 15.0
"""Between two looks at the state in memory, which cost no request."""

MIN_INTERVAL_S = 60.0
"""Between two reads: interest and fees change the cash as well, and a read may fail."""

PAGE_SIZE = 100
MAX_PAGES = 20
"""2000 deposits and withdrawals; with more, the total profit is unknown."""


class FlowReader:
    """Keeps the net flows of one account in the store, while it has an `initial_balance`."""

    def __init__(
        self,
        label: AccountLabel,
        *,
        store: Store,
        rest: RestClient,
        limiter: RefreshLimiter,
        clock: Callable[[], float],
    ) -> None:
        self._label = label
        self._store = store
        self._rest = rest
        self._limiter = limiter
        self._clock = clock
        self._attempted_at: float | None = None
        self._last: Record | None = None
        """The record of the last check."""

    async def run(self) -> None:
        """Read whenever a read is due, until cancelled."""
        while True:
            record = self._store.get(self._label)
            if record is not None and self._is_due(record):
                await self._read(record)
            self._last = record
            await asyncio.sleep(CHECK_INTERVAL_S if record and record.has_data else 1.0)

    def _is_due(self, record: Record) -> bool:
        """Whether flows must be read now."""
        now, flows = self._clock(), record.net_flows
        if record.profile.initial_balance is None or not record.link.is_synced:
            return False
        if self._attempted_at is not None and now - self._attempted_at < MIN_INTERVAL_S:
            return False
        account = record.state.account
        if account is None:
            return False
        if flows is None or (flows.account_id, flows.initial_balance) != (
            account.id,
            record.profile.initial_balance,
        ):
            return True
        return now - flows.read_at >= INTERVAL_S or self._has_unexplained_cash(record)

    def _has_unexplained_cash(self, record: Record) -> bool:
        last = self._last
        if last is None or last.state.account is None or record.state.account is None:
            return False
        has_traded = record.state.executions is not last.state.executions
        return not has_traded and record.state.account.cash != last.state.account.cash

    async def _read(self, record: Record) -> None:
        initial_balance, account = record.profile.initial_balance, record.state.account
        if initial_balance is None or account is None:
            return
        self._attempted_at = self._clock()
        try:
            await self._limiter.wait()
            flows, is_complete = await self._fetch_all()
        except RealtimeError as error:  # the total profit stays unknown, or as of the last read
            log.warning("flows.failed", account=self._label, reason=error.message)
            return
        net_flows = get_net_flows(
            flows,
            account=account,
            initial_balance=initial_balance,
            is_complete=is_complete,
            now=self._clock(),
        )
        self._store.set_net_flows(self._label, net_flows, now=self._clock())

    async def _fetch_all(self) -> tuple[list[CashFlow], bool]:
        flows: list[CashFlow] = []
        page_token: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._rest.fetch_flows(page_size=PAGE_SIZE, page_token=page_token)
            flows += page
            if len(page) < PAGE_SIZE or page[-1].id == page_token:
                return flows, True
            page_token = page[-1].id
        return flows, False
