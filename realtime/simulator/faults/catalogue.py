"""All fault types by `kind`: parsing from JSON, and the help in `/_sim`."""

import msgspec

from realtime.simulator.control.validation_errors import format_validation_error, suggest_nearest
from realtime.simulator.faults import frames, requests, sockets
from realtime.simulator.faults.base import FaultSpec

FAULT_TYPES: dict[str, type[FaultSpec]] = {
    str(fault_type.__struct_config__.tag): fault_type
    for fault_type in (*sockets.FAULT_TYPES, *frames.FAULT_TYPES, *requests.FAULT_TYPES)
}


class InvalidFault(ValueError):
    """A fault that cannot be parsed; the message names what is valid."""


def parse_fault(body: object) -> FaultSpec:
    """Return a fault from decoded JSON; raises InvalidFault with the nearest valid word."""
    if not isinstance(body, dict):
        raise InvalidFault("a fault is a JSON object with a `kind`")
    word = body.get("kind")
    if not isinstance(word, str) or word not in FAULT_TYPES:
        raise InvalidFault(f"unknown kind {word!r}{suggest_nearest(str(word), list(FAULT_TYPES))}")
    fault_type = FAULT_TYPES[word]
    allowed = ["kind", *fault_type.__struct_fields__]
    for name in body:
        if name not in allowed:
            raise InvalidFault(
                f"{word} has no parameter {name!r}{suggest_nearest(str(name), allowed)}"
            )
    if fault_type.is_state and body.get("count") is not None:
        raise InvalidFault(f"{word} is a state and has no count: give `for_s`, or delete it later")
    try:
        return msgspec.convert(body, fault_type)
    except msgspec.ValidationError as error:
        raise InvalidFault(f"{word}: {format_validation_error(error, fault_type)}") from error


def describe() -> dict[str, object]:
    """Return kind → description and parameters with their defaults."""
    return {word: _describe(fault_type) for word, fault_type in FAULT_TYPES.items()}


def _describe(fault_type: type[FaultSpec]) -> dict[str, object]:
    parameters = {field.name: field.default for field in msgspec.structs.fields(fault_type)}
    return {"does": " ".join((fault_type.__doc__ or "").split()), "parameters": parameters}
