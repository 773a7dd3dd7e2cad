"""Reads the files again while the daemon runs, and applies what changed."""

import asyncio
from collections.abc import Awaitable, Callable

from realtime.auth.keys import Key
from realtime.auth.verifier import Verifier
from realtime.config.settings import AuthSettings, Settings
from realtime.config.settings_diff import SettingsDiff, compare
from realtime.errors import ConfigError
from realtime.runtime.account_registry import AccountRegistry
from realtime.telemetry.log import get_logger

log = get_logger()

ReadSettings = Callable[[], Awaitable[Settings]]
"""Reads the files again. Raises `ConfigError`."""


class TokenKeys:
    """The keys and rules by which tokens are verified; subscribers are called when they change."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._subscribers: list[Callable[[], None]] = []

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` after every change: tokens accepted before may be invalid now."""
        self._subscribers.append(on_change)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys in use."""
        return self._verifier.keys

    def replace(self, auth: AuthSettings, keys: tuple[Key, ...]) -> None:
        """Accept tokens that these keys signed, by these rules, and no others."""
        if self._verifier.update(auth.rules, keys):
            for on_change in self._subscribers:
                on_change()


class Reloader:
    """The settings in force, and the only way to change them."""

    def __init__(
        self,
        settings: Settings,
        *,
        read_settings: ReadSettings | None,
        registry: AccountRegistry,
        token_keys: TokenKeys | None,
        clock: Callable[[], float],
        apply_targets: Callable[[Settings], Awaitable[None]] | None = None,
    ) -> None:
        self.settings = settings
        self.last_reload: tuple[bool, float] | None = None
        """Whether the files were valid at the last reload, and when, epoch seconds."""
        self._read_settings = read_settings
        self._registry = registry
        self._token_keys = token_keys
        self._clock = clock
        self._apply_targets = apply_targets
        """Applies `[[webhooks]]` and `[[notify]]`."""
        self._subscribers: list[Callable[[Settings], None]] = []
        self._lock = asyncio.Lock()

    def subscribe(self, on_settings: Callable[[Settings], None]) -> None:
        """Call `on_settings` with the settings after every reload."""
        self._subscribers.append(on_settings)

    async def reload(self) -> SettingsDiff:
        """Read the files again and apply what changed. Raises `ConfigError`, and then nothing
        has changed."""
        async with self._lock:
            try:
                if self._read_settings is None:
                    raise ConfigError("this daemon has no files to read again")
                settings = await self._read_settings()
            except ConfigError as error:
                # Not only raised: after SIGHUP the log is the only place where it can be seen.
                self.last_reload = (False, self._clock())
                log.error("config.refused", reason=error.message, remedy=error.remedy)  # noqa: TRY400
                raise
            diff = compare(self.settings, settings)
            self.settings = settings
            # Tokens first: what was revoked must not be used while accounts reconnect.
            self._apply_token_rules(settings)
            await self._registry.apply(settings, diff)
            for on_settings in self._subscribers:
                on_settings(settings)
            if self._apply_targets is not None and diff.notify:
                await self._apply_targets(settings)
            self.last_reload = (True, self._clock())
        changed = {name: value for name in diff.__struct_fields__ if (value := getattr(diff, name))}
        log.info("config.reloaded", **changed)
        return diff

    def _apply_token_rules(self, settings: Settings) -> None:
        if self._token_keys is not None and settings.auth is not None:
            is_fetched = settings.auth.jwks_url is not None
            keys = self._token_keys.keys if is_fetched else settings.auth.keys
            self._token_keys.replace(settings.auth, keys)

    def replace_keys(self, keys: tuple[Key, ...]) -> None:
        """Accept tokens that these keys signed, by the rules in force."""
        if self._token_keys is not None and self.settings.auth is not None:
            self._token_keys.replace(self.settings.auth, keys)
