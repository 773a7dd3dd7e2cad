"""What another reading of the files changed, account by account: pure, and decided in one place.

added      was not there
removed    is not there any more
exchanged  stands for another account at the broker now: what was known is of no use
rotated    has other keys, for the same account: reconnected, one account after another
restarted  anything else that its connection depends on
described  what is only shown or checked: no connection notices
"""

from typing import Literal

from msgspec import Struct, structs

from realtime.config.settings import AccountSettings, Settings

How = Literal["added", "removed", "exchanged", "rotated", "restarted", "described"]

ONLY_SHOWN = ("name", "tier", "initial_balance", "orders")
"""Fields of an account that its connection does not depend on."""


class SettingsDiff(Struct, frozen=True, kw_only=True):
    """Labels by what became of them, each sorted as in the file."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    exchanged: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    unchanged: int = 0
    needs_restart: tuple[str, ...] = ()
    """Settings that have changed and will not hold before the daemon is started again."""

    @property
    def is_empty(self) -> bool:
        """Whether no account is touched."""
        return not any(getattr(self, how) for how in HOWS)


HOWS: tuple[How, ...] = ("added", "removed", "exchanged", "rotated", "restarted", "described")


def compare(old: Settings, new: Settings) -> SettingsDiff:
    """What changed from one reading to the next."""
    before = {account.label: account for account in old.accounts}
    after = {account.label: account for account in new.accounts}
    found: dict[How, list[str]] = {how: [] for how in HOWS}
    for label in [*after, *(label for label in before if label not in after)]:
        how = _became(before.get(label), after.get(label))
        if how is not None:
            found[how].append(label)
    touched = sum(map(len, found.values()))
    return SettingsDiff(
        **{how: tuple(labels) for how, labels in found.items()},
        unchanged=len(after) + len(found["removed"]) - touched,
        needs_restart=tuple(_fixed(old, new)),
    )


def _became(old: AccountSettings | None, new: AccountSettings | None) -> How | None:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    if _is_other(old, new):
        return "exchanged"
    same = structs.replace(new, **{name: getattr(old, name) for name in ONLY_SHOWN})
    if _same_keys(old, new):
        same = structs.replace(same, credentials=old.credentials)
        if same == old:
            return None if new == structs.replace(old, credentials=new.credentials) else "described"
        return "restarted"
    is_only_keys = structs.replace(same, credentials=old.credentials) == old
    return "rotated" if is_only_keys else "restarted"


def _is_other(old: AccountSettings, new: AccountSettings) -> bool:
    """Whether the label was given to another account, on purpose."""
    renumbered = None not in (old.account_number, new.account_number) and (
        old.account_number != new.account_number
    )
    return renumbered or (old.trading_url, old.paper) != (new.trading_url, new.paper)


def _same_keys(old: AccountSettings, new: AccountSettings) -> bool:
    """Where they were found does not matter."""
    if old.credentials is None or new.credentials is None:
        return old.credentials is new.credentials
    pairs = [(each.key_id, each.secret_key) for each in (old.credentials, new.credentials)]
    return pairs[0] == pairs[1]


def _fixed(old: Settings, new: Settings) -> list[str]:
    found = []
    for section in ("server", "limits", "orders", "log"):
        was, is_now = getattr(old, section), getattr(new, section)
        found += [
            f"{section}.{name}"
            for name in was.__struct_fields__
            if getattr(was, name) != getattr(is_now, name)
        ]
    if old.history != new.history:
        found.append("history")
    if old.alpaca.startup_concurrency != new.alpaca.startup_concurrency:
        found.append("alpaca.startup_concurrency")
    if old.auth is None or new.auth is None:
        return found if old.auth is new.auth else [*found, "auth"]
    for name in ("jwks_url", "open_ops"):
        if getattr(old.auth, name) != getattr(new.auth, name):
            found.append(f"auth.{name}")
    return found
