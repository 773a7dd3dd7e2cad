"""Kinds of values that flags of several commands take."""

import math
from typing import Any

import click


class Amount(click.FloatRange):
    """A number between bounds; unlike `FloatRange`, `nan` is not one."""

    # Any: click's own word for what it is given.
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        amount = float(super().convert(value, param, ctx))
        if math.isnan(amount):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return amount
