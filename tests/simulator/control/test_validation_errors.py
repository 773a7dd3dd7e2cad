"""Sentences about wrong bodies."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from realtime.simulator.control.validation_errors import format_validation_error, suggest_nearest


class Ride(Struct):
    """Something with one member of each sort."""

    on: Literal["horse", "bike"] | None = None
    for_: Annotated[str, Meta(pattern="^[0-9]+ km$", description='a way, such as "5 km"')] = "1 km"
    speed: float = 1.0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"on": "hose"}, "Invalid enum value 'hose' - at `$.on`: did you mean 'horse'?"),
        ({"on": "zzzzz"}, "Invalid enum value 'zzzzz' - at `$.on`: one of horse, bike"),
        ({"for_": "far"}, 'Expected a way, such as "5 km" - at `$.for_`'),
        ({"speed": "fast"}, "Expected `float`, got `str` - at `$.speed`"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_error_names_valid_values(body: object, says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.convert(body, Ride)
    assert format_validation_error(wrong.value, Ride) == says


def test_nearest_names_one_or_all() -> None:
    assert suggest_nearest("bik", ["horse", "bike"]) == ": did you mean 'bike'?"
    assert suggest_nearest("zeppelin", ["horse", "bike"]) == ": one of horse, bike"
