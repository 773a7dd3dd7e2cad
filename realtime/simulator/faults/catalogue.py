"""Every kind of fault by its word: reading one from JSON, and the help that `/_sim` shows."""

import msgspec

from realtime.simulator.control.validation_errors import explain, nearest
from realtime.simulator.faults import frames, requests, sockets
from realtime.simulator.faults.base import Kind

KINDS: dict[str, type[Kind]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (*sockets.KINDS, *frames.KINDS, *requests.KINDS)
}


class BadFault(ValueError):
    """A fault that cannot be understood; the message says what would be."""


def read_fault(body: object) -> Kind:
    """Make a fault of parsed JSON; raise `BadFault` with the nearest right word."""
    if not isinstance(body, dict):
        raise BadFault("a fault is a JSON object with a `kind`")
    word = body.get("kind")
    if not isinstance(word, str) or word not in KINDS:
        raise BadFault(f"unknown kind {word!r}{nearest(str(word), list(KINDS))}")
    kind = KINDS[word]
    allowed = ["kind", *kind.__struct_fields__]
    for name in body:
        if name not in allowed:
            raise BadFault(f"{word} has no parameter {name!r}{nearest(str(name), allowed)}")
    if kind.is_state and body.get("count") is not None:
        raise BadFault(f"{word} is a state and has no count: give `for_s`, or delete it later")
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadFault(f"{word}: {explain(error, kind)}") from error


def describe() -> dict[str, object]:
    """The catalogue as JSON: word → what it does and its parameters with their defaults."""
    return {word: _describe(kind) for word, kind in KINDS.items()}


def _describe(kind: type[Kind]) -> dict[str, object]:
    parameters = {field.name: field.default for field in msgspec.structs.fields(kind)}
    return {"does": " ".join((kind.__doc__ or "").split()), "parameters": parameters}
