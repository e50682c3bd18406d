"""Results of `tools/call` of the Model Context Protocol as payloads, and payloads as such results.

A result that is one text is that text's UTF-8; any other is the result's own JSON. What such a
result says twice (servers repeat a text as structured content) is kept once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from busctl.core.content_type import BYTES, JSON, MCP_RESULT, TEXT, is_json, is_text, plain
from busctl.core.jsontext import parse_json
from busctl.core.mcp.form import as_taken

STRUCTURED = "mcp_structured"
"""The metadata field that says how the structured content repeats the text: SAME, RESULT,
RESULT_JSON or UNDER with a name."""
SAME = "same"
"""The structured content is the JSON that the text is."""
RESULT = "result"
"""The structured content is {"result": the text}, as the Python SDK wraps a text."""
UNDER = "under:"
"""It is the text under another name, which follows: {"content": the text}, as servers of the
TypeScript SDK have it."""
RESULT_JSON = "result_json"
"""The structured content is {"result": the JSON that the text is}."""

NAME_CHARS = 64
"""A longer name makes it a result of its own kind."""
LOOKED_AT_CHARS = 64 * 1024
"""Whether a longer text is JSON is told by its beginning and its last character."""
_PROTOCOL = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class ResultPayload:
    """A result as it is kept: `metadata` goes with the message and is needed on the way back."""

    body: bytes
    content_type: str
    is_error: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OneText:
    """A result that is one text, before its bytes are made: the result may be let go by then."""

    text: str = field(repr=False)
    content_type: str
    is_error: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> ResultPayload:
        return ResultPayload(self.text.encode(), self.content_type, self.is_error, self.metadata)


def payload_of(result: Mapping[str, Any], received: bytes | None = None) -> ResultPayload:
    """The payload of a result in the protocol's own names.

    `received` is its JSON as it came, and is taken as it is; without it the result is serialised.
    Costs time and memory in proportion to the result: large ones belong in a thread.
    """
    found = one_text(result)
    if found is not None:
        return found.payload()
    return ResultPayload(received or _json_bytes(result), MCP_RESULT, _is_error(result))


def one_text(result: Mapping[str, Any]) -> OneText | None:
    """The text of a result that is one text and says nothing else, but for structured content that
    repeats it; None for any other."""
    text = _only_text(result)
    if text is None:
        return None
    structured = result.get("structuredContent")
    if structured is None:
        return OneText(text, JSON if _looks_json(text) else TEXT, _is_error(result))
    repeats = _repeats(text, structured)
    if repeats is None:
        return None
    kind = JSON if repeats == SAME or _looks_json(text) else TEXT
    return OneText(text, kind, _is_error(result), {STRUCTURED: repeats})


def result_of(
    payload: bytes, content_type: str, *, uri: str, is_error: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The result that a payload is: content, structuredContent and isError where there are any.

    A payload of Python tools becomes one text, image, audio or embedded resource; the last is
    named `uri`. A JSON object is the structured content, too. A kept result that clients would
    refuse is told as its own JSON, in one text.
    """
    if plain(content_type) == MCP_RESULT:
        within = _result_within(payload)
        taken = None if within is None else as_taken(within, payload)
        if taken is not None:
            return taken
    result: dict[str, Any] = {"content": [_block(payload, content_type, uri)]}
    repeats = (metadata or {}).get(STRUCTURED)
    structured = _structured(payload, content_type, repeats)
    if structured is not None:
        result["structuredContent"] = structured
    if is_error:
        result["isError"] = True
    return result


def outputs_of(payload: bytes) -> list[dict[str, Any]] | None:
    """A kept result as the `outputs` of the WebSocket dialect, one for each block; None for bytes
    that are no result. Structured content is one more, unless texts say the same."""
    result = _result_within(payload)
    if result is None:
        return None
    blocks = list(_blocks(result))
    outputs = [_output(block) for block in blocks]
    structured = result.get("structuredContent")
    if structured is not None and not _is_told(blocks, structured):
        outputs.append({"type": "text", "text": _json_text(structured)})
    return outputs


def text_in(payload: bytes, content_type: str) -> str:
    """What a payload says to people: a text, or the texts of a kept result in lines; "" for bytes
    that are no text."""
    result = _result_within(payload) if plain(content_type) == MCP_RESULT else None
    if result is None:
        return (_decoded(payload) if is_text(content_type) else None) or ""
    return "\n".join(
        block["text"] for block in _blocks(result) if isinstance(block.get("text"), str)
    )


# --- from a result -------------------------------------------------------------------------


def _is_error(result: Mapping[str, Any]) -> bool:
    return result.get("isError") is True


def _only_text(result: Mapping[str, Any]) -> str | None:
    """The text of a result that is one text and says nothing else, but for structured content."""
    content = result.get("content")
    if not (isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict)):
        return None
    block = content[0]
    text = block.get("text")
    if block.get("type") != "text" or not isinstance(text, str) or not _encodes(text):
        return None
    said = [name for name in block if block[name] is not None and name not in ("type", "text")]
    return None if said or any(_says_more(result)) else text


def _says_more(result: Mapping[str, Any]) -> Iterator[bool]:
    for name, value in result.items():
        if name == "_meta" and isinstance(value, dict):
            # What the protocol itself puts there is about this exchange, not about the answer.
            yield any(not key.startswith(_PROTOCOL) for key in value)
        elif name == "resultType":
            yield value != "complete"
        elif name not in ("content", "structuredContent", "isError"):
            yield value is not None


def _encodes(text: str) -> bool:
    """Whether the text has UTF-8: a lone surrogate has none."""
    if text.isascii():
        return True
    try:
        for at in range(0, len(text), LOOKED_AT_CHARS):
            text[at : at + LOOKED_AT_CHARS].encode()
    except UnicodeEncodeError:
        return False
    return True


def _repeats(text: str, structured: Any) -> str | None:
    """How the structured content repeats the text; None when it says something of its own."""
    if not isinstance(structured, dict):
        return None
    name, wrapped = next(iter(structured.items()), ("", None))
    if wrapped == text and len(structured) == 1 and len(name) <= NAME_CHARS:
        return RESULT if name == "result" else f"{UNDER}{name}"
    try:
        value = parse_json(text)
    except ValueError:
        return None
    if _equal(value, structured):
        return SAME
    return RESULT_JSON if len(structured) == 1 and _equal({"result": value}, structured) else None


def _is_told(blocks: Sequence[Mapping[str, Any]], structured: Any) -> bool:
    """Whether the texts repeat the structured content: one of them all of it, or, as the SDK does
    with lists, each an item."""
    texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
    if any(_repeats(text, structured) for text in texts):
        return True
    items = structured.get("result") if isinstance(structured, dict) else None
    return (
        isinstance(items, list)
        and bool(items)
        and len(structured) == 1
        and len(items) == len(texts)
        and all(_repeats(text, {"result": item}) for text, item in zip(texts, items, strict=True))
    )


def _equal(left: Any, right: Any) -> bool:
    """Whether both are the same JSON; Python alone would take 1, 1.0 and true for equal."""
    try:
        return bool(left == right) and _sorted(left) == _sorted(right)
    except ValueError:  # a number that no double holds is not the same again
        return False


def _sorted(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def looks_json(head: str, tail: str, *, whole: bool) -> bool:
    """Whether a text is a JSON object or array, as far as its beginning and its end tell; `whole`:
    the head is all of it."""
    ends = (head[:1024].lstrip()[:1], tail[-1024:].rstrip()[-1:])
    if ends not in (("{", "}"), ("[", "]")):
        return False
    try:
        if whole:
            parse_json(head)
        else:
            from_json(head, allow_partial="trailing-strings", cache_strings=False)
    except ValueError:
        return False
    return True


def _looks_json(text: str) -> bool:
    whole = len(text) <= LOOKED_AT_CHARS
    return looks_json(text[:LOOKED_AT_CHARS], text[-1024:], whole=whole)


def _json_bytes(value: Any) -> bytes:
    # Only strings hold surrogates, and there the replacement is JSON's own escape.
    return _json_text(value).encode("utf-8", "backslashreplace")


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- from a payload ------------------------------------------------------------------------


def _result_within(payload: bytes) -> dict[str, Any] | None:
    try:
        result = parse_json(payload)
    except ValueError:  # somebody else's bytes under our type: they travel as they are
        return None
    return result if isinstance(result, dict) else None


def _blocks(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = result.get("content")
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []


def _block(payload: bytes, content_type: str, uri: str) -> dict[str, Any]:
    kind = plain(content_type)
    text = _decoded(payload) if is_text(content_type) else None
    if text is not None:
        return {"type": "text", "text": text}
    data = base64.b64encode(payload).decode("ascii")
    family = kind.partition("/")[0]
    if family in ("image", "audio"):
        return {"type": family, "data": data, "mimeType": kind}
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind or BYTES, "blob": data}}


def _structured(payload: bytes, content_type: str, repeats: Any) -> Any:
    text = _decoded(payload)
    if text is None or not (repeats or is_json(content_type)) or plain(content_type) == MCP_RESULT:
        return None
    if repeats == RESULT:
        return {"result": text}
    if isinstance(repeats, str) and repeats.startswith(UNDER):
        return {repeats.removeprefix(UNDER): text}
    try:
        value = parse_json(text)
    except ValueError:  # it is not what its type says, and travels as the text it is
        value = None
    if repeats == RESULT_JSON:
        return {"result": value}
    return value if isinstance(value, dict) else None


def _decoded(payload: bytes) -> str | None:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:  # it is not what its type says
        return None


def _output(block: Mapping[str, Any]) -> dict[str, Any]:
    inner = block.get("resource")
    held = inner if isinstance(inner, dict) else block
    mime = {"mimeType": held["mimeType"]} if isinstance(held.get("mimeType"), str) else {}
    if isinstance(held.get("text"), str):
        return {"type": "text", "text": held["text"]}
    for name in ("data", "blob"):
        if isinstance(held.get(name), str):
            return {"type": "blob", "data": held[name], **mime}
    return {"type": "text", "text": _json_text(block)}  # a link, or what the protocol adds later
