"""Account configuration: GET and PATCH /v2/account/configurations."""

from collections.abc import Callable, Mapping

import msgspec

from realtime.simulator.exchange.accounts.account import Account, Configuration
from realtime.simulator.exchange.errors import Document, describe_value, malformed

_IsValid = Callable[[object], bool]


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_level(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3


_CHECKS: dict[str, _IsValid] = {
    "disable_overnight_trading": _is_bool,
    "fractional_trading": _is_bool,
    "max_margin_multiplier": lambda value: value in ("1", "2", "4"),
    "max_options_trading_level": _is_level,
    "no_shorting": _is_bool,
    "ptp_no_exception_entry": _is_bool,
    "suspend_trade": _is_bool,
    "trade_confirm_email": lambda value: value in ("all", "none"),
}


def configuration_document(account: Account, *, pdt_fields: bool) -> Document:
    """Return the configuration; `pdt_fields` adds the fields removed in July 2026."""
    document: Document = msgspec.to_builtins(account.configuration)
    if document["max_options_trading_level"] is None:
        document["max_options_trading_level"] = account.spec.options_level
    if pdt_fields:
        document["dtbp_check"] = "entry"
        document["pdt_check"] = "entry"
    return document


def change_configuration(account: Account, body: object) -> None:
    """Apply the body's values, ignoring null and unknown names; all or none. Raises ApiError."""
    if not isinstance(body, Mapping):
        raise malformed("request body format is invalid")
    changes = {name: value for name, value in body.items() if value is not None}
    for name, check in _CHECKS.items():
        if name in changes and not check(changes[name]):
            raise malformed(f"invalid {name}: {describe_value(changes[name])}")
    known = {name: value for name, value in changes.items() if name in _CHECKS}
    current = msgspec.to_builtins(account.configuration)
    account.configuration = msgspec.convert({**current, **known}, Configuration)
