"""Is a port free? Asked before anything is started, so that nothing has to be undone."""

import errno
import socket

from realtime.errors import ConfigError


def must_be_free(host: str, port: int, flag: str) -> None:
    """Raise ConfigError if nobody can listen there. Port 0 is always free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier run that are dying do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise taken(port, flag) from error
            fact = f"cannot listen on {host}:{port}: {error.strerror}"
            raise ConfigError(fact, remedy=f"{flag} chooses another port") from error


def taken(port: int, flag: str) -> ConfigError:
    """The sentence about a port that another program has, with one that may be free."""
    other = port + 100 if port <= 65_435 else port - 100
    return ConfigError(f"{port} is taken by another program; scripts/demo {flag} {other}")
