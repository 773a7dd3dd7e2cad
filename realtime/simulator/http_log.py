"""What the HTTP library logs, without the tracebacks that strangers can cause.

A request that is not HTTP is its sender's fault, and the sender is told with a 400; here it would
only be noise, as long as the attacker likes.
"""

import logging

from aiohttp.http import HttpProcessingError

http_log = logging.getLogger("realtime.simulator.http")


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


http_log.addFilter(_is_ours)
