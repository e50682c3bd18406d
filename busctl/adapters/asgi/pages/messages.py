"""The page *Messages*: filter, search, follow."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from busctl.adapters.asgi.pages.rendering import HEADERS, html, text_of
from busctl.core.envelope import MessageType, Status
from busctl.core.ids import parse_id
from busctl.core.principal import Principal
from busctl.ports import Desk, Filter

PAGE = 50
TEXTS = {"tool": "tool_name", "session": "session_id", "request": "request_id"}
FIELDS = (*TEXTS, "type", "status", "after", "follow")


async def page(request: Request, principal: Principal, desk: Desk) -> Response:
    wanted_id = request.query_params.get("id", "").strip()
    if wanted_id:
        return RedirectResponse(f"/ui/messages/{parse_id(wanted_id)}", 303, HEADERS)
    return html(
        "messages.html", here="messages", principal=principal, types=list(MessageType),
        statuses=list(Status), **await values(request, principal, desk),
    )  # fmt: skip


async def part(request: Request, principal: Principal, desk: Desk) -> str:
    """The table, as the page has it."""
    return text_of("messages_part.html", **await values(request, principal, desk))


async def values(request: Request, principal: Principal, desk: Desk) -> dict[str, Any]:
    given = {name: request.query_params.get(name, "").strip() for name in FIELDS}
    # No text in the database has a NUL: what has one matches nothing, and shows so.
    asked = {name: text.replace("\0", "\N{SYMBOL FOR NULL}") for name, text in given.items()}
    found = await desk.listing(wanted(asked, principal))
    more = len(found) > PAGE
    shown = found[:PAGE]
    kept = {name: text for name, text in asked.items() if text}
    following = urlencode({**kept, "after": str(shown[-1].transaction_id)}) if more else ""
    return {
        "asked": asked, "messages": shown, "next": following, "query": urlencode(kept),
        "follows": bool(asked["follow"]) and not asked["after"],
    }  # fmt: skip


def wanted(asked: dict[str, str], principal: Principal) -> Filter:
    """Raises InvalidId for a place to go on from that is none. Unknown choices are none."""
    kinds, states = set(MessageType), set(Status)
    return Filter(
        **{field: asked[name] or None for name, field in TEXTS.items()},  # type: ignore[arg-type]  # texts all
        message_type=MessageType(asked["type"]) if asked["type"] in kinds else None,
        status=Status(asked["status"]) if asked["status"] in states else None,
        owner=principal.reads_as,
        after=parse_id(asked["after"]) if asked["after"] else None,
        limit=PAGE + 1,
    )
