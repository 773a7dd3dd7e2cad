"""The routes of administration, in the words of the description."""

from realtime.api.documents.notify import NotifyDocument, ResentDocument
from realtime.api.handlers.notify import RESEND_PATH, STATUS_PATH, ResendQuery
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

NOTIFY_STATUS = Operation(
    method="get",
    paths=(STATUS_PATH,),
    summary="How webhooks and notifications go: what waits, what is parked, and why",
    query=NoQuery,
    document=NotifyDocument,
    problems=("notify_off", "cross_origin"),
)

NOTIFY_RESEND = Operation(
    method="post",
    paths=(RESEND_PATH,),
    summary="Send parked messages of all webhooks again, or of one",
    query=ResendQuery,
    document=ResentDocument,
    problems=("notify_off", "unknown_webhook", "cross_origin"),
)

ADMINISTRATION = (RELOAD, NOTIFY_STATUS, NOTIFY_RESEND)
