"""`realtime check` once its settings are read: all accounts in parallel, a row each, in order."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

import aiohttp
from rich.console import Console
from rich.text import Text

from realtime.cli.account_check import AccountChecker, AccountCheckResult, same_account_twice
from realtime.cli.text_format import clean, counted, money
from realtime.config.settings import AccountSettings, Settings
from realtime.core.model import Account
from realtime.runtime.environment import make_connector
from realtime.runtime.process import raise_descriptor_limit, run_in_loop
from realtime.telemetry.redaction import conceal

NAMED = 12
"""Labels named of one source of keys; a thousand would hide the rest."""

HEAD = 19
"""Width of the first column of the lines about files."""


def check(settings: Settings, *, offline: bool) -> bool:
    """Print what was found; says whether all of it is well."""
    console = Console(highlight=False)
    for line in _files(settings):
        console.print(line, soft_wrap=True)
    if offline:
        return True
    enabled = [account for account in settings.accounts if account.enabled]
    raise_descriptor_limit(len(enabled))
    found = run_in_loop(_examine(enabled, settings.alpaca.startup_concurrency, console))
    failed = sum(1 for each in found if each.finding is not None)
    style = "red" if failed else "green"
    verdict = f"{failed} of {len(found)} failed" if failed else f"all {len(found)} are well"
    console.print(Text(verdict, style=style))
    return not failed


async def _examine(
    accounts: Sequence[AccountSettings], at_once: int, console: Console
) -> list[AccountCheckResult]:
    async with (
        aiohttp.ClientSession(
            connector=make_connector(), cookie_jar=aiohttp.DummyCookieJar()
        ) as http,
        asyncio.TaskGroup() as tasks,
    ):
        examiner = AccountChecker(http, at_once)
        trials = [
            tasks.create_task(examiner.examine(account), name=f"check:{account.label}")
            for account in accounts
        ]
        width = max((len(account.label) for account in accounts), default=0)
        all_found: list[AccountCheckResult] = []
        for trial in trials:
            all_found.append(await trial)
            same_account_twice(all_found)
            for line in _row(all_found[-1], width):
                console.print(line, soft_wrap=True)
        return all_found


def _files(settings: Settings) -> Iterator[Text]:
    enabled = [account for account in settings.accounts if account.enabled]
    disabled = len(settings.accounts) - len(enabled)
    said = counted(len(settings.accounts), "account") + (
        f", {disabled} disabled" if disabled else ""
    )
    yield _line(settings.path.name, said)
    if real := [account.label for account in enabled if not account.paper]:
        yield Text.assemble(
            f"{'':<{HEAD}}", ("LIVE    ", "bold red"), f"real money: {_named(real)}"
        )
    by_source: dict[str, list[str]] = {}
    for account in enabled:
        if account.credentials is not None:
            by_source.setdefault(account.credentials.source or "?", []).append(account.label)
    yield _line(
        "keys", "   ".join(f"{_named(labels)} ({source})" for source, labels in by_source.items())
    )
    for warning in settings.warnings:
        yield Text.assemble(f"{'':<{HEAD}}", ("warning ", "yellow"), clean(conceal(warning)))


def _line(name: str, said: str) -> Text:
    return Text.assemble(f"{clean(name):<{HEAD}}", ("ok      ", "green"), said)


def _named(labels: Sequence[str]) -> str:
    more = len(labels) - NAMED
    return " ".join(labels[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _row(found: AccountCheckResult, width: int) -> Iterator[Text]:
    name = f"{found.label:<{width}}  "
    if found.finding is None:
        yield Text.assemble(name, ("  ".join(_figures(found))))
        return
    learned = "  ".join(_figures(found))
    yield Text.assemble(
        name,
        ("FAILED", "red"),
        f"  {_safe(found.finding.fact)}",
        f"  ({learned})" if learned else "",
    )
    if found.finding.remedy:
        yield Text(f"{'':<{width}}  remedy: {_safe(found.finding.remedy)}")


def _figures(found: AccountCheckResult) -> Iterator[str]:
    if found.account is not None:
        yield from _of_account(found.account)
    if found.positions is not None:
        yield counted(found.positions, "position")
    if found.open_orders is not None:
        yield counted(found.open_orders, "open order") + (" or more" * found.has_more_orders)
    if found.rest_s is not None:
        yield f"REST {found.rest_s * 1000:.0f} ms"
    if found.socket_s is not None:
        yield f"socket authorized {found.socket_s * 1000:.0f} ms"


def _of_account(account: Account) -> Iterable[str]:
    yield _safe(account.account_number)
    yield _safe(account.status or "no status")
    flags = {
        "account blocked": account.account_blocked,
        "trading blocked": account.trading_blocked,
        "trade suspended by user": account.trade_suspended_by_user,
    }
    yield from (word for word, flag in flags.items() if flag is True)
    yield f"equity {money(account.equity)}"


def _safe(text: str) -> str:
    return clean(conceal(text))
