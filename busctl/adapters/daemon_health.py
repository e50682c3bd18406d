"""What a daemon says of itself: `GET /readyz?verbose`, which needs no token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from busctl.core.errors import DaemonUnreachable

TOLD = frozenset({"pid", "breaker", "enabled", "fallback"})
"""Without these it is no daemon of ours that answers."""


async def health_of(url: str, *, timeout: float) -> Mapping[str, Any]:
    """The `health` of the daemon at `url` (http:// or https://), which asks its store for it;
    `timeout` (seconds) bounds one wait. Raises DaemonUnreachable."""
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=timeout, trust_env=False) as client:
            answer = await client.get("/readyz", params={"verbose": ""})
            # 503 is "not ready", which is told as fully.
            known = answer.status_code in (httpx2.codes.OK, httpx2.codes.SERVICE_UNAVAILABLE)
            found = answer.json() if known else None
    except (httpx2.HTTPError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise DaemonUnreachable(f"No daemon answers at {url}: {reason}.") from error
    if not (isinstance(found, dict) and found.keys() >= TOLD):
        raise DaemonUnreachable(f"It is no busctl daemon that answers at {url}.")
    return found
