"""Whether a chat request is of the documented form: everything that is not, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.providers.site import Site

ROLES = frozenset({"system", "user", "assistant", "tool"})
MESSAGE_FIELDS = frozenset({
    "role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content", "partial",
})  # fmt: skip


def chat_faults(site: Site, body: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(body.keys() - site.chat_fields):
        yield f"{name!r} is none of the documented fields"
    if not isinstance(body.get("model"), str):
        yield "model is no text"
    if not isinstance(body.get("stream", False), bool):
        yield "stream is neither true nor false"
    most = body.get(site.max_tokens_field)
    if most is not None and (not isinstance(most, int) or most < 1):
        yield f"{site.max_tokens_field} is no number from 1"
    if site.max_tokens_field == "max_completion_tokens" and "max_tokens" in body:
        yield "max_tokens is deprecated"
    yield from _options(site, body)
    yield from _thinking(site, body)
    yield from _temperature(site, body)
    yield from _messages(site, body.get("messages"))
    yield from _tools(site, body)


def _options(site: Site, body: Mapping[str, Any]) -> Iterator[str]:
    options = body.get("stream_options")
    if options is not None and (not body.get("stream") or options != {"include_usage": True}):
        yield "stream_options is not {include_usage: true} of a stream"


def _thinking(site: Site, body: Mapping[str, Any]) -> Iterator[str]:
    model = str(body.get("model"))
    thinks = site.models.get(model, "never")
    thinking = body.get("thinking")
    if thinking is not None:
        if not isinstance(thinking, dict) or thinking.get("type") not in ("enabled", "disabled"):
            yield "thinking is not {type: enabled|disabled}"
        elif thinks != "optional":
            # Kimi K3 and K2.7 refuse it; GLM-5.3 answers `disabled` with error 1210.
            yield f"{model} takes no thinking field"
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in site.efforts.get(model, ()):
        yield f"{model} takes no reasoning_effort {effort!r}"


def _temperature(site: Site, body: Mapping[str, Any]) -> Iterator[str]:
    given = body.get("temperature")
    if given is None:
        return
    if site.fixed_temperature:
        yield "temperature is fixed by the platform: any other value is an error"
    elif not isinstance(given, int | float) or not 0 <= given <= 1:
        yield "temperature is not from 0 to 1"


def _messages(site: Site, messages: Any) -> Iterator[str]:
    if not isinstance(messages, list) or not messages:
        yield "messages is no list of messages"
        return
    asked: dict[str, str] = {}
    for place, message in enumerate(messages):
        for name in sorted(message.keys() - MESSAGE_FIELDS):
            yield f"messages[{place}] has a field {name!r}"
        role = message.get("role")
        if role not in ROLES:
            yield f"messages[{place}] has the role {role!r}"
        # "content must not be empty": platform.kimi.ai/docs/api/chat
        if not message.get("content") and not message.get("tool_calls"):
            yield f"messages[{place}] has no content"
        for call in message.get("tool_calls") or ():
            asked[call["id"]] = call["function"]["arguments"]
        if role == "tool":
            yield from _echo(site, place, message, asked)
    # docs.z.ai: "must not consist of system messages or assistant messages only"
    if not any(message.get("role") in ("user", "tool") for message in messages):
        yield "messages holds nothing of the user"


def _echo(
    site: Site, place: int, message: Mapping[str, Any], asked: Mapping[str, str]
) -> Iterator[str]:
    called = str(message.get("tool_call_id"))
    if called not in asked:
        yield f"messages[{place}] answers a tool call that was not made"
    elif message.get("name") == "$web_search" and message.get("content") != asked[called]:
        # platform.kimi.ai/docs/guide/use-web-search: the arguments go back as they came
        yield f"messages[{place}] does not give back the arguments of $web_search"


def _tools(site: Site, body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not tools:
        yield "tools is no list of tools"
        return
    for tool in tools:
        kind = tool.get("type")
        if kind == "builtin_function" and site.name == "kimi":
            if tool != {"type": kind, "function": {"name": "$web_search"}}:
                yield f"{json.dumps(tool)} is no built-in function"
            if body.get("thinking") != {"type": "disabled"}:
                yield "$web_search does not go with thinking"
        elif kind == "web_search" and site.search_engines:
            search = tool.get("web_search", {})
            if search.get("enable") is not True or (
                search.get("search_engine") not in site.search_engines
            ):
                yield f"{json.dumps(tool)} is no web search of this site"
        elif kind != "function":
            yield f"a tool of type {kind!r} is not documented"
