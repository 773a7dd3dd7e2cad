"""The route that has the files read again, in the words of the description."""

from realtime.api.openapi.operations import Operation
from realtime.api.parameters import NoQuery
from realtime.config.settings_diff import SettingsDiff


class Reloaded(SettingsDiff, frozen=True, kw_only=True):
    """Labels by what became of them; every other account has noticed nothing."""


RELOAD = Operation(
    method="post",
    paths=("/admin/reload",),  # `server.reloading` answers it; a test compares
    summary="Read accounts.toml and its keys again, and say what changed",
    query=NoQuery,
    document=Reloaded,
    problems=("config_refused", "cross_origin"),
)
