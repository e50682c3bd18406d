"""Single values in PostgreSQL's binary format, to and from Python.

Source: the send and receive functions of each type in PostgreSQL's source; a timestamptz is
microseconds since 2000-01-01 UTC, a jsonb its text behind the version 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any

INT4 = Struct("!i")
INT8 = Struct("!q")
FLOAT = Struct("!f")
DOUBLE = Struct("!d")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSONB_VERSION = b"\x01"


def text(value: str | None) -> bytes | None:
    """Raises UnicodeEncodeError for a lone surrogate."""
    return None if value is None else value.encode()


def jsonb(value: Mapping[str, Any]) -> bytes:
    return _JSONB_VERSION + json.dumps(dict(value)).encode()


def moment(value: datetime) -> bytes:
    return INT8.pack((value - _EPOCH) // _MICROSECOND)


def datetime_of(value: bytes) -> datetime:
    """From a finite timestamptz."""
    (microseconds,) = INT8.unpack(value)
    return _EPOCH + timedelta(microseconds=microseconds)
