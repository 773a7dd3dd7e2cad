"""The door: files, environment and flags become `Settings`, or one error naming all problems."""

from collections.abc import Mapping
from pathlib import Path

from realtime.config.settings import Settings


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """Read and check everything. Flag > environment > file > default.

    Raises `ConfigError` with every problem found, never only the first.
    """
    raise NotImplementedError
