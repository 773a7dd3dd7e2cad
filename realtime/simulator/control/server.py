"""HTTP server of `/_sim/…`: control of the simulator in JSON, without credentials.

The response to a bad request is {"error": "a sentence that names what is valid"}.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from realtime.simulator.control.commands import (
    TRADING_COMMANDS,
    Command,
    ControlledSimulator,
    encode_quirks,
)
from realtime.simulator.control.market_commands import MARKET_COMMANDS, encode_settings
from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.control.validation_errors import format_validation_error, suggest_nearest
from realtime.simulator.exchange.engine import ApiError
from realtime.simulator.faults.catalogue import InvalidFault, describe, parse_fault
from realtime.simulator.faults.registry import FaultRegistry, encode_fault
from realtime.simulator.rest.responses import json_response

COMMANDS = (*TRADING_COMMANDS, *MARKET_COMMANDS)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequest(ValueError):
    """A request that cannot be parsed; the message names what is valid."""

    status = 400


class NotFound(BadRequest):
    """An account or a fault that does not exist."""

    status = 404


class ControlServer:
    """Serves the index, faults, account books and commands."""

    def __init__(
        self, sim: ControlledSimulator, faults: FaultRegistry, counters: RequestCounters
    ) -> None:
        self._sim = sim
        self._faults_on = faults
        self._counters = counters

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        router = app.router
        router.add_get("/_sim", _with_error_body(self._get_index))
        router.add_get("/_sim/faults", _with_error_body(self._list_faults))
        router.add_post("/_sim/faults", _with_error_body(self._add_fault))
        router.add_delete("/_sim/faults", _with_error_body(self._clear_faults))
        router.add_delete("/_sim/faults/{fault_id}", _with_error_body(self._remove_fault))
        router.add_get("/_sim/books", _with_error_body(self._list_books))
        router.add_get("/_sim/books/{label}", _with_error_body(self._get_books))
        router.add_get("/_sim/prices", _with_error_body(self._get_prices))
        router.add_get("/_sim/quirks", _with_error_body(self._get_quirks))
        router.add_get("/_sim/market_data", _with_error_body(self._get_market_data))
        router.add_get("/_sim/traffic", _with_error_body(self._get_traffic))
        for command in COMMANDS:
            router.add_post(f"/_sim/{command.path}", _with_error_body(self._handler(command)))
        router.add_route("*", "/_sim/{unknown:.*}", _with_error_body(self._handle_unknown))

    async def _get_index(self, request: web.Request) -> web.Response:
        return json_response(
            {
                **self._sim.status(),
                "counts": self._counters.total(),
                "routes": {
                    "GET /_sim": "this",
                    "GET /_sim/books": "every account and its request counters",
                    "GET /_sim/books/{label}": "the exchange's own truth about an account",
                    "GET /_sim/prices": "symbol → last price",
                    "GET /_sim/quirks": "settings of uncertain facts about the broker",
                    "GET /_sim/market_data": "settings of the market data",
                    "GET /_sim/traffic": "generated events per second",
                    "GET /_sim/faults": "active faults",
                    "POST /_sim/faults": "add a fault: {kind, account, for_s, count, …}",
                    "DELETE /_sim/faults": "remove all faults",
                    "DELETE /_sim/faults/{id}": "remove one fault",
                    **{
                        f"POST /_sim/{command.path}": _describe_command(command)
                        for command in COMMANDS
                    },
                },
                "faults": describe(),
            }
        )

    async def _list_faults(self, request: web.Request) -> web.Response:
        now = self._faults_on.now()
        return json_response([encode_fault(fault, now) for fault in self._faults_on.list_active()])

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            spec = parse_fault(await _read_json(request))
        except InvalidFault as error:
            raise BadRequest(str(error)) from error
        if spec.account is not None:
            self._check_label(spec.account)
        fault = self._faults_on.add(spec)
        return json_response(encode_fault(fault, self._faults_on.now()), 201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        return json_response({"removed": self._faults_on.clear()})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        fault_id = request.match_info["fault_id"]
        if not self._faults_on.remove(fault_id):
            raise NotFound(f"no fault {fault_id!r} is active; GET /_sim/faults lists them")
        return json_response({"removed": 1})

    async def _list_books(self, request: web.Request) -> web.Response:
        labels = self._sim.exchange.labels
        return json_response(
            [{"label": command, "counts": self._counters.get(command)} for command in labels]
        )

    async def _get_books(self, request: web.Request) -> web.Response:
        label = self._check_label(request.match_info["label"])
        return json_response(self._sim.exchange.books(label))

    async def _get_prices(self, request: web.Request) -> web.Response:
        return json_response(self._sim.exchange.prices())

    async def _get_quirks(self, request: web.Request) -> web.Response:
        return json_response(encode_quirks(self._sim))

    async def _get_market_data(self, request: web.Request) -> web.Response:
        return json_response(encode_settings(self._sim))

    async def _get_traffic(self, request: web.Request) -> web.Response:
        return json_response({"activity": self._sim.status()["activity"]})

    async def _handle_unknown(self, request: web.Request) -> web.Response:
        raise NotFound(f"no {request.method} {request.path[:80]} here; GET /_sim lists all routes")

    def _handler(self, command: type[Command]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = _parse_command(await _read_json(request), command)
            account = getattr(body, "account", None)
            if account is not None:
                self._check_label(account)
            try:
                return json_response(body.run(self._sim) or {})
            except ApiError as error:
                raise BadRequest(str(error.body.get("message"))) from error
            except (KeyError, ValueError, ArithmeticError) as error:
                raise BadRequest(f"{command.path}: {error}") from error

        return handle

    def _check_label(self, label: str) -> str:
        labels = list(self._sim.exchange.labels)
        if label not in labels:
            raise NotFound(f"no account {label!r}{suggest_nearest(label, labels[:50])}")
        return label


def _with_error_body(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            return json_response({"error": str(error)}, error.status)

    return guarded


async def _read_json(request: web.Request) -> object:
    raw = await request.read()
    try:
        return msgspec.json.decode(raw) if raw.strip() else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error


def _parse_command(body: object, command: type[Command]) -> Command:
    known = list(command.__struct_fields__)
    if not isinstance(body, Mapping):
        raise BadRequest(f"{command.path} takes a JSON object with {', '.join(known)}")
    for name in body:
        if name not in known:
            raise BadRequest(f"{command.path} has no {name!r}{suggest_nearest(str(name), known)}")
    try:
        return msgspec.convert(body, command)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{command.path}: {format_validation_error(error, command)}") from error


def _describe_command(command: type[Command]) -> str:
    fields = ", ".join(command.__struct_fields__)
    return f"{{{fields}}}: {' '.join((command.__doc__ or '').split())}"
