"""`realtime check` once its settings are read: all accounts in parallel, reported in order."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import aiohttp
from rich.console import Console
from rich.text import Text

from realtime.accounts import unknown_account
from realtime.cli.account_check import AccountChecker, AccountCheckResult, find_duplicates
from realtime.cli.formatting import clean, format_money, format_quantity
from realtime.config.settings import AccountSettings, Settings
from realtime.core.model import Account, Position
from realtime.runtime.environment import make_connector
from realtime.runtime.process import raise_descriptor_limit, run_in_loop
from realtime.telemetry.redaction import redact

MAX_NAMED = 12
"""Labels that are named for one source of keys; a thousand would hide the rest."""

FIRST_COLUMN = 19
"""Width of the first column of the lines about files."""


def check(settings: Settings, labels: Sequence[str], *, offline: bool) -> bool:
    """Test these accounts, or all enabled ones; print the results; return whether all are well."""
    console = Console(highlight=False)
    accounts = _select(settings, labels)
    for line in _file_lines(settings):
        console.print(line, soft_wrap=True)
    if offline:
        return True
    raise_descriptor_limit(len(accounts))
    concurrency = settings.alpaca.startup_concurrency
    results = run_in_loop(_check_all(accounts, concurrency, console, has_positions=bool(labels)))
    failed = sum(1 for result in results if result.finding is not None)
    if failed:
        console.print(Text(f"{failed} of {len(results)} failed", style="bold yellow"))
    else:
        console.print(Text(f"all {len(results)} are well"))
    return not failed


def _select(settings: Settings, labels: Sequence[str]) -> list[AccountSettings]:
    enabled = {account.label: account for account in settings.accounts if account.enabled}
    for label in labels:
        if label not in enabled:
            raise unknown_account(label, enabled)
    return [enabled[label] for label in labels or enabled]


async def _check_all(
    accounts: Sequence[AccountSettings],
    max_concurrent: int,
    console: Console,
    *,
    has_positions: bool,
) -> list[AccountCheckResult]:
    async with (
        aiohttp.ClientSession(
            connector=make_connector(), cookie_jar=aiohttp.DummyCookieJar()
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        checker = AccountChecker(http, max_concurrent)
        tasks = [
            group.create_task(checker.check(account), name=f"check:{account.label}")
            for account in accounts
        ]
        width = max((len(account.label) for account in accounts), default=0)
        results: list[AccountCheckResult] = []
        for task in tasks:
            results.append(await task)
            find_duplicates(results)
            for line in _result_lines(results[-1], width, has_positions=has_positions):
                console.print(line, soft_wrap=True)
        return results


def _file_lines(settings: Settings) -> Iterator[Text]:
    enabled = [account for account in settings.accounts if account.enabled]
    disabled = len(settings.accounts) - len(enabled)
    count = format_quantity(len(settings.accounts), "account")
    yield _ok_line(settings.path.name, count + (f", {disabled} disabled" if disabled else ""))
    if real := [account.label for account in enabled if not account.paper]:
        yield Text.assemble(f"{'':<{FIRST_COLUMN}}", ("REAL MONEY  ", "bold"), _names(real))
    by_source: dict[str, list[str]] = {}
    for account in enabled:
        if account.credentials is not None:
            by_source.setdefault(account.credentials.source or "?", []).append(account.label)
    sources = (f"{_names(labels)} ({source})" for source, labels in by_source.items())
    yield _ok_line("keys", "   ".join(sources))
    for notice in settings.notices:
        yield Text.assemble(f"{'':<{FIRST_COLUMN}}", clean(redact(notice)))
    for warning in settings.warnings:
        text = clean(redact(warning))
        yield Text.assemble(f"{'':<{FIRST_COLUMN}}", ("warning ", "yellow"), text)


def _ok_line(name: str, text: str) -> Text:
    return Text.assemble(f"{clean(name):<{FIRST_COLUMN}}", "ok      ", text)


def _names(labels: Sequence[str]) -> str:
    more = len(labels) - MAX_NAMED
    return " ".join(labels[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _result_lines(result: AccountCheckResult, width: int, *, has_positions: bool) -> Iterator[Text]:
    name = f"{result.label:<{width}}  "
    figures = "  ".join(_figures(result))
    if result.finding is None:
        yield Text.assemble(name, figures)
    else:
        yield Text.assemble(
            name,
            ("FAILED", "bold yellow"),
            f"  {_safe(result.finding.fact)}",
            f"  ({figures})" if figures else "",
        )
        if result.finding.remedy:
            yield Text(f"{'':<{width}}  remedy: {_safe(result.finding.remedy)}")
    if has_positions:
        for position in result.positions or ():
            yield Text(f"{'':<{width}}    {_position(position)}")


def _figures(result: AccountCheckResult) -> Iterator[str]:
    if result.account is not None:
        yield from _account_figures(result.account)
    if result.positions is not None:
        yield format_quantity(len(result.positions), "position")
    if result.open_orders is not None:
        more = " or more" if result.has_more_orders else ""
        yield format_quantity(result.open_orders, "open order") + more
    if result.rest_s is not None:
        yield f"REST {result.rest_s * 1000:.0f} ms"
    if result.socket_s is not None:
        yield f"websocket authorized {result.socket_s * 1000:.0f} ms"


def _account_figures(account: Account) -> Iterable[str]:
    yield _safe(account.account_number)
    yield _safe(account.status or "no status")
    flags = {
        "account blocked": account.account_blocked,
        "trading blocked": account.trading_blocked,
        "trade suspended by user": account.trade_suspended_by_user,
    }
    yield from (name for name, flag in flags.items() if flag is True)
    yield f"equity {format_money(account.equity)}"
    yield f"cash {format_money(account.cash)}"
    yield f"buying power {format_money(account.buying_power)}"


def _position(position: Position) -> str:
    parts = [
        f"{position.symbol:<8}",
        position.qty,
        f"value {format_money(position.market_value)}",
        f"open P/L {format_money(position.unrealized_pl, signed=True)}",
    ]
    return _safe("  ".join(parts))


def _safe(text: str) -> str:
    return clean(redact(text))
