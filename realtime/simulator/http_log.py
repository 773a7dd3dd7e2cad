"""Log of the HTTP library, without the tracebacks that malformed requests cause.

A request that is not HTTP gets a 400; logging each would let a client fill the log.
"""

import logging

from aiohttp.http import HttpProcessingError

http_log = logging.getLogger("realtime.simulator.http")


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


http_log.addFilter(_is_ours)
