"""One structured log on stderr: JSON lines, or key=value text where a person looks on.

Everything that logs through `logging` comes out here. An exception is shown by its type, text and
place, never as a traceback.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

QUIET = (
    "uvicorn", "uvicorn.error", "websockets", "asyncio", "httpx2", "httpcore2", "apprise",
    "urllib3", "requests", "mcp",
)  # fmt: skip
"""Libraries whose info lines say nothing that we do not say ourselves, or quote whole addresses,
in which webhooks have their secrets."""

MUTE = ("mcp.client",)
"""Libraries that quote addresses and answers of servers in their warnings, too: what goes wrong
there is an error of ours, without secrets."""


def configure(level: str, form: str, about: Callable[[], Mapping[str, str]]) -> bool:
    """Log to stderr from now on; returns whether lines are JSON.

    `form` is auto (text on a terminal), json or text; `about` gives the ids of the work at hand.
    """
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(as_json, about))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in MUTE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return as_json


def _formatter(as_json: bool, about: Callable[[], Mapping[str, str]]) -> logging.Formatter:
    def joined(_: Any, __: str, event: EventDict) -> EventDict:
        return {**about(), **{key: value for key, value in event.items() if value is not None}}

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _plain_exception,
        joined,
    ]
    last: Processor
    if as_json:
        last = structlog.processors.JSONRenderer(default=str, ensure_ascii=True)
    else:
        shared.append(_printable)
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _printable(_: Any, __: str, event: EventDict) -> EventDict:
    """Control characters written out: a client's own words must neither begin a line that looks
    like ours nor steer the terminal."""
    return {
        key: value.encode("unicode_escape").decode("ascii")
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in event.items()
    }


def _plain_exception(_: Any, __: str, event: EventDict) -> EventDict:
    """The exception's type and text, and where it was raised."""
    # The formatter hands the exception on in the record, and puts it in the event too.
    record = event.get("_record")
    found = event.pop("exc_info", None) or (record.exc_info if record is not None else None)
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if not isinstance(found, tuple) or found[1] is None:
        return event
    kind, error, trace = found
    event["exception"] = f"{kind.__name__}: {error}"
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        code = trace.tb_frame.f_code
        event["raised_at"] = f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
    return event
