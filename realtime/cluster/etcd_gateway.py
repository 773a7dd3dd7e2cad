"""etcd's JSON gateway (`/v3/…`) over aiohttp: reads, transactions, leases, watches.

The gateway is part of every etcd server since 3.4 and needs no library of its own; no maintained
asyncio client of etcd's gRPC interface was found. Keys and values are base64, 64-bit numbers are
strings, and fields with a value of zero are absent (etcd's docs, "gRPC gateway").

A node that does not answer within `ATTEMPT_TIMEOUT_S` is left for the next one. Reads are repeated
there. A transaction is repeated only if the connection was refused: after any other
failure it may have been carried out, which is for the caller to find out.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from realtime.cluster.etcd_types import (
    Compare,
    Delete,
    Events,
    Get,
    KeyValue,
    Listing,
    Operation,
    Put,
    Transaction,
    TransactionResult,
)
from realtime.errors import EngineAnswerLost, EngineUnreachable, EtcdCompacted, EtcdRefusal
from realtime.secret import Secret
from realtime.telemetry.histogram import Histogram

ATTEMPT_TIMEOUT_S = 0.8
"""Limit of one attempt at one node: a change takes 2 ms, and 7 in one of a hundred (measured, three
nodes of 3.4.23). Four attempts fit into the 4 s in which a lease must be renewed."""

WATCH_LIFETIME_S = 15.0
"""After this a watch is opened again, at the next node: one whose node is cut off from the others
is silent, as one is that has nothing to report."""

MAX_WATCH_LINE_BYTES = 16 * 2**20
"""Security limit of one answer of a watch; etcd's own limit of a request is 1.5 MiB."""

UNAUTHENTICATED = 16

LATENCY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_encode = msgspec.json.Encoder().encode


class EtcdUser(Struct, frozen=True):
    """A user of an etcd that has authentication switched on."""

    name: str
    password: Secret


class EtcdGateway:
    """A client of all nodes. See `EtcdClient`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoints: Sequence[str],
        *,
        tls: ssl.SSLContext | None = None,
        user: EtcdUser | None = None,
    ) -> None:
        self._session = session
        self._endpoints = [endpoint.rstrip("/") for endpoint in endpoints]
        self._tls = tls
        self._user = user
        self._token: str | None = None
        self._next = 0
        """Index of the node that answered last."""
        self.latency = Histogram(LATENCY_BOUNDS_S)
        """Seconds of each attempt that was answered."""
        self.failures = 0
        """Attempts that were not answered."""

    async def get(self, key: str, *, is_prefix: bool = False) -> Listing:
        """Read a key or a prefix; the answer is not older than the request."""
        answer = await self._send("kv/range", _encode_get(Get(key, is_prefix)), repeats=True)
        return Listing(_revision(answer), _decode_keys(answer))

    async def commit(self, transaction: Transaction) -> TransactionResult:
        """Carry out a transaction, at most once."""
        answer = await self._send("kv/txn", _encode_transaction(transaction), repeats=False)
        return _decode_result(answer)

    async def grant(self, ttl_s: int) -> int:
        """Return a new lease."""
        # Repeating is harmless: a lease without keys ends by itself.
        return int((await self._send("lease/grant", {"TTL": ttl_s}, repeats=True))["ID"])

    async def keep_alive(self, lease: int) -> int:
        """Renew a lease once; return the seconds that it holds from then on; 0: it has ended."""
        # Not repeated here: the caller counts from when the answered attempt was sent.
        answer = await self._send("lease/keepalive", {"ID": str(lease)}, repeats=False)
        return int(answer.get("result", {}).get("TTL", 0))

    async def revoke(self, lease: int) -> None:
        """End a lease, and remove its keys."""
        await self._send("lease/revoke", {"ID": str(lease)}, repeats=True)

    async def count_nodes(self) -> int:
        """Return how many nodes answer now."""

        async def is_up(endpoint: str) -> bool:
            try:
                await self._attempt(endpoint, "maintenance/status", {})
            except (EngineUnreachable, EtcdRefusal):
                return False
            return True

        return sum(await asyncio.gather(*map(is_up, self._endpoints)))

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        """Yield changes from a revision on; ends when the connection has been used long enough.

        Raises `EtcdCompacted` if that revision is no longer known.
        """
        request = {
            "create_request": {
                "key": _b64(prefix),
                "range_end": _b64_end(prefix),
                "start_revision": str(revision),
            }
        }
        endpoint = self._endpoints[self._next]
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + WATCH_LIFETIME_S
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                response = await self._post(endpoint, "watch", request)
            async with response:
                while (left_s := ends_at - loop.time()) > 0:
                    try:
                        async with asyncio.timeout(left_s):
                            line = await response.content.readuntil(b"\n")
                    except TimeoutError:
                        break
                    events = _decode_events(msgspec.json.decode(line))
                    if events is not None:
                        yield events
        except (aiohttp.ClientError, OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            raise self._failed(endpoint, error, is_lost=False) from error
        # The next watch is another node's.
        self._next = (self._next + 1) % len(self._endpoints)

    async def _send(
        self, path: str, body: Mapping[str, object], *, repeats: bool
    ) -> dict[str, Any]:
        """Return the answer of the first node that has one."""
        error: EngineUnreachable | None = None
        for _ in self._endpoints:
            endpoint = self._endpoints[self._next]
            try:
                return await self._attempt_authenticated(endpoint, path, body)
            except EngineUnreachable as failure:
                self._next = (self._next + 1) % len(self._endpoints)
                if isinstance(failure, EngineAnswerLost) and not repeats:
                    raise
                error = failure
        assert error is not None, "there are endpoints"
        raise error

    async def _attempt_authenticated(
        self, endpoint: str, path: str, body: Mapping[str, object]
    ) -> dict[str, Any]:
        if self._user is None:
            return await self._attempt(endpoint, path, body)
        if self._token is None:
            await self._authenticate(endpoint, self._user)
        try:
            return await self._attempt(endpoint, path, body)
        except EtcdRefusal as error:
            if error.code != UNAUTHENTICATED:
                raise
        await self._authenticate(endpoint, self._user)  # the token has ended
        return await self._attempt(endpoint, path, body)

    async def _authenticate(self, endpoint: str, user: EtcdUser) -> None:
        self._token = None
        body = {"name": user.name, "password": user.password.reveal()}
        self._token = str((await self._attempt(endpoint, "auth/authenticate", body))["token"])

    async def _attempt(
        self, endpoint: str, path: str, body: Mapping[str, object]
    ) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                async with await self._post(endpoint, path, body) as response:
                    content = await response.read()
            answer: dict[str, Any] = msgspec.json.decode(content)
        except aiohttp.ClientConnectorError as error:
            raise self._failed(endpoint, error, is_lost=False) from error
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError) as error:
            raise self._failed(endpoint, error, is_lost=True) from error
        self.latency.observe(loop.time() - started_at)
        if "error" in answer:
            raise self._to_error(endpoint, answer)
        return answer

    async def _post(
        self, endpoint: str, path: str, body: Mapping[str, object]
    ) -> aiohttp.ClientResponse:
        headers = {"Content-Type": "application/json"}
        if self._token is not None and path != "auth/authenticate":
            headers["Authorization"] = self._token
        return await self._session.post(
            f"{endpoint}/v3/{path}",
            data=_encode(body),
            headers=headers,
            ssl=self._tls if self._tls is not None else True,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=MAX_WATCH_LINE_BYTES if path == "watch" else 2**16,
        )

    def _failed(self, endpoint: str, error: BaseException, *, is_lost: bool) -> EngineUnreachable:
        self.failures += 1
        reason = str(error) or f"no answer within {ATTEMPT_TIMEOUT_S} s"
        return (EngineAnswerLost if is_lost else EngineUnreachable)(f"etcd {endpoint}: {reason}")

    def _to_error(
        self, endpoint: str, answer: Mapping[str, Any]
    ) -> EngineUnreachable | EtcdRefusal:
        """Return the error that a node reported.

        4, 14: no leader, leader changed, timed out: a change may have happened. 8: out of space.
        """
        fields = answer["error"]
        if isinstance(fields, dict):  # of a stream
            code, message = int(fields.get("grpc_code", 0)), str(fields.get("message", ""))
        else:
            code, message = int(answer.get("code", 0)), str(fields)
        if code in (4, 14):
            return self._failed(endpoint, OSError(message), is_lost=True)
        if code == 8:
            remedy = "`etcdctl alarm list`, then `etcdctl defrag` and `etcdctl alarm disarm`"
            return self._failed(endpoint, OSError(f"{message} ({remedy})"), is_lost=False)
        return EtcdRefusal(f"etcd {endpoint}: {message}", code=code)


def _encode_get(get: Get) -> dict[str, object]:
    if get.is_prefix:
        return {"key": _b64(get.key), "range_end": _b64_end(get.key)}
    return {"key": _b64(get.key)}


def _encode_transaction(transaction: Transaction) -> dict[str, object]:
    return {
        "compare": [_encode_compare(condition) for condition in transaction.conditions],
        "success": [_encode_operation(operation) for operation in transaction.then],
        "failure": [_encode_operation(operation) for operation in transaction.otherwise],
    }


def _encode_compare(compare: Compare) -> dict[str, object]:
    field = {"create": "create_revision", "mod": "mod_revision"}.get(compare.target, compare.target)
    operand = compare.operand
    return {
        "target": compare.target.upper(),
        "result": "EQUAL" if compare.is_equal else "NOT_EQUAL",
        "key": _b64(compare.key),
        field: base64.b64encode(operand).decode() if isinstance(operand, bytes) else str(operand),
    }


def _encode_operation(operation: Operation) -> dict[str, object]:
    match operation:
        case Put(key, value, lease):
            put = {"key": _b64(key), "value": base64.b64encode(value).decode()}
            return {"request_put": put | ({"lease": str(lease)} if lease else {})}
        case Get():
            return {"request_range": _encode_get(operation)}
        case Delete(key):
            return {"request_delete_range": {"key": _b64(key)}}
        case Transaction():
            return {"request_txn": _encode_transaction(operation)}


def _decode_result(answer: Mapping[str, Any]) -> TransactionResult:
    return TransactionResult(
        succeeded=bool(answer.get("succeeded", False)),
        revision=_revision(answer),
        results=tuple(map(_decode_operation, answer.get("responses", ()))),
    )


def _decode_operation(item: Mapping[str, Any]) -> TransactionResult | tuple[KeyValue, ...]:
    if "response_txn" in item:
        return _decode_result(item["response_txn"])
    return _decode_keys(item.get("response_range", {}))


def _decode_events(answer: Mapping[str, Any]) -> Events | None:
    """Return the changes of one line; None if it has none. Raises `EtcdCompacted`."""
    if "error" in answer:
        raise ValueError(str(answer["error"]))
    result = answer.get("result", {})
    if result.get("canceled"):
        if "compact_revision" in result:
            raise EtcdCompacted("the watched revision was compacted")
        raise ValueError(str(result.get("cancel_reason", "the watch was canceled")))
    if not result.get("events"):
        return None
    changes = []
    for event in result["events"]:
        pair = _decode_key(event["kv"])
        changes.append((pair.key, None if event.get("type") == "DELETE" else pair))
    return Events(_revision(result), tuple(changes))


def _decode_keys(answer: Mapping[str, Any]) -> tuple[KeyValue, ...]:
    return tuple(map(_decode_key, answer.get("kvs", ())))


def _decode_key(item: Mapping[str, Any]) -> KeyValue:
    return KeyValue(
        key=base64.b64decode(item["key"]).decode(),
        value=base64.b64decode(item.get("value", "")),
        create_revision=int(item.get("create_revision", 0)),
        mod_revision=int(item.get("mod_revision", 0)),
        lease=int(item.get("lease", 0)),
    )


def _revision(answer: Mapping[str, Any]) -> int:
    return int(answer.get("header", {}).get("revision", 0))


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _b64_end(prefix: str) -> str:
    """Return the first key behind all that begin with a prefix. Ours end with ASCII."""
    end = prefix.encode()
    return base64.b64encode(end[:-1] + bytes([end[-1] + 1])).decode()
