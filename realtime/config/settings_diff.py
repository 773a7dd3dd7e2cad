"""What reading the files again changed, account by account: pure, and decided in one place.

added      new
removed    no longer there
exchanged  another account at the broker: the known state is discarded
rotated    other keys for the same account: reconnected, one account after another
restarted  anything else that its connection depends on
described  what is only shown or checked: no connection is affected
"""

from typing import Literal

from msgspec import Struct, structs

from realtime.config.settings import AccountSettings, Settings

ChangeKind = Literal["added", "removed", "exchanged", "rotated", "restarted", "described"]

ONLY_SHOWN = ("name", "tier", "initial_balance", "orders")
"""Fields of an account that its connection does not depend on."""


class SettingsDiff(Struct, frozen=True, kw_only=True):
    """Labels by kind of change, in the order of the file."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    exchanged: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    """Names of `[[webhooks]]` and `[[notify]]` that were added, removed or changed."""
    unchanged: int = 0
    needs_restart: tuple[str, ...] = ()
    """Settings that have changed and take effect only after a restart."""

    @property
    def is_empty(self) -> bool:
        """Whether no account is affected."""
        return not any(getattr(self, kind) for kind in CHANGE_KINDS)


CHANGE_KINDS: tuple[ChangeKind, ...] = (
    "added",
    "removed",
    "exchanged",
    "rotated",
    "restarted",
    "described",
)


def compare(old: Settings, new: Settings) -> SettingsDiff:
    """Return what changed from the old settings to the new ones."""
    before = {account.label: account for account in old.accounts}
    after = {account.label: account for account in new.accounts}
    changes: dict[ChangeKind, list[str]] = {kind: [] for kind in CHANGE_KINDS}
    for label in [*after, *(label for label in before if label not in after)]:
        kind = _change(before.get(label), after.get(label))
        if kind is not None:
            changes[kind].append(label)
    changed = sum(map(len, changes.values()))
    return SettingsDiff(
        **{kind: tuple(labels) for kind, labels in changes.items()},
        unchanged=len(after) + len(changes["removed"]) - changed,
        notify=tuple(_changed_targets(old, new)),
        needs_restart=tuple(_needs_restart(old, new)),
    )


def _change(old: AccountSettings | None, new: AccountSettings | None) -> ChangeKind | None:
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
    """Whether the label now belongs to another account, intentionally."""
    renumbered = None not in (old.account_number, new.account_number) and (
        old.account_number != new.account_number
    )
    return renumbered or (old.trading_url, old.paper) != (new.trading_url, new.paper)


def _same_keys(old: AccountSettings, new: AccountSettings) -> bool:
    """Whether the keys are equal, wherever they come from."""
    if old.credentials is None or new.credentials is None:
        return old.credentials is new.credentials
    pairs = [(keys.key_id, keys.secret_key) for keys in (old.credentials, new.credentials)]
    return pairs[0] == pairs[1]


def _changed_targets(old: Settings, new: Settings) -> list[str]:
    before, after = (
        {
            **{target.name: target for target in settings.webhooks},
            **{target.name: target for target in settings.notify},
        }
        for settings in (old, new)
    )
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _needs_restart(old: Settings, new: Settings) -> list[str]:
    changed = []
    for section in ("server", "limits", "orders", "log", "alpaca_api"):
        before, after = getattr(old, section), getattr(new, section)
        changed += [
            f"{section}.{name}"
            for name in before.__struct_fields__
            if getattr(before, name) != getattr(after, name)
        ]
    for name in ("history", "market", "cluster"):
        if getattr(old, name) != getattr(new, name):
            changed.append(name)
    if old.books != new.books and new.market is not None and new.market.marks:
        changed.append("market.marks")  # totals of marks by book
    if old.alpaca.startup_concurrency != new.alpaca.startup_concurrency:
        changed.append("alpaca.startup_concurrency")
    if old.auth is None or new.auth is None:
        return changed if old.auth is new.auth else [*changed, "auth"]
    for name, field in (
        ("jwks_url", "jwks_url"),
        ("open_ops", "open_ops"),
        ("reads", "open_reads"),
    ):
        if getattr(old.auth, field) != getattr(new.auth, field):
            changed.append(f"auth.{name}")
    return changed
