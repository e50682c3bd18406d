"""Responses cut out of their lines, the result as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.mcp.jsonrpc import UNREAD_BYTES, Response, asked_id, id_in, refused_id, response_in

RESULT = '{"content": [{"type":"text","text":"}\\" \\u00e9 \\ud83d"}], "n": 1.0, "e": 1e400}'
FORMS = [
    '{{"jsonrpc":"2.0","id":{id},"result":{result}}}',
    ' {{ "jsonrpc" : "2.0" , "id" : {id} , "result" : {result} }} \r',
    '{{"result":{result},"jsonrpc":"2.0","id":{id}}}',
    '{{"result": {result}, "id": {id}, "jsonrpc": "2.0"}}',
]


def read(text: str) -> Response | None:
    return response_in(bytearray(text.encode()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("id", [7, -1, "seven", 'a"\\b'])
def test_the_result_is_there_as_it_came(form: str, id: int | str) -> None:
    response = read(form.format(id=json.dumps(id), result=RESULT))
    assert response is not None
    assert response.id == id
    assert response.result.received is not None
    assert response.result.received.strip() == RESULT.encode()
    assert response.result == json.loads(RESULT)


OTHERS = [
    '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}',
    '{"jsonrpc":"2.0","method":"notifications/message","params":{"result":{}}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":1,"result":{},"more":1}',
    '{"jsonrpc":"2.0","id":1,"result":{}',
    '{"jsonrpc":"2.0","id":1,"result":[]}',
    '{"jsonrpc":"2.0","id":1,"result":{"a":}}',
    '{"result":{},"jsonrpc":"2.0"}',
    '{"result":{},"x":{"a":1},"jsonrpc":"2.0","id":1}',
    '{"id":1,"jsonrpc":"2.0","result":{}}',
    "hello",
    "",
    "{",
    '{"jsonrpc":"2.0","id":1,"result":' + "[" * 100_000,
]


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_of_no_such_form_is_left_whole(text: str) -> None:
    line = bytearray(text.encode())
    assert response_in(line) is None
    assert line == text.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values), st.sampled_from(FORMS))
def test_every_result_comes_through(result: dict[str, Any], form: str) -> None:
    text = json.dumps(result)
    response = read(form.format(id=3, result=text))
    assert response is not None
    assert response.result == result
    assert json.loads(response.result.received or b"") == result


def test_the_id_of_a_line_too_long_to_be_kept() -> None:
    assert id_in(b'{"jsonrpc":"2.0","id":5,"result":{"content":[{"ty') == 5
    assert id_in(b'text"}]},"jsonrpc":"2.0","id":"six"}') == "six"
    assert id_in(b'text"}]},"id":7,"jsonrpc":"2.0"}\n') == 7
    assert id_in(b'{"jsonrpc":"2.0","method":"x"') is None


@pytest.mark.parametrize("form", FORMS)
def test_a_long_result_is_read_by_whom_it_is_for(form: str) -> None:
    text = json.dumps({"content": [{"type": "text", "text": "x" * UNREAD_BYTES}]})
    response = read(form.format(id=7, result=text))
    assert response is not None
    assert (response.id, response.result, response.result.unread) == (7, {}, True)
    response.result.load()
    assert response.result == json.loads(text)
    broken = read(form.format(id=7, result="x" * (UNREAD_BYTES + 1)))
    assert broken is not None
    with pytest.raises(ValueError, match="no JSON object"):
        broken.result.load()


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ('{"jsonrpc":"2.0","id":7,"result":null}', 7),
        ('{"jsonrpc":"2.0","id":"seven","result":"a word"}', "seven"),
        ('{"id":7,"error":{"message":"half a pair \\ud83d"}}', 7),
        ('{"jsonrpc":"2.0","id":7}', 7),
        ('{"jsonrpc":"2.0","id":7,"method":5}', None),
        ('{"jsonrpc":"2.0","id":true,"result":{}}', None),
        ('{"jsonrpc":"2.0","result":{}}', None),
        ('[{"jsonrpc":"2.0","id":7,"result":{}}]', None),
        ("7", None),
        ("hello", None),
    ],
)
def test_the_request_that_a_broken_response_is_for(text: str, id: int | str | None) -> None:
    assert asked_id(bytearray(text.encode())) == id


def test_whoever_sent_what_is_no_message_is_answered_by_its_id() -> None:
    assert refused_id(b'{"id": "a", "method": "tools/call", "params": {"x": "\\ud83d"}}') == "a"
    assert refused_id(b'{"method": "tools/call"}') is None
    assert refused_id(b"no json") is None
