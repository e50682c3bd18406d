"""Templates to responses. Everything is escaped, and no response lets a script in but our own."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import HTMLResponse, Response

from busctl.core.text import counted, printable, show_size

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: the Origin of a form would become null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FOREVER = "public, max-age=31536000, immutable"
_HERE = Path(__file__).parent
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def html(template: str, status: int = 200, **values: Any) -> Response:
    """A page, or a part of one."""
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return HTMLResponse(text_of(template, **values), status, headers)


def text_of(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)


@cache
def statics() -> Mapping[str, tuple[bytes, str]]:
    """Every static file by its name: its bytes and its type."""
    return {
        path.name: (path.read_bytes(), _TYPES[path.suffix])
        for path in sorted((_HERE / "static").iterdir())
        if path.suffix in _TYPES
    }


def static(name: str) -> Response:
    body, kind = statics()[name]
    headers = {**HEADERS, "Cache-Control": FOREVER, "Content-Type": f"{kind}; charset=utf-8"}
    return Response(body, headers=headers)


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {
        "size": _size, "moment": _moment, "ago": _ago, "ms": _ms, "clean": printable,
        "count": _count, "clock": _clock, "json": _json, "rate": _rate, "weight": _weight,
        "instant": _instant, "share": _share, "duration": _duration,
    }  # fmt: skip
    found.globals |= {"static": _address, "counted": counted}
    return found


@cache
def _address(name: str) -> str:
    """The address changes with the file: browsers may keep it for ever."""
    return f"/ui/static/{name}?v={hashlib.sha256(statics()[name][0]).hexdigest()[:12]}"


def _count(number: int) -> str:
    return f"{number:,}"


def _size(size: int | None) -> str:
    return "–" if size is None else show_size(int(size))


def _moment(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _instant(moment: datetime) -> str:
    """Hops follow one another within milliseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"


def _clock(moment: datetime) -> str:
    """The time alone for a moment of today, else the date with it."""
    at = moment.astimezone(UTC)
    return f"{at:%H:%M:%S}" if at.date() == datetime.now(UTC).date() else f"{at:%m-%d %H:%M}"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _ago(moment: datetime) -> str:
    passed = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= seconds:
            return f"{passed // seconds} {unit} ago"
    return f"{passed} s ago"


def _duration(seconds: float) -> str:
    seconds = max(0.0, seconds)  # the server's clock may be behind the ids
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _rate(value: float) -> str:
    """Times a second; below one in a hundred by the minute, so that a trickle is not nothing."""
    if value >= 0.01 or not value:
        return f"{value:,.{0 if value >= 100 or not value else 1 if value >= 10 else 2}f}/s"
    return f"{value * 60:.2f}/min"


def _weight(value: float) -> int:
    """How thick a line is drawn for so many a second: 0 for none, up to 5 for a thousand."""
    return 0 if not value else min(5, max(1, 2 + round(math.log10(value))))


def _share(value: float) -> str:
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"
