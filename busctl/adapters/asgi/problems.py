"""Errors over HTTP: their status codes, and one JSON shape."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse

from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    BusDisabled,
    InvalidId,
    MessageExpired,
    MessageMissing,
    OverCapacity,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreFull,
    StoreOverBudget,
    StoreReadOnly,
    StoreUnreachable,
    Unauthorized,
)

RETRY_AFTER_SECS = "5"
_STATUS: tuple[tuple[type[BusctlError], int], ...] = (
    (InvalidId, 400),
    (Unauthorized, 401),
    (AccessDenied, 403),
    (MessageMissing, 404),
    (MessageExpired, 410),
    (OverCapacity, 503),
    (BusDisabled, 503),
    (StoreUnreachable, 503),
    (StoreReadOnly, 503),
    (StoreFull, 503),
    (StoreOverBudget, 503),
    (StoreFailed, 503),
    (SchemaMissing, 503),
    (SchemaOutdated, 503),
)


def problem(
    status: int, code: str, message: str, *, transaction_id: UUID | None = None, remedy: str = ""
) -> JSONResponse:
    """`{error: {code, message, transaction_id, remedy}}`."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "transaction_id": str(transaction_id) if transaction_id else None,
        "remedy": remedy or None,
    }
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="busctl"'
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER_SECS
    return JSONResponse({"error": error}, status, headers)


def status_of(error: BusctlError) -> int:
    """The status of a named error; 500 for what is our own fault, a corrupt message included."""
    return next((known for kind, known in _STATUS if isinstance(error, kind)), 500)


def problem_of(error: BusctlError) -> JSONResponse:
    """The response for a named error."""
    return problem(
        status_of(error), getattr(error, "error_code", error.code), error.message,
        transaction_id=error.transaction_id, remedy=error.remedy,
    )  # fmt: skip
