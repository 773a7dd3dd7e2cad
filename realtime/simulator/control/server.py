"""`/_sim/…`: the switches behind the scenes, in JSON, without credentials.

A bad request is answered with {"error": "a sentence that says what would be right"}.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from realtime.simulator.control.commands import COMMANDS, Command, Simulated, quirks
from realtime.simulator.control.request_counters import Tally
from realtime.simulator.control.validation_errors import explain, nearest
from realtime.simulator.exchange.engine import Refusal
from realtime.simulator.faults.catalogue import BadFault, describe, read_fault
from realtime.simulator.faults.registry import Switchboard, as_json
from realtime.simulator.rest.responses import json_answer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequest(ValueError):
    """A request that cannot be understood; the message says what would be."""

    status = 400


class NoSuchThing(BadRequest):
    """An account or a fault that does not exist."""

    status = 404


class ControlRoom:
    """Serves the index, the faults, the books and the commands."""

    def __init__(self, sim: Simulated, board: Switchboard, tally: Tally) -> None:
        self._sim = sim
        self._board = board
        self._tally = tally

    def add_to(self, app: web.Application) -> None:
        """Put the routes into an application."""
        router = app.router
        router.add_get("/_sim", _guarded(self._index))
        router.add_get("/_sim/faults", _guarded(self._list_faults))
        router.add_post("/_sim/faults", _guarded(self._add_fault))
        router.add_delete("/_sim/faults", _guarded(self._clear_faults))
        router.add_delete("/_sim/faults/{fault_id}", _guarded(self._remove_fault))
        router.add_get("/_sim/books", _guarded(self._list_books))
        router.add_get("/_sim/books/{label}", _guarded(self._books))
        router.add_get("/_sim/prices", _guarded(self._prices))
        router.add_get("/_sim/quirks", _guarded(self._quirks))
        router.add_get("/_sim/traffic", _guarded(self._traffic))
        for command in COMMANDS:
            router.add_post(f"/_sim/{command.path}", _guarded(self._handler(command)))
        router.add_route("*", "/_sim/{unknown:.*}", _guarded(self._unknown))

    async def _index(self, request: web.Request) -> web.Response:
        return json_answer(
            {
                **self._sim.status(),
                "counts": self._tally.total(),
                "routes": {
                    "GET /_sim": "this",
                    "GET /_sim/books": "every account: its key and what it asked for",
                    "GET /_sim/books/{label}": "the exchange's own truth about an account",
                    "GET /_sim/prices": "symbol → last price",
                    "GET /_sim/quirks": "how facts that nobody knows for sure are decided",
                    "GET /_sim/traffic": "events a second that accounts make by themselves",
                    "GET /_sim/faults": "faults that are on",
                    "POST /_sim/faults": "switch a fault on: {kind, account, for_s, count, …}",
                    "DELETE /_sim/faults": "switch every fault off",
                    "DELETE /_sim/faults/{id}": "switch one fault off",
                    **{f"POST /_sim/{each.path}": _help(each) for each in COMMANDS},
                },
                "faults": describe(),
            }
        )

    async def _list_faults(self, request: web.Request) -> web.Response:
        now = self._board.now()
        return json_answer([as_json(fault, now) for fault in self._board.listing()])

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            what = read_fault(await _json(request))
        except BadFault as error:
            raise BadRequest(str(error)) from error
        if what.account is not None:
            self._must_exist(what.account)
        fault = self._board.add(what)
        return json_answer(as_json(fault, self._board.now()), 201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        return json_answer({"removed": self._board.clear()})

    async def _remove_fault(self, request: web.Request) -> web.Response:
        fault_id = request.match_info["fault_id"]
        if not self._board.remove(fault_id):
            raise NoSuchThing(f"no fault {fault_id!r} is on; GET /_sim/faults lists them")
        return json_answer({"removed": 1})

    async def _list_books(self, request: web.Request) -> web.Response:
        labels = self._sim.exchange.labels
        return json_answer([{"label": each, "counts": self._tally.of(each)} for each in labels])

    async def _books(self, request: web.Request) -> web.Response:
        label = self._must_exist(request.match_info["label"])
        return json_answer(self._sim.exchange.books(label))

    async def _prices(self, request: web.Request) -> web.Response:
        return json_answer(self._sim.exchange.prices())

    async def _quirks(self, request: web.Request) -> web.Response:
        return json_answer(quirks(self._sim))

    async def _traffic(self, request: web.Request) -> web.Response:
        return json_answer({"activity": self._sim.status()["activity"]})

    async def _unknown(self, request: web.Request) -> web.Response:
        raise NoSuchThing(
            f"no {request.method} {request.path[:80]} here; GET /_sim lists all routes"
        )

    def _handler(self, command: type[Command]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            body = _read(await _json(request), command)
            account = getattr(body, "account", None)
            if account is not None:
                self._must_exist(account)
            try:
                return json_answer(body.run(self._sim) or {})
            except Refusal as refusal:
                raise BadRequest(str(refusal.body.get("message"))) from refusal
            except (KeyError, ValueError, ArithmeticError) as error:
                raise BadRequest(f"{command.path}: {error}") from error

        return handle

    def _must_exist(self, label: str) -> str:
        labels = list(self._sim.exchange.labels)
        if label not in labels:
            raise NoSuchThing(f"no account {label!r}{nearest(label, labels[:50])}")
        return label


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            return json_answer({"error": str(error)}, error.status)

    return guarded


async def _json(request: web.Request) -> object:
    raw = await request.read()
    try:
        return msgspec.json.decode(raw) if raw.strip() else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error


def _read(body: object, command: type[Command]) -> Command:
    known = list(command.__struct_fields__)
    if not isinstance(body, Mapping):
        raise BadRequest(f"{command.path} takes a JSON object with {', '.join(known)}")
    for name in body:
        if name not in known:
            raise BadRequest(f"{command.path} has no {name!r}{nearest(str(name), known)}")
    try:
        return msgspec.convert(body, command)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{command.path}: {explain(error, command)}") from error


def _help(command: type[Command]) -> str:
    fields = ", ".join(command.__struct_fields__)
    return f"{{{fields}}}: {' '.join((command.__doc__ or '').split())}"
