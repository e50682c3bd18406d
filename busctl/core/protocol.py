"""The WebSocket dialect without a socket: text in, validated frames out, and the session's states.

Every frame is one JSON object whose `op` names it. Bytes of payloads cross in binary frames, from
the daemon to the client only: 16 bytes of transaction id, 8 bytes of offset (big-endian), then raw
bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from hashlib import sha256
from typing import Any, NoReturn
from uuid import UUID

from busctl.core.envelope import CHUNK_BYTES
from busctl.core.errors import BusctlError, InvalidId, ProtocolError
from busctl.core.ids import parse_id
from busctl.core.jsontext import parse_json
from busctl.core.traceparent import traceparent_in

PROTOCOL = "busctl.1"
DEFAULT_MAX_MESSAGE_BYTES = 32 * 1024 * 1024
PART_BYTES = CHUNK_BYTES
"""Most raw bytes in one binary frame: 1 MiB."""
PART_HEADER_BYTES = 24
MAX_LABEL_CHARS = 256
"""Most characters of a request id, a session id and a tool's name."""
CLAIM = "claim"
TYPED = "typed"
"""What a client says that it accepts: any answer as one output, by its `content_type`."""
RECEIVED = "received"
"""What a daemon says in `hello_ack` that it accepts: reports of what has come."""
MAX_RECEIPTS = 500
"""Most reports in one `received`."""


_DIGEST = re.compile(r"[0-9a-f]{64}")


class Close(IntEnum):
    """Codes with which the daemon closes a session (4000 and up are ours, RFC 6455 §7.4.2)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    RESTARTING = 1012
    TRY_AGAIN_LATER = 1013
    INVALID_HELLO = 4000
    TOKEN_MISSING = 4001
    HELLO_TIMEOUT = 4002
    UNAUTHORIZED = 4003


@dataclass(frozen=True, slots=True)
class Hello:
    """`token` is "" when none was given. `as_blocks`: it goes by no content types."""

    token: str
    session_id: str | None
    accepts_claims: bool
    max_message_bytes: int
    as_blocks: bool = False


@dataclass(frozen=True, slots=True)
class ListTools:
    pass


@dataclass(frozen=True, slots=True)
class CallTool:
    """`digest` is equal (SHA-256, hex) for calls of one tool with equal arguments. `traceparent` is
    a valid one, or None."""

    request_id: str | None
    name: str
    arguments: Mapping[str, Any]
    digest: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bytes [offset, offset + length) of a payload; length None is up to its end."""

    request_id: str
    transaction_id: UUID
    offset: int
    length: int | None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    pass


@dataclass(frozen=True, slots=True)
class RotateToken:
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a client found a payload to be: bytes, SHA-256 (hex), and whether it took them for
    whole and right. `offset` is None for a whole payload, else where the part begins."""

    transaction_id: UUID
    size: int
    checksum: str
    ok: bool
    offset: int | None


@dataclass(frozen=True, slots=True)
class Received:
    receipts: tuple[Receipt, ...]


Frame = Hello | ListTools | CallTool | Fetch | Health | RotateToken | Received


class InvalidFrame(ProtocolError):
    """A frame that the dialect does not allow; `request_id` when it could be read."""

    def __init__(
        self,
        message: str,
        *,
        request_id: str | None = None,
        op: str | None = None,
        transaction_id: UUID | None = None,
        code: str = "PROTOCOL",
    ) -> None:
        super().__init__(message, transaction_id=transaction_id)
        self.request_id = request_id
        self.op = op
        self.error_code = code


# --- states ------------------------------------------------------------------------------------


class State(Enum):
    NEW = "new"
    OPEN = "open"
    CLOSED = "closed"


class Step(Enum):
    """What a frame means in a state."""

    GREET = "greet"
    SERVE = "serve"
    REFUSE = "refuse"
    """Answer with `error`; the session lives on."""
    REJECT = "reject"
    """Close with 4000."""


_OPEN_FRAMES = (ListTools, CallTool, Fetch, Health, RotateToken, Received)
_STEPS: dict[tuple[State, type[Frame] | None], Step] = {
    (State.NEW, Hello): Step.GREET,
    (State.NEW, None): Step.REJECT,
    **{(State.NEW, kind): Step.REJECT for kind in _OPEN_FRAMES},
    (State.OPEN, Hello): Step.REFUSE,
    (State.OPEN, None): Step.REFUSE,
    **{(State.OPEN, kind): Step.SERVE for kind in _OPEN_FRAMES},
}


def step_for(state: State, frame: Frame | None) -> Step:
    """What to do with a frame; None stands for one that could not be read."""
    return _STEPS[state, None if frame is None else type(frame)]


# --- frames from a client ----------------------------------------------------------------------


def parse(message: str | bytes) -> Frame:
    """One frame of a client. Raises InvalidFrame, which says what is wrong with it."""
    if isinstance(message, bytes):
        raise InvalidFrame("Binary frames go from the daemon to the client only.")
    fields = _Fields(_object(message))
    read = _READERS.get(fields.op or "")
    if read is None:
        known = ", ".join(_READERS)
        fields.fail(f"Unknown op {_shown(fields.raw.get('op'))}; known are {known}.")
    return read(fields)


def _object(message: str) -> dict[str, Any]:
    try:
        found = parse_json(message)
    except ValueError as error:
        raise InvalidFrame(f"The frame is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise InvalidFrame("The frame is not a JSON object.")
    return found


def _shown(value: object) -> str:
    return ascii(value)[:80]


class _Fields:
    """The fields of one frame, each read with its type or refused."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        op = raw.get("op")
        self.op = op if isinstance(op, str) else None

    def fail(self, message: str, *, code: str = "PROTOCOL") -> NoReturn:
        request_id = self.raw.get("request_id")
        readable = isinstance(request_id, str) and len(request_id) <= MAX_LABEL_CHARS
        raise InvalidFrame(
            message, request_id=request_id if readable else None, op=self.op, code=code
        )

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        return value if value is not None else self.fail(f"{name} is missing.")

    def optional_text(self, name: str) -> str | None:
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fail(f"{name} is not a string.")
        return value

    def label(self, name: str) -> str | None:
        """Text that the store can keep: neither empty nor long, no NUL, no lone surrogate."""
        value = self.optional_text(name)
        if value is None:
            return None
        if not 0 < len(value) <= MAX_LABEL_CHARS:
            self.fail(f"{name} must have 1 to {MAX_LABEL_CHARS} characters.")
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(f"{name} holds a NUL or a lone surrogate.")
        return value

    def size(self, name: str, least: int = 0) -> int | None:
        value = self.raw.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 63:
            self.fail(f"{name} must be a whole number from {least}.")
        return value


def _hello(fields: _Fields) -> Hello:
    accepts = fields.raw.get("accepts")
    if accepts is None:
        accepts = []
    if not isinstance(accepts, list) or not all(isinstance(one, str) for one in accepts):
        fields.fail("accepts is not a list of strings.")
    return Hello(
        token=fields.optional_text("token") or "",
        session_id=fields.label("session_id"),
        accepts_claims=CLAIM in accepts,
        max_message_bytes=fields.size("max_message_bytes", 1) or DEFAULT_MAX_MESSAGE_BYTES,
        as_blocks=CLAIM not in accepts and TYPED not in accepts,
    )


def _call_tool(fields: _Fields) -> CallTool:
    arguments = fields.raw.get("arguments")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        fields.fail("arguments is not an object.")
    name = fields.label("name")
    if name is None:
        fields.fail("name is missing.")
    try:
        digest = call_digest(name, arguments)
    except RecursionError:
        fields.fail("arguments are nested too deeply.")
    traced = traceparent_in(fields.raw)
    return CallTool(fields.label("request_id"), name, arguments, digest, traced)


def call_digest(name: str, arguments: Mapping[str, Any]) -> str:
    """`CallTool.digest`. Raises RecursionError for arguments that are nested too deeply."""
    canonical = json.dumps([name, arguments], sort_keys=True)
    return sha256(canonical.encode("ascii")).hexdigest()


def _fetch(fields: _Fields) -> Fetch:
    request_id = fields.label("request_id")
    if request_id is None:
        fields.fail("request_id is missing.")
    try:
        transaction_id = parse_id(fields.text("transaction_id"))
    except InvalidId as error:
        fields.fail(error.message, code=InvalidId.code)
    return Fetch(
        request_id, transaction_id, fields.size("offset") or 0, fields.size("length"),
        traceparent_in(fields.raw),
    )  # fmt: skip


def _received(fields: _Fields) -> Received:
    receipts = fields.raw.get("receipts")
    if not isinstance(receipts, list) or not 0 < len(receipts) <= MAX_RECEIPTS:
        fields.fail(f"receipts is not a list of 1 to {MAX_RECEIPTS}.")
    return Received(tuple(_receipt(fields, each) for each in receipts))


def _receipt(fields: _Fields, shape: object) -> Receipt:
    if not isinstance(shape, dict):
        fields.fail("a receipt is not an object.")
    each = _Fields({**shape, "op": fields.op})
    try:
        transaction_id = parse_id(each.text("transaction_id"))
    except InvalidId as error:
        fields.fail(error.message, code=InvalidId.code)
    checksum, size, ok = each.text("checksum").lower(), each.size("size"), shape.get("ok")
    if not _DIGEST.fullmatch(checksum) or size is None or not isinstance(ok, bool):
        fields.fail("a receipt has size, checksum (SHA-256 in hex) and ok (true or false).")
    return Receipt(transaction_id, size, checksum, ok, each.size("offset"))


_READERS: dict[str, Callable[[_Fields], Frame]] = {
    "hello": _hello,
    "list_tools": lambda _: ListTools(),
    "call_tool": _call_tool,
    "fetch": _fetch,
    "health": lambda _: Health(),
    "received": _received,
    "rotate_token": lambda fields: RotateToken(fields.text("old"), fields.text("new")),
}


# --- frames to a client ------------------------------------------------------------------------


def encode(op: str, /, **fields: Any) -> str:
    """One text frame. What is no valid UTF-8 (lone surrogates of a note) becomes U+FFFD.

    Raises ValueError for values that JSON does not have.
    """
    text = json.dumps({"op": op, **fields}, ensure_ascii=False, allow_nan=False)
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def error_shape(error: BusctlError) -> dict[str, Any]:
    """`{code, message, retry_after?, transaction_id?}`; the remedy is part of the message."""
    shape: dict[str, Any] = {
        "code": getattr(error, "error_code", error.code),
        "message": str(error),
    }
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        shape["retry_after"] = retry_after
    if error.transaction_id is not None:
        shape["transaction_id"] = str(error.transaction_id)
    return shape


def part(transaction_id: UUID, offset: int, raw: bytes) -> bytes:
    """One binary frame of a fetch."""
    return transaction_id.bytes + offset.to_bytes(8, "big") + raw
