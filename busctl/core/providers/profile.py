"""What is known of a provider of language models: its profile.

A profile is data (`busctl/providers/*.toml`, or a file of the user's): where its API is, how it is
asked for things, what its models and its files may be. Code knows no provider by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from busctl.core.configuration.values import check_base
from busctl.core.errors import ConfigurationError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Count = Annotated[int, Field(ge=1)]
Base = Annotated[str, AfterValidator(check_base)]
Words = tuple[str, ...]


class Table(BaseModel):
    """A table of a profile; unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Table):
    """A table that says where its facts are from, when they were looked up, and what else there is
    to say of that."""

    source: Annotated[str, Field(pattern=r"^https?://\S+$")]
    seen: date
    note: str = ""


class Thinks(StrEnum):
    """Whether a model thinks before it answers."""

    NEVER = "never"
    OPTIONAL = "optional"
    ALWAYS = "always"


class Model(Sourced):
    """One model. `context_tokens` are for question and answer together. With `fixed_temperature`
    the provider refuses any other; `efforts` are the words for how much it thinks."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    context_tokens: Count
    thinking: Thinks = Thinks.NEVER
    efforts: Words = ()
    fixed_temperature: bool = False
    vision: bool = False
    web_search: bool = False


class Finish(Table):
    """What the provider's values of `finish_reason` mean, beside tool_calls: the answer is whole,
    was cut at a limit, was cut for its content, or failed. Any other value is told as it came, as
    the reason why an answer may not be whole."""

    whole: Words = ("stop",)
    length: Words = ("length",)
    filtered: Words = ("content_filter",)
    failed: Words = ()


class Chat(Sourced):
    """How /chat/completions is asked. `stream_options`: usage comes when it is asked for, else in
    the last chunk by itself. The id of a request is in a header, or in a field of the answer."""

    max_tokens_field: str = "max_tokens"
    stream_options: bool = True
    request_id_header: str | None = "x-request-id"
    request_id_field: str | None = None
    temperature_max: Annotated[float, Field(gt=0)] = 2.0
    finish: Finish = Finish()


class Thinking(Sourced):
    """Fields of a request that switch thinking on and off, and the field that takes an effort."""

    enabled: Mapping[str, Any] = {}
    disabled: Mapping[str, Any] = {}
    effort_field: str | None = None


class WebSearch(Sourced):
    """How a web search is asked for. With `echo` the model calls a tool of that name, and its
    arguments are sent back as they are, at most `max_rounds` times. `results_field` is where a
    chunk tells what was found."""

    tool: Mapping[str, Any]
    echo: str | None = None
    max_rounds: Count = 8
    results_field: str | None = None
    needs_thinking_off: bool = False


class Errors(Sourced):
    """The provider's own codes (or types) of errors, by what is to be done about them."""

    unauthorized: Words = ()
    quota: Words = ()
    busy: Words = ()
    filtered: Words = ()


class Retries(Table):
    """How often a request is tried that was not begun to be answered. Pauses in seconds: the first
    one, doubled each time up to the longest, unless the provider says Retry-After."""

    attempts: Count = 4
    first_pause: Annotated[float, Field(ge=0)] = 1.0
    longest_pause: Annotated[float, Field(ge=0)] = 60.0


class Purpose(Table):
    """What files of one purpose may be: bytes of one, suffixes without the dot (empty: any), how
    many."""

    max_bytes: Count
    max_image_bytes: Count | None = None
    max_files: Count | None = None
    suffixes: Words = ()


class Files(Sourced):
    """What the provider does with files. `content`: GET /files/{id}/content gives back the text of
    files of the purpose `extract`. `keep_days`: after so many it forgets a file. `listed_by`: GET
    /files wants one of these purposes, and is the only way to look for a file: there is no GET
    /files/{id}."""

    purposes: Mapping[str, Purpose]
    content: bool = False
    extract: str | None = None
    listed_by: Words = ()
    max_files: Count | None = None
    max_total_bytes: Count | None = None
    keep_days: Count | None = None

    @model_validator(mode="after")
    def _known(self) -> Files:
        if self.extract is not None and self.extract not in self.purposes:
            raise ValueError(f"extract names {self.extract!r}, which is none of the purposes")
        if self.extract is not None and not self.content:
            raise ValueError("extract needs content = true: nothing could be read back")
        return self


class Profile(Sourced):
    """One provider. `tool` is the name of its chat tool; `base` the address before
    /chat/completions; of `key_variables` and `base_variables` the first that is set counts. `check`
    is the cheapest call that shows whether the key is good."""

    name: Name
    title: str
    tool: ToolName
    key_variables: tuple[Variable, ...]
    base_variables: tuple[Variable, ...] = ()
    base: Base
    other_bases: tuple[Base, ...] = ()
    default_model: str
    default_context_tokens: Count
    concurrency: Count = 4
    check: Literal["models", "files", "chat"] = "chat"
    chat: Chat
    thinking: Thinking | None = None
    web_search: WebSearch | None = None
    errors: Errors
    retries: Retries = Retries()
    files: Files | None = None
    models: tuple[Model, ...] = ()

    @field_validator("key_variables")
    @classmethod
    def _some(cls, value: Sequence[str]) -> Sequence[str]:
        if not value:
            raise ValueError("names no variable that holds the key")
        return value

    def model(self, name: str) -> Model | None:
        """What is known of a model, None for one that is not listed: lists age, and a name that is
        unknown here may well be known there."""
        return next((one for one in self.models if one.name == name), None)

    def context_tokens(self, model: str) -> int:
        """How many tokens question and answer may have together."""
        known = self.model(model)
        return self.default_context_tokens if known is None else known.context_tokens


def profile_of(shape: Mapping[str, Any], origin: str) -> Profile:
    """The profile that a file holds. Raises ConfigurationError with every fault."""
    try:
        return Profile.model_validate(dict(shape))
    except ValidationError as error:
        faults = "\n  ".join(_fault(each) for each in error.errors(include_input=False))
        raise ConfigurationError(
            f"{origin} is no profile of a provider:\n  {faults}",
            remedy="docs/providers.md says what a profile holds.",
        ) from error


def _fault(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}." if place else f"{error['msg']}."


def by_name(profiles: Sequence[Profile]) -> dict[str, Profile]:
    """By their names, in the order given; a later one stands in for an earlier one of its name."""
    return {one.name: one for one in profiles}
