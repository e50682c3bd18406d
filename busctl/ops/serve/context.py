"""What the work at hand is about, so that every log line of it can be joined with the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_known: ContextVar[Mapping[str, str]] = ContextVar("busctl_about", default={})  # noqa: B039  # never changed in place


def about() -> Mapping[str, str]:
    """The ids known here: session, request_id, transaction_id, tool."""
    return _known.get()


@contextmanager
def concerning(**names: str) -> Iterator[None]:
    """Add ids for the time of the block; tasks started inside inherit them."""
    token = _known.set({**_known.get(), **names})
    try:
        yield
    finally:
        _known.reset(token)
