"""Requests to a running daemon: one JSON document of the expected type, or one clear error.

The standard library only, so that a command starts fast. No proxy is used and no redirect followed:
the token goes to the configured host and nowhere else.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from realtime import __version__
from realtime.cli import (
    CONFIG_REFUSED,
    DENIED,
    FAILED,
    UNREACHABLE,
    USAGE_ERROR,
    CommandError,
)
from realtime.cli.daemon_address import DaemonAddress, find_daemon
from realtime.errors import ConfigError, LinkError

RESPONSE_TIMEOUT_S = 5.0
"""Limit of a whole response; the daemon sends the status of 1000 accounts in milliseconds."""

MAX_BODY_BYTES = 64 * 2**20
"""Security limit; the status of 10 000 accounts is 6 MB."""

EXIT_CODES = {
    "config_refused": CONFIG_REFUSED,
    "unknown_account": USAGE_ERROR,
    "bad_parameter": USAGE_ERROR,
}
"""By the code of the daemon's refusal: what is wrong is in the files or in the arguments."""

CHUNK_BYTES = 2**16

MAX_LINE_BYTES = 16 * 2**20
"""Security limit of one event."""

T = TypeVar("T")


class ProblemDocument(Struct):
    """The members of a problem document (RFC 9457) that are shown."""

    detail: str = ""
    remedy: str | None = None
    code: str = ""


class DaemonError(CommandError):
    """The daemon responded with an error: `status` is HTTP's, `code` the daemon's own word."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        status: int,
        code: str = "",
        exit_code: int = FAILED,
    ) -> None:
        super().__init__(message, remedy=remedy, exit_code=exit_code)
        self.status = status
        self.code = code


class DaemonResponse(Struct, frozen=True):
    """A response of the daemon; names of headers in any case."""

    status: int
    headers: Message
    body: bytes


class DaemonClient:
    """One daemon. Raises `ConfigError` for an unusable token."""

    def __init__(
        self, address: DaemonAddress, token: str = "", *, timeout_s: float = RESPONSE_TIMEOUT_S
    ) -> None:
        self._timeout_s = timeout_s
        self.address = address
        self._parts = address.parts
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"realtime/{__version__}",
            **_authorization(token),
        }

    @property
    def url(self) -> str:
        """The daemon's address."""
        return self.address.url

    @property
    def has_token(self) -> bool:
        """Whether a token is sent."""
        return "Authorization" in self._headers

    def get(self, path: str, document: type[T]) -> T:
        """Return the document at a path. Raises `LinkError`, or `DaemonError` for an HTTP error."""
        return self._decode(self._request("GET", path), document)

    def read(self, path: str, headers: Mapping[str, str] | None = None) -> DaemonResponse:
        """Return the response at a path as it came. Raises as `get`."""
        response = self._request("GET", path, headers=headers)
        self._checked(response)
        return response

    def get_text(self, path: str) -> str:
        """Return the text at a path. Raises as `get`."""
        return self._checked(self._request("GET", path)).decode()

    def post(
        self,
        path: str,
        document: type[T],
        query: Mapping[str, str | None] | None = None,
        *,
        body: object = None,
    ) -> T:
        """Request an action; return the response. Raises as `get`. `body` is sent as JSON."""
        params = {name: value for name, value in (query or {}).items() if value}
        target = f"{path}?{urlencode(params, quote_via=quote)}" if params else path
        data = None if body is None else msgspec.json.encode(body)
        return self._decode(self._request("POST", target, data), document)

    def stream_lines(self, path: str, *, silence_s: float) -> Iterator[bytes]:
        """Yield the lines of an endless response, until the connection ends.

        Raises as `get`, and `LinkError` if nothing arrives for `silence_s` seconds.
        """
        with self._connect() as connection:
            connection.request("GET", f"{self._parts.path}{path}", headers=self._headers)
            sock = connection.sock
            assert sock is not None, "a request was sent over it"
            with connection.getresponse() as response:
                if response.status != 200:
                    body = self._read_body(response, time.monotonic() + RESPONSE_TIMEOUT_S)
                    raise self._error_of(response.status, body)
                sock.settimeout(silence_s)
                while line := response.readline(MAX_LINE_BYTES):
                    yield line

    def _decode(self, response: DaemonResponse, document: type[T]) -> T:
        body = self._checked(response)
        try:
            return msgspec.json.decode(body, type=document)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._not_a_daemon("its response is of another program or version") from error

    def _checked(self, response: DaemonResponse) -> bytes:
        if response.status != 200:
            raise self._error_of(response.status, response.body)
        return response.body

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> DaemonResponse:
        deadline = time.monotonic() + self._timeout_s
        with self._connect() as connection:
            sent = {**self._headers, **(headers or {})}
            if body is not None:
                sent["Content-Type"] = "application/json"
            connection.request(method, f"{self._parts.path}{path}", body, sent)
            response = connection.getresponse()
            content = self._read_body(response, deadline)
            return DaemonResponse(response.status, response.headers, content)

    @contextmanager
    def _connect(self) -> Iterator[HTTPConnection]:
        """Yield a connection; its errors become `LinkError`."""
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        connection = kind(str(self._parts.hostname), self._parts.port, timeout=self._timeout_s)
        try:
            yield connection
        except ConnectionRefusedError as error:
            fact = f"no daemon at {self.url} – start one with: realtime demo"
            raise LinkError(fact, remedy=self._other_address) from error
        except TimeoutError as error:
            raise self._no_response() from error
        except HTTPException as error:
            raise self._not_a_daemon("its response is incomplete or not HTTP") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            fact = f"no daemon at {self.url}: {reason}"
            raise LinkError(fact, remedy=self._other_address) from error
        finally:
            connection.close()

    def _read_body(self, response: HTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise self._not_a_daemon(f"its response is longer than {MAX_BODY_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise self._no_response()
        if response.length:
            raise self._not_a_daemon("its response is incomplete")
        return bytes(body)

    def _error_of(self, status: int, body: bytes) -> CommandError:
        try:
            problem = msgspec.json.decode(body, type=ProblemDocument)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = ProblemDocument()
        if status in (401, 403):
            return DaemonError(
                f"{self.url} responded with {status}: {problem.detail or 'a token is required'}",
                remedy=_token_remedy(problem, has_token=self.has_token),
                status=status,
                code=problem.code,
                exit_code=DENIED,
            )
        if problem.detail:
            return DaemonError(
                f"{self.url} responded with {status}: {problem.detail}",
                remedy=problem.remedy or "",
                status=status,
                code=problem.code,
                exit_code=EXIT_CODES.get(problem.code, FAILED),
            )
        return self._not_a_daemon(f"it responded with {status}")

    def _not_a_daemon(self, reason: str) -> CommandError:
        fact = f"the program at {self.url} is not this daemon: {reason}"
        return CommandError(fact, remedy=self._other_address, exit_code=UNREACHABLE)

    def _no_response(self) -> LinkError:
        fact = f"the daemon at {self.url} did not respond within {self._timeout_s:.0f} s"
        return LinkError(fact, remedy="it is overloaded or hangs; read its log")

    @property
    def _other_address(self) -> str:
        return (
            f"the address is from {self.address.source}; "
            "--url, REALTIME_URL or --config name another daemon"
        )


def connect(
    url: str | None = None,
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    timeout_s: float = RESPONSE_TIMEOUT_S,
) -> DaemonClient:
    """Return a client for the daemon of a command's options, environment and `.env`."""
    from realtime.config.loader import load_environ  # noqa: PLC0415 - `--help` must not import it

    environ = load_environ(config, environ)
    return DaemonClient(
        find_daemon(url, config, environ), environ.get("REALTIME_TOKEN", ""), timeout_s=timeout_s
    )


def _token_remedy(problem: ProblemDocument, *, has_token: bool) -> str:
    """What helps at a terminal; the daemon's own remedy is for HTTP clients."""
    if has_token or not sys.stderr.isatty():
        return problem.remedy or "set REALTIME_TOKEN to a valid token"
    return "export REALTIME_TOKEN=…; `realtime token` prints one where [auth] secret_file is set"


def _authorization(token: str) -> dict[str, str]:
    if not token:
        return {}
    if not token.isascii() or not token.isprintable() or set(token) & set(" \"'"):
        raise ConfigError(
            "REALTIME_TOKEN contains characters that no token has", remedy="paste it again"
        )
    return {"Authorization": f"Bearer {token}"}
