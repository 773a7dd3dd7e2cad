"""Which database, and what its process reports: for the daemon, which needs no extra for it."""

from collections.abc import Mapping

from msgspec import Struct

URL, SCHEMA, DAYS = "REALTIME_HISTORY_URL", "REALTIME_HISTORY_SCHEMA", "REALTIME_HISTORY_DAYS"


class Address(Struct, frozen=True, kw_only=True):
    """A database. There is no password in `url`: libpq finds it (`~/.pgpass`, `PGPASSWORD`)."""

    url: str
    schema: str
    days: int
    """How long its partitions are kept."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Address | None":
        """What `environment` has put there; None: nothing."""
        if URL not in environ:
            return None
        return cls(url=environ[URL], schema=environ[SCHEMA], days=int(environ[DAYS]))

    def environment(self) -> dict[str, str]:
        """Variables for a process of ours."""
        return {URL: self.url, SCHEMA: self.schema, DAYS: str(self.days)}


class CopyReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How copying goes: a line for each pass that is news."""

    error: str | None = None
    """Why the database cannot be written; None: it can."""
    copied_us: int | None = None
    """Everything that was committed until then is in the database."""
    outbox: int = 0
    """`outbox.n` up to which the ledger was copied."""
    complete_day: int | None = None
    """The newest UTC day of which, and of all days before it, every file is complete there."""
    dropped: list[str] = []
    """Days whose partitions have expired."""
    missing: list[str] = []
    """Day files that were deleted before they were copied."""
