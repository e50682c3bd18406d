"""A question to a language model: what is asked, and the request that a provider takes for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from busctl.core.errors import InvalidArguments
from busctl.core.providers.profile import Model, Profile, Thinks

Message = Mapping[str, Any]
"""One message of a request: role, content, and what goes with a tool call."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a call of a chat tool asks. `thinking` None leaves it to the model; `files` are paths,
    with `files_optional` one that is refused fails nothing; `conversation_id` names the
    conversation that it goes on with."""

    prompt: str
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    effort: str | None = None
    web_search: bool = False
    keep_reasoning: bool = False
    files: Sequence[str] = ()
    files_optional: bool = False
    conversation_id: str | None = None

    def model_of(self, profile: Profile) -> str:
        return self.model or profile.default_model


@dataclass(frozen=True, slots=True)
class CallPart:
    """A part of a tool call that the model makes; those of one `place` belong together."""

    place: int
    id: str = ""
    kind: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a streamed answer. `found` is what a web search of the provider's came upon."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[CallPart] = ()
    finish: str | None = None
    usage: Mapping[str, Any] | None = None
    model: str | None = None
    id: str | None = None
    request_id: str | None = None
    found: Sequence[Any] = field(default_factory=tuple)


class Encoder:
    """Text in pieces as UTF-8. JSON may spell one character as two surrogates, and a provider may
    put them into two pieces."""

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> bytes:
        """Raises ValueError at half a character whose other half is not there."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        try:
            return text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode()

    def end(self) -> None:
        """Raises ValueError when half a character is left."""
        if self._half:
            raise ValueError("the text ends inside of a character")


def plain_messages(request: ChatRequest) -> list[Message]:
    """System and prompt alone."""
    system = [{"role": "system", "content": request.system}] if request.system else []
    return [*system, {"role": "user", "content": request.prompt}]


def body_of(profile: Profile, request: ChatRequest, messages: Sequence[Message]) -> dict[str, Any]:
    """The fields of a streamed request. Raises InvalidArguments for what the provider or the model
    does not have: nothing that was asked is left out without a word."""
    name = request.model_of(profile)
    faults = list(_faults(profile, request, profile.model(name)))
    if faults:
        raise InvalidArguments(
            f"{profile.title} cannot be asked so: {'; '.join(faults)}.",
            remedy="`busctl providers` says what each model takes.",
        )
    body: dict[str, Any] = {"model": name, "messages": list(messages), "stream": True}
    if profile.chat.stream_options:
        body["stream_options"] = {"include_usage": True}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.max_tokens is not None:
        body[profile.chat.max_tokens_field] = request.max_tokens
    if request.web_search and profile.web_search is not None:
        body["tools"] = [dict(profile.web_search.tool)]
    return body | _thinking(profile, request, profile.model(name))


def _faults(profile: Profile, request: ChatRequest, model: Model | None) -> Iterator[str]:
    most = profile.chat.temperature_max
    if request.temperature is not None:
        if model is not None and model.fixed_temperature:
            yield f"the temperature of {model.name} is fixed: leave it out"
        elif not 0 <= request.temperature <= most:
            yield f"temperature is from 0 to {most:g}"
    if request.max_tokens is not None and request.max_tokens < 1:
        yield "max_tokens is at least 1"
    yield from _thinking_faults(profile, request, model)
    yield from _search_faults(profile, request, model)


def _thinking_faults(profile: Profile, request: ChatRequest, model: Model | None) -> Iterator[str]:
    if request.thinking is not None:
        if profile.thinking is None:
            yield "it has no switch for thinking"
        elif model is not None and model.thinking is Thinks.NEVER and request.thinking:
            yield f"{model.name} does not think"
        elif model is not None and model.thinking is Thinks.ALWAYS and not request.thinking:
            yield f"the thinking of {model.name} cannot be switched off"
    if request.effort is not None:
        efforts = model.efforts if model is not None else ()
        if profile.thinking is None or profile.thinking.effort_field is None:
            yield "it takes no effort"
        elif model is not None and request.effort not in efforts:
            known = ", ".join(efforts) or "none"
            yield f"effort {request.effort!r} is none of {model.name}'s ({known})"


def _search_faults(profile: Profile, request: ChatRequest, model: Model | None) -> Iterator[str]:
    if not request.web_search:
        return
    if profile.web_search is None:
        yield "it has no web search"
    elif model is not None and not model.web_search:
        yield f"{model.name} has no web search"
    elif profile.web_search.needs_thinking_off and request.thinking:
        yield "its web search does not go with thinking"


def _thinking(profile: Profile, request: ChatRequest, model: Model | None) -> dict[str, Any]:
    """Fields for thinking; none where the model has no choice."""
    asked = profile.thinking
    if asked is None:
        return {}
    wanted = request.thinking
    search = profile.web_search
    if request.web_search and search is not None and search.needs_thinking_off:
        wanted = False
    fields: dict[str, Any] = {}
    if wanted is not None and (model is None or model.thinking is Thinks.OPTIONAL):
        fields |= asked.enabled if wanted else asked.disabled
    if request.effort is not None and asked.effort_field is not None:
        fields[asked.effort_field] = request.effort
    return fields
