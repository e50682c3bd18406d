"""The dialect without a socket, and the way an answer takes."""

from __future__ import annotations

import base64
import contextlib
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core import protocol
from busctl.core.content_type import is_text
from busctl.core.errors import CallFailed, OverCapacity, PayloadTooLarge
from busctl.core.protocol import (
    CallTool,
    Fetch,
    Frame,
    Health,
    Hello,
    InvalidFrame,
    ListTools,
    Receipt,
    Received,
    RotateToken,
    State,
    Step,
    encode,
    error_shape,
    parse,
    step_for,
)
from busctl.core.route import Reader, Route, outputs, route, route_encoded

ID = "01a204ee-8d54-75dc-9784-fcb95fe5d3bb"
RECEIPT = {"transaction_id": ID, "size": 3, "checksum": "AB" * 32, "ok": True}


def frame(op: str, **fields: object) -> str:
    return json.dumps({"op": op, **fields})


def test_hello_has_defaults_and_passes_over_what_it_does_not_know() -> None:
    assert parse(frame("hello")) == Hello("", None, False, 32 * 1024 * 1024, as_blocks=True)
    said = parse(
        frame(
            "hello", token="t", session_id="s", accepts=["smoke", "claim"],
            max_message_bytes=5, colour="red",
        )
    )  # fmt: skip
    assert said == Hello("t", "s", True, 5)


def test_each_op_is_read() -> None:
    call = parse(frame("call_tool", name="n", request_id="r", arguments={"a": [1]}))
    assert isinstance(call, CallTool)
    assert (call.name, call.request_id, call.arguments) == ("n", "r", {"a": [1]})
    assert parse(frame("fetch", request_id="f", transaction_id=ID)) == Fetch("f", UUID(ID), 0, None)
    assert parse(
        frame("fetch", request_id="f", transaction_id=f"bus://{ID}", offset=3, length=0)
    ) == Fetch("f", UUID(ID), 3, 0)
    assert parse(frame("list_tools")) == ListTools()
    assert parse(frame("health")) == Health()
    assert parse(frame("received", receipts=[RECEIPT, {**RECEIPT, "offset": 9}])) == Received(
        (Receipt(UUID(ID), 3, "ab" * 32, True, None), Receipt(UUID(ID), 3, "ab" * 32, True, 9))
    )
    assert parse(frame("rotate_token", old="a", new="b")) == RotateToken("a", "b")


def test_the_digest_tells_calls_apart_whatever_the_order_of_keys() -> None:
    def digest(**fields: object) -> str:
        call = parse(frame("call_tool", **fields))
        assert isinstance(call, CallTool)
        return call.digest

    same = digest(name="n", arguments={"a": 1, "b": 2})
    assert same == digest(name="n", arguments={"b": 2, "a": 1}, request_id="r")
    others = [
        digest(name="m", arguments={"a": 1, "b": 2}),
        digest(name="n", arguments={"a": 1, "b": "2"}),
        digest(name="n"),
    ]
    assert len({same, *others}) == 4


WRONG = [
    frame("hello", token=1),
    frame("hello", accepts=[1]),
    frame("hello", max_message_bytes=0),
    frame("hello", max_message_bytes=1.5),
    frame("hello", session_id="x" * 257),
    frame("call_tool"),
    frame("call_tool", name=""),
    frame("call_tool", name="\ud800"),
    frame("call_tool", name="n", arguments="a"),
    frame("fetch", request_id="r", transaction_id=str(UUID(int=0))),
    frame("fetch", request_id="r", transaction_id=ID, offset=1 << 63),
    frame("fetch", transaction_id=ID),
    frame("rotate_token", old="x"),
    frame("received"),
    frame("received", receipts=[]),
    frame("received", receipts=[1]),
    frame("received", receipts=[RECEIPT] * 501),
    frame("received", receipts=[{**RECEIPT, "transaction_id": "nonsense"}]),
    frame("received", receipts=[{**RECEIPT, "size": -1}]),
    frame("received", receipts=[{**RECEIPT, "checksum": "a" * 63}]),
    frame("received", receipts=[{**RECEIPT, "ok": 1}]),
    frame("received", receipts=[{**RECEIPT, "offset": "3"}]),
    "\ufeff{}",
    '{"op": Infinity}',
    '{"op": "health"} trailing',
    "[" * 100_000,
]


@pytest.mark.parametrize("message", WRONG, ids=range(len(WRONG)))
def test_wrong_frames_are_refused_with_a_reason(message: str) -> None:
    with pytest.raises(InvalidFrame) as refused:
        parse(message)
    assert refused.value.message
    json.loads(encode("error", message=refused.value.message))


def test_a_refusal_keeps_the_request_id_if_it_can_be_read() -> None:
    for given_id, kept in (("r", "r"), (7, None), ("x" * 257, None)):
        with pytest.raises(InvalidFrame) as refused:
            parse(frame("fetch", request_id=given_id, transaction_id="nonsense"))
        assert refused.value.request_id == kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def read_or_refused(message: str | bytes) -> None:
    """Nothing but InvalidFrame may come out of what a client sends."""
    with contextlib.suppress(InvalidFrame):
        parse(message)


@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps)))
def test_anything_is_a_frame_or_refused(message: str | bytes) -> None:
    read_or_refused(message)


@given(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["hello", "call_tool", "fetch", "rotate_token"])},
        optional={
            name: JSON | st.just(ID)
            for name in (
                "token", "session_id", "accepts", "max_message_bytes", "request_id", "name",
                "arguments", "transaction_id", "offset", "length", "old", "new",
            )
        },
    )
)  # fmt: skip
def test_any_fields_are_read_or_refused(fields: dict[str, object]) -> None:
    read_or_refused(json.dumps(fields))


def test_every_state_knows_every_frame() -> None:
    frames: list[Frame | None] = [
        Hello("", None, False, 1), ListTools(), CallTool(None, "n", {}, ""),
        Fetch("r", UUID(ID), 0, None), Health(), RotateToken("", ""), None,
    ]  # fmt: skip
    assert [step_for(State.NEW, one) for one in frames] == [Step.GREET] + [Step.REJECT] * 6
    assert [step_for(State.OPEN, one) for one in frames] == (
        [Step.REFUSE] + [Step.SERVE] * 5 + [Step.REFUSE]
    )


@given(st.text(st.characters(codec=None)))
def test_encoded_frames_are_valid_utf8_whatever_the_text(text: str) -> None:
    encoded = encode("progress", note=text).encode("utf-8")
    note = json.loads(encoded)["note"]
    whole = not any("\ud800" <= letter <= "\udfff" for letter in text)
    assert (note == text) or not whole


def test_errors_carry_what_is_known() -> None:
    assert error_shape(OverCapacity("Full.", retry_after=2.0)) == {
        "code": "OVER_CAPACITY",
        "message": "Full. Try again later, or raise the limit named in the message.",
        "retry_after": 2.0,
    }
    told = CallFailed("No.", code="TIMEOUT", transaction_id=UUID(ID))
    assert error_shape(told) == {"code": "TIMEOUT", "message": "No.", "transaction_id": ID}


def test_a_part_names_its_message_and_offset() -> None:
    made = protocol.part(UUID(ID), 0x0102, b"raw")
    assert made == UUID(ID).bytes + b"\0\0\0\0\0\0\1\2" + b"raw"
    assert len(made) == protocol.PART_HEADER_BYTES + 3


WAYS = [
    (100, True, 1000, Route.INLINE),
    (101, True, 1000, Route.CLAIM),
    (90, True, 80, Route.CLAIM),
    (1000, False, 1000, Route.INLINE),
]


@pytest.mark.parametrize(("size", "claims", "most", "way"), WAYS)
def test_the_way_of_a_payload(size: int, claims: bool, most: int, way: Route) -> None:
    assert route(size, Reader(claims, most), inline_max_bytes=100) is way


def test_what_does_not_fit_a_client_without_claims_is_too_large() -> None:
    with pytest.raises(PayloadTooLarge):
        route(1001, Reader(False, 1000), inline_max_bytes=100)
    with pytest.raises(PayloadTooLarge):
        route_encoded(1001, Reader(False, 1000))
    assert route_encoded(1000, Reader(False, 1000)) is Route.INLINE
    assert route_encoded(1001, Reader(True, 1000)) is Route.CLAIM


@given(st.binary(), st.sampled_from(["text/plain", "application/json", "image/png"]))
def test_outputs_give_the_same_bytes_back(payload: bytes, content_type: str) -> None:
    (output,) = json.loads(encode("call_tool_res", outputs=outputs(payload, content_type)))[
        "outputs"
    ]
    if output["type"] == "text":
        assert is_text(content_type)
        assert output["text"].encode("utf-8") == payload
    else:
        assert base64.b64decode(output["data"], validate=True) == payload


def test_types_that_promise_text() -> None:
    for kind in ("text/plain; charset=utf-8", "TEXT/HTML", "application/json", "a/b+json"):
        assert is_text(kind)
    for kind in ("application/octet-stream", "image/png", "application/jsonp", ""):
        assert not is_text(kind)
