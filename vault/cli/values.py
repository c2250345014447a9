# SPDX-License-Identifier: Apache-2.0
"""What was typed, as values: texts as they are, what was not typed not at all, and the rest as Typer makes it.

Typer 0.29 loads pydantic to make every value, also a text of a text and nothing of nothing: 40 ms, a quarter of what a
small command takes. What is left to it are numbers and choices that somebody typed, and what is said of wrong ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Value:
    """In the place of what Typer makes a parameter's values with. ``usual`` gives that."""

    def __init__(self, usual: Callable[[], Any]) -> None:
        self._usual = usual

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value: what was typed, or what holds when nothing was. Raises what Typer raises for a wrong one."""
        kind = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind == list[str] and isinstance(value, list | tuple):
            return list(value)
        if isinstance(kind, type) and isinstance(value, kind):
            return value
        return self._usual().coerce(value, param=param, ctx=ctx)


def take_as_typed(parameters: list[Any]) -> None:
    """Have these parameters give their values in this way; twice is as once. In a Typer without the place for it, which
    loads nothing either, nothing changes."""
    for parameter in parameters:
        usual = getattr(parameter, "get_runtime_param", None)
        if usual is not None and "get_runtime_param" not in vars(parameter):
            parameter.get_runtime_param = lambda value=Value(usual): value
