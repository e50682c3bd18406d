"""The page of one message: envelope, trace, events, and its bytes a piece at a time."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from busctl.adapters.asgi.pages.rendering import html
from busctl.core.envelope import Labels, MessageType
from busctl.core.errors import InvalidId
from busctl.core.ids import parse_id
from busctl.core.principal import Principal
from busctl.core.reading.preview import HEX_BYTES, PIECE_BYTES, Form, form_of, shown
from busctl.ports import Desk


async def page(request: Request, principal: Principal, desk: Desk) -> Response:
    transaction_id = parse_id(request.path_params["id"])
    found = await desk.envelope(transaction_id, principal.reads_as)
    return html(
        "message.html", here="messages", principal=principal, message=found, forms=list(Form),
        form=form_of(found.labels.content_type), observes=_observes(found.labels),
    )  # fmt: skip


async def trace(request: Request, principal: Principal, desk: Desk) -> Response:
    """The server hashes the whole payload for it: it comes after the page."""
    transaction_id = parse_id(request.path_params["id"])
    found = await desk.trace(transaction_id, principal.reads_as)
    events = await desk.events(transaction_id, principal.reads_as)
    return html("trace_part.html", trace=found, events=events)


async def observations(request: Request, principal: Principal, desk: Desk) -> Response:
    transaction_id = parse_id(request.path_params["id"])
    found = await desk.observed(transaction_id, principal.reads_as)
    return html("observations_part.html", observed=found)


async def preview(request: Request, principal: Principal, desk: Desk) -> Response:
    transaction_id = parse_id(request.path_params["id"])
    found = await desk.envelope(transaction_id, principal.reads_as)
    size = found.payload_size_bytes
    asked = request.query_params.get("as", "")
    form = Form(asked) if asked in set(Form) else form_of(found.labels.content_type)
    length = HEX_BYTES if form is Form.HEX else PIECE_BYTES
    offset = _offset(request, size)
    piece = await desk.piece(transaction_id, offset, length, principal.reads_as)
    return html(
        "preview_part.html", message=found, form=form, forms=list(Form), offset=offset,
        stop=offset + len(piece), length=length, size=size,
        text=shown(piece, form, offset=offset),
    )  # fmt: skip


async def verify(request: Request, principal: Principal, desk: Desk) -> Response:
    transaction_id = parse_id(request.path_params["id"])
    findings = await desk.verify(transaction_id, principal.reads_as)
    return html("verify_part.html", findings=findings)


def _observes(labels: Labels) -> UUID | None:
    """Of what message a watcher's observation is; None for what is none, and for a wrong one."""
    told = labels.metadata.get("observed")
    if labels.message_type is not MessageType.WATCHER_OBSERVATION or not isinstance(told, str):
        return None
    try:
        return parse_id(told)
    except InvalidId:
        return None  # anybody may put messages of that type


def _offset(request: Request, size: int) -> int:
    asked = request.query_params.get("offset", "0")
    wanted = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0
    return min(wanted, max(0, size - 1))
