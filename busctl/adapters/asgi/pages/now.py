"""The page *Now*: what flows, what is slow, what failed, what waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from busctl.adapters.asgi.pages.rendering import html, text_of
from busctl.core.operating.flow import Flow, Now, Window
from busctl.core.operating.standing import Standing
from busctl.core.operating.standing import standing as standing_of
from busctl.core.principal import Principal
from busctl.ports import Desk

SIZES = ("up to 1 KB", "up to 10 KB", "up to 100 KB", "up to 1 MB", "up to 10 MB", "over 10 MB")


async def page(request: Request, principal: Principal, desk: Desk) -> Response:
    return html(
        "now.html", here="now", principal=principal, windows=list(Window),
        **await values(request, principal, desk),
    )  # fmt: skip


async def part(request: Request, principal: Principal, desk: Desk) -> str:
    """What changes, as the page has it."""
    return text_of("now_part.html", **await values(request, principal, desk))


async def values(request: Request, principal: Principal, desk: Desk) -> dict[str, Any]:
    window = window_of(request)
    found = await desk.now(window, principal.reads_as)
    total, at = found.flow.total, found.at or datetime.now(UTC)
    standing = standing_of(found.daemons, found.here, at)
    return {
        "window": window, "now": found, "flow": found.flow, "total": total, "load": desk.load(),
        "rates": dict.fromkeys([*total, "p95_ms"], 0.0) | dict(found.rates), "standing": standing,
        "store": found.here.get("store", "ok"),
        "told": told(found, standing),
        "plots": json.dumps(plots(found.flow)),
        "sizes": list(zip(SIZES, found.flow.sizes, strict=False)),
        "most": max(found.flow.sizes, default=0),
    }  # fmt: skip


def window_of(request: Request) -> Window:
    asked = request.query_params.get("window", "")
    return Window(asked) if asked in set(Window) else Window.QUARTER


def told(now: Now, standing: Standing) -> str:
    """The state in a sentence, for whoever listens rather than looks."""
    fault = now.store_fault.rstrip(".")
    store = f"Store away: {fault}" if fault else f"Store {now.here.get('store', 'ok')}"
    breakers = (
        f"Breaker of writes {standing.breaker}, of reads {standing.breaker_reads}"
        if standing.daemons
        else "No daemon runs"
    )
    return f"{store}. {breakers}. Alerts raised: {len(now.alerts)}."


def plots(flow: Flow) -> dict[str, list[Any]]:
    """Columns for uPlot; x in epoch seconds, times in ms, sizes in bytes, rates a minute."""
    minutes = flow.window.step.total_seconds() / 60
    steps = flow.steps
    return {
        "x": [one.at.timestamp() for one in steps],
        "messages": [one.messages / minutes for one in steps],
        "errors": [one.errors / minutes for one in steps],
        "deliveries": [one.deliveries / minutes for one in steps],
        "mean_ms": [one.mean_ms for one in steps],
        "p95_ms": [one.p95_ms for one in steps],
        "mean_bytes": [one.payload_bytes / one.messages if one.messages else None for one in steps],
        "largest_bytes": [one.largest_bytes for one in steps],
    }
