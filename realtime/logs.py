"""The log: one event a line, JSON for machines, a sentence on a terminal. (Being written.)"""

from typing import cast

import structlog
from structlog.typing import FilteringBoundLogger


def get_logger() -> FilteringBoundLogger:
    """Give the logger of a file: `log = get_logger()` at its top."""
    return cast("FilteringBoundLogger", structlog.get_logger())
