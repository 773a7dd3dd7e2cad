"""Ask a running daemon: one GET, one JSON document of the expected shape, or one clear sentence.

The standard library only, so that a command starts in a moment. No proxy is used and no redirect
followed: the token goes to the configured host and nowhere else.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct

from realtime import __version__
from realtime.errors import ConfigError, LinkError

DEFAULT_URL = "http://127.0.0.1:8090"

ANSWER_S = 5.0
"""Limit of a whole answer; the daemon gives the status of 1000 accounts in a few milliseconds."""

BODY_MAX = 64 * 2**20
"""Security limit in bytes; the status of 10 000 accounts is 6 MB."""

CHUNK = 2**16

LINE_MAX = 16 * 2**20
"""Security limit in bytes of one event."""

OTHER_ADDRESS = "set REALTIME_URL to the daemon's address"

T = TypeVar("T")


class ProblemBody(Struct):
    """What is used of a problem document (RFC 9457)."""

    detail: str = ""
    remedy: str = ""


class DaemonClient:
    """Where the daemon is, by `REALTIME_URL` and `REALTIME_TOKEN`. Raises `ConfigError`."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.url = (environ.get("REALTIME_URL") or DEFAULT_URL).rstrip("/")
        self._parts = _address(self.url)
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"realtime/{__version__}",
            **_authorization(environ.get("REALTIME_TOKEN", "")),
        }

    def ask(self, path: str, shape: type[T]) -> T:
        """Give the document at a path. Raises `LinkError` where there is none of this shape."""
        return self._read(self._exchange("GET", path), shape)

    def tell(self, path: str, shape: type[T]) -> T:
        """Have something done; gives what the daemon says of it. Raises `LinkError`."""
        return self._read(self._exchange("POST", path), shape)

    def _read(self, answer: tuple[int, bytes], shape: type[T]) -> T:
        status, body = answer
        if status != 200:
            raise self._turned_away(status, body)
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._stranger("its answer is not ours") from error

    def lines(self, path: str, *, silence_s: float) -> Iterator[bytes]:
        """The lines of an answer that goes on; ends when it is cut.

        Raises `LinkError` where there is none, or if nothing comes for so many seconds.
        """
        with self._connected() as connection:
            connection.request("GET", f"{self._parts.path}{path}", headers=self._headers)
            sock = connection.sock
            assert sock is not None, "a request was sent over it"
            with connection.getresponse() as response:
                if response.status != 200:
                    body = self._bounded(response, time.monotonic() + ANSWER_S)
                    raise self._turned_away(response.status, body)
                sock.settimeout(silence_s)
                while line := response.readline(LINE_MAX):
                    yield line

    def _exchange(self, method: str, path: str) -> tuple[int, bytes]:
        ends_at = time.monotonic() + ANSWER_S
        with self._connected() as connection:
            connection.request(method, f"{self._parts.path}{path}", headers=self._headers)
            response = connection.getresponse()
            return response.status, self._bounded(response, ends_at)

    @contextmanager
    def _connected(self) -> Iterator[HTTPConnection]:
        """A connection; what goes wrong with it is told as `LinkError`."""
        connection = self._connection()
        try:
            yield connection
        except ConnectionRefusedError as error:
            fact = f"no daemon at {self.url} – start one with: realtime demo"
            raise LinkError(fact) from error
        except TimeoutError as error:
            raise self._silent() from error
        except HTTPException as error:
            raise self._stranger("its answer is broken off or not HTTP") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise LinkError(f"no daemon at {self.url}: {reason}", remedy=OTHER_ADDRESS) from error
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(str(self._parts.hostname), self._parts.port, timeout=ANSWER_S)

    def _bounded(self, response: HTTPResponse, ends_at: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(CHUNK):
            body += chunk
            if len(body) > BODY_MAX:
                raise self._stranger(f"its answer is longer than {BODY_MAX >> 20} MiB")
            if time.monotonic() > ends_at:
                raise self._silent()
        if response.length:
            raise self._stranger("its answer is broken off")
        return bytes(body)

    def _turned_away(self, status: int, body: bytes) -> LinkError:
        try:
            problem = msgspec.json.decode(body, type=ProblemBody)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = ProblemBody()
        if status in (401, 403):
            fact = problem.detail or "it wants a token"
            remedy = problem.remedy or "set REALTIME_TOKEN to one that its keeper gave you"
            return LinkError(f"{self.url} answered {status}: {fact}", remedy=remedy, status=status)
        if problem.detail:
            fact = f"{self.url} answered {status}: {problem.detail}"
            return LinkError(fact, remedy=problem.remedy, status=status)
        return self._stranger(f"it answered {status}")

    def _stranger(self, reason: str) -> LinkError:
        return LinkError(f"what listens at {self.url} is no daemon: {reason}", remedy=OTHER_ADDRESS)

    def _silent(self) -> LinkError:
        fact = f"the daemon at {self.url} gave no answer within {ANSWER_S:.0f} s"
        return LinkError(fact, remedy="it is overloaded or hangs; look into its log")


def _address(url: str) -> SplitResult:
    wrong = ConfigError(
        f"REALTIME_URL: expected an address such as {DEFAULT_URL}, got {url[:80]!r}"
    )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise wrong from error
    if not usable or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise wrong
    if parts.username is not None or " " in url:
        raise wrong
    return parts


def _authorization(token: str) -> dict[str, str]:
    if not token:
        return {}
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError("REALTIME_TOKEN has letters that no token has", remedy="paste it again")
    return {"Authorization": f"Bearer {token}"}
