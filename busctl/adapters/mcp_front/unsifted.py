"""Results of `tools/call` with all that they say.

The SDK's server validates a result and tells what its models know of it: fields of extensions, and
of revisions to come, are lost. Here they come back once the result was found valid.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

Shape = Mapping[str, Any]
_told: ContextVar[list[Shape] | None] = ContextVar("busctl_told", default=None)


def tell(result: Shape) -> None:
    """The whole result of the request that is handled just now."""
    told = _told.get()
    if told is not None:
        told.append(result)


async def unsifted(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """A middleware of the SDK's server: what one answers past `call_next` goes out as it is."""
    if ctx.method != "tools/call":
        return await call_next(ctx)
    told: list[Shape] = []
    token = _told.set(told)
    try:
        sifted = await call_next(ctx)
    finally:
        _told.reset(token)
    return whole(sifted, told[-1]) if told and isinstance(sifted, dict) else sifted


def whole(sifted: Shape, told: Shape) -> dict[str, Any]:
    """What was sifted, with the fields of `told` that are missing there, in their own order: of the
    result, of its blocks, and of the resources in those. Nulls stay out: clients refuse some."""
    made: dict[str, Any] = {}
    for name, value in told.items():
        if name in sifted:
            made[name] = _merged(sifted[name], value) if name in _NESTED else sifted[name]
        elif value is not None:
            made[name] = value
    return {**made, **{name: value for name, value in sifted.items() if name not in made}}


_NESTED = ("content", "resource")


def _merged(sifted: Any, told: Any) -> Any:
    if isinstance(sifted, dict) and isinstance(told, dict):
        return whole(sifted, told)
    if isinstance(sifted, list) and isinstance(told, list) and len(sifted) == len(told):
        return [_merged(one, another) for one, another in zip(sifted, told, strict=True)]
    return sifted
