"""Spans of traces, one a hop."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol


class Span(Protocol):
    """Something that takes its time. `traceparent` is what whoever is called in it is to be given,
    None where nothing is traced. As a context manager it ends with the block."""

    @property
    def traceparent(self) -> str | None: ...

    def set(self, **attributes: Any) -> None:
        """Numbers, booleans and short texts; None leaves one out."""

    def end(self, error: str = "") -> None:
        """Once; `error` says what failed, by its code. Again does nothing."""

    def __enter__(self) -> Span: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...  # fmt: skip


class Tracer(Protocol):
    """Begins spans. Never waits and never raises: what cannot be told is lost."""

    def begin(self, hop: str, what: str, parent: str | None, **attributes: Any) -> Span:
        """A span `hop what`, in the trace of the traceparent `parent` or, without one, a new one.
        `hop` is one of `busctl.core.hops.Hop`."""
