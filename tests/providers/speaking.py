"""What a model says, as the documents have it cross the wire: one JSON object, or server-sent
events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.providers.site import Site

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
FOUND = [{"title": "A page", "content": "its text", "link": "https://example.com/a"}]


@dataclass(frozen=True)
class Reply:
    """One answer. `text` may be many pieces. `searches`: the arguments of calls of $web_search in
    place of an end. `cut_after` so many pieces the connection ends; `finish` None: it ends without
    a finish_reason. `pause`: seconds between two events. `broken`: an event that is none of the
    documented form."""

    text: str | Iterable[str] = ""
    reasoning: str = ""
    finish: str | None = "stop"
    searches: list[str] = field(default_factory=list)
    found: list[dict[str, str]] = field(default_factory=list)
    cut_after: int | None = None
    pause: float = 0.0
    keep_alive: bool = False
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)
    error: dict[str, str] | None = None
    broken: bytes = b""

    def pieces(self) -> Iterable[str]:
        if not isinstance(self.text, str):
            return self.text
        return (self.text[at : at + 20] for at in range(0, len(self.text), 20))


def whole(site: Site, body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.pieces())}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    finish = reply.finish
    if reply.searches:
        message["tool_calls"] = [_call(site, place, one) for place, one in
                                 enumerate(reply.searches)]  # fmt: skip
        finish = "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    shape = {**_head(site, body, "chat.completion"), "choices": [choice], "usage": reply.usage}
    return {**shape, "web_search": reply.found} if reply.found else shape


def chunks(site: Site, body: Mapping[str, Any], reply: Reply) -> Iterator[bytes | None]:
    """The events of a stream; None: the connection is cut."""
    head = _head(site, body, "chat.completion.chunk")

    def event(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({**head, "choices": [choice], **more})

    yield event({"role": "assistant", "content": ""})
    if reply.keep_alive:
        yield b": keep-alive\n\n"
    for at in range(0, len(reply.reasoning), 20):
        yield event({"reasoning_content": reply.reasoning[at : at + 20]})
    if reply.found:
        yield event({"content": ""}, web_search=reply.found)
    for sent, piece in enumerate(reply.pieces()):
        if sent == reply.cut_after:
            yield None
        yield event({"content": piece})
    if reply.cut_after is not None:
        yield None
    if reply.error:
        yield _data({"error": reply.error})
        return
    if reply.broken:
        yield b"data: " + reply.broken + b"\n\n"
    yield from _end(site, body, reply, event, head)


def _end(
    site: Site, body: Mapping[str, Any], reply: Reply, event: Any, head: Mapping[str, Any]
) -> Iterator[bytes]:
    finish = reply.finish
    for place, one in enumerate(reply.searches):
        finish = "tool_calls"
        call = _call(site, place, one)
        half = len(one) // 2
        first = {
            **call,
            "index": place,
            "function": {"name": "$web_search", "arguments": one[:half]},
        }
        yield event({"tool_calls": [first]})
        yield event({"tool_calls": [{"index": place, "function": {"arguments": one[half:]}}]})
    asked = body.get("stream_options", {}).get("include_usage", False)
    told = reply.usage is not None and (asked or not site.usage_on_request)
    if finish is not None:
        # docs.z.ai: the last chunk has usage. Kimi, as OpenAI, has a chunk of its own, if asked.
        more = {"usage": reply.usage} if told and not site.usage_on_request else {}
        yield event({}, finish, **more)
        if told and site.usage_on_request:
            yield _data({**head, "choices": [], "usage": reply.usage})
    yield b"data: [DONE]\n\n"


def _head(site: Site, body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    head = {"id": "cmpl-played", "object": kind, "created": 1764200000, "model": body["model"]}
    return {**head, "request_id": "req-played"} if site.coded_errors else head


def _call(site: Site, place: int, arguments: str) -> dict[str, Any]:
    # The documents of Kimi's stream show the type as it was declared.
    return {
        "id": f"$web_search:{place}", "type": "builtin_function",
        "function": {"name": "$web_search", "arguments": arguments},
    }  # fmt: skip


def _data(shape: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(shape)}\n\n".encode()
