"""Traces by OpenTelemetry, where the extra `otel` is installed and OTEL_* asks for them.

The variables are the standard ones (https://opentelemetry.io/docs/specs/otel/configuration/):
OTEL_EXPORTER_OTLP_ENDPOINT or _TRACES_ENDPOINT says where to, and switches it on. OpenTelemetry is
imported when it is, and never otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from busctl.core.traceparent import TraceParent, parse_traceparent
from busctl.core.untraced import UNTRACED
from busctl.ports import Tracer

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.trace import Tracer as TheirTracer

NAME = "busctl"
SERVED_BY = {"client": "client", "daemon": "server", "store": "client"}
"""OpenTelemetry's kinds of spans by hop; those of other hops are internal."""
PROTOCOL = "http/protobuf"
FLUSH_MS = 5000
"""How long the last spans may take at the end."""

log = logging.getLogger("busctl.tracing")


class Tracing:
    """The traces of this process, for the time of a `with` or `async with` block: begun by what
    OTEL_* says, told to the end. `tracer` begins spans, or does nothing where nobody asked for any.
    """

    def __init__(self, service: str, version: str) -> None:
        self.tracer: Tracer = UNTRACED
        self._provider: TracerProvider | None = None
        if is_wanted(os.environ):
            self._provider = _provider(service, version)
        if self._provider is not None:
            self.tracer = OtelTracer(self._provider.get_tracer(NAME, version))

    def __enter__(self) -> Tracing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._provider is not None:
            self._provider.force_flush(FLUSH_MS)
            self._provider.shutdown()

    async def __aenter__(self) -> Tracing:
        return self

    async def __aexit__(self, *told: object) -> None:
        await asyncio.to_thread(self.__exit__, *told)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OTEL_* names a collector and does not say that nothing is to be told."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "otlp":
        return False
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return any(environ.get(name, "").strip() for name in names)


def ambient() -> Tracer:
    """The tracer of a program that traces itself and uses busctl as a library: by OpenTelemetry's
    own interface, if it has loaded that."""
    api = sys.modules.get("opentelemetry.trace")
    return UNTRACED if api is None else OtelTracer(api.get_tracer(NAME))


class OtelTracer:
    """Implements `busctl.ports.Tracer`."""

    def __init__(self, tracer: TheirTracer) -> None:
        self._tracer = tracer

    def begin(self, hop: str, what: str, parent: str | None, **attributes: Any) -> OtelSpan:
        from opentelemetry.trace import NonRecordingSpan, SpanKind, set_span_in_context

        known = parse_traceparent(parent) if parent else None
        # Without a parent by name it is the span that the program around us is in, if any.
        context = set_span_in_context(NonRecordingSpan(_remote(known))) if known else None
        span = self._tracer.start_span(
            f"{hop} {what}", context, SpanKind[SERVED_BY.get(hop, "internal").upper()],
            _attributes({"hop": hop, **attributes}),
        )  # fmt: skip
        return OtelSpan(span)


class OtelSpan:
    """Implements `busctl.ports.Span`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._outside: Token[Context] | None = None

    @property
    def traceparent(self) -> str | None:
        context = self._span.get_span_context()
        if not context.is_valid:
            return None
        ids = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        return str(TraceParent(*ids, context.trace_flags))

    def set(self, **attributes: Any) -> None:
        self._span.set_attributes(_attributes(attributes))

    def end(self, error: str = "") -> None:
        from opentelemetry.trace import Status, StatusCode

        if not self._span.is_recording():
            return
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()

    def __enter__(self) -> OtelSpan:
        """In the block it is the current span: what a tool traces of itself belongs to it, and the
        MCP SDK passes it on to the server that it asks."""
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        self._outside = attach(set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        from opentelemetry.context import detach

        if self._outside is not None:
            detach(self._outside)
        # By its code, not by its message: a message may hold what belongs to nobody else.
        name = "" if kind is None else getattr(error, "code", kind.__name__)
        self.end(str(getattr(error, "error_code", name)) if error else "")


def _remote(parent: TraceParent) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    ids = int(parent.trace_id, 16), int(parent.parent_id, 16)
    return SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(parent.flags))


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {f"busctl.{name}": value for name, value in given.items() if value is not None}


def _provider(service: str, version: str) -> TracerProvider | None:
    """Sampler, headers, time-outs and the rest are read from OTEL_* by OpenTelemetry itself."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        log.warning(
            "OTEL_* asks for traces and they cannot be told: pip install 'busctl[otel]'",
            extra={"missing": error.name},
        )
        return None
    if (asked := _protocol(os.environ)) != PROTOCOL:
        log.warning("traces are told by %s alone, not by %s", PROTOCOL, asked)
        return None
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    provider = TracerProvider(resource=Resource.create({**named, "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # Not made the program's own: libraries that trace themselves would tell by it what they please,
    # the messages of errors for one, which may quote what a tool was asked.
    return provider


def _protocol(environ: Mapping[str, str]) -> str:
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    return next((environ[name] for name in names if environ.get(name)), PROTOCOL)
