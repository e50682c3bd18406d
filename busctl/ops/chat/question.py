"""What a chat tool takes: its schema, by what the provider has, and the request of a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from busctl.core.errors import InvalidArguments
from busctl.core.providers.account import Account
from busctl.core.providers.chat import ChatRequest
from busctl.core.providers.profile import Profile, Thinks
from busctl.ops.tool_arguments import Arguments
from busctl.ports import ToolInfo

PREPARED = ("files", "files_optional", "conversation_id")
"""Taken only where something puts them in front of the prompt."""


def _question(
    prompt: Annotated[str, Field(min_length=1)],
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: Annotated[int, Field(ge=1)] | None = None,
    thinking: bool | None = None,
    effort: str | None = None,
    web_search: bool = False,
    keep_reasoning: bool = False,
    files: list[str] | None = None,
    files_optional: bool = False,
    conversation_id: str | None = None,
) -> None:
    """Its signature is the schema of a chat tool.

    Args:
        prompt: What to ask.
        model: Which model is asked.
        system: Instructions that go before the prompt.
        temperature: How freely words are chosen; lower is more of the same.
        max_tokens: Most tokens of the answer, its thinking included.
        thinking: Whether the model thinks before it answers.
        effort: How much it thinks.
        web_search: Whether the model may search the web.
        keep_reasoning: Keep what the model thought as a message of its own; the answer's metadata
            names it.
        files: Paths of files that the model is to read, as the daemon's machine has them.
        files_optional: Go on without files that cannot be used; the answer's metadata says which.
        conversation_id: Go on with this conversation, or begin it.
    """


class Question:
    """The arguments of one account's chat tool. `prepared`: files and conversations are taken."""

    def __init__(self, account: Account, *, prepared: bool) -> None:
        profile = account.profile
        self._prepared = prepared
        self._arguments = Arguments(account.tool, _question, f"the profile {profile.name!r}")
        self._left_out = frozenset(_left_out(profile, prepared=prepared))
        self.info = ToolInfo(account.tool, _described(profile), self._schema(profile), profile.name)

    def request(self, arguments: Mapping[str, Any]) -> ChatRequest:
        """Raises InvalidArguments, for arguments too that this provider does not have: they reach
        `body_of`, which says so."""
        given = self._arguments.check(arguments)
        if not self._prepared and (refused := [name for name in PREPARED if given.get(name)]):
            raise InvalidArguments(f"{self.info.name} takes no {' and no '.join(refused)} here.")
        return ChatRequest(**{name: one for name, one in given.items() if one is not None})

    def _schema(self, profile: Profile) -> dict[str, Any]:
        schema = dict(self._arguments.schema)
        properties = {
            name: dict(each)
            for name, each in schema["properties"].items()
            if name not in self._left_out
        }
        properties["model"]["default"] = profile.default_model
        properties["model"]["examples"] = [one.name for one in profile.models]
        return {**schema, "properties": properties}


def _left_out(profile: Profile, *, prepared: bool) -> list[str]:
    """Arguments that are not listed, because the provider does not have what they ask for."""
    left_out = [] if prepared else list(PREPARED)
    if profile.web_search is None:
        left_out.append("web_search")
    if profile.thinking is None:
        left_out += ["thinking", "effort"]
    elif profile.thinking.effort_field is None:
        left_out.append("effort")
    if profile.models and all(one.fixed_temperature for one in profile.models):
        left_out.append("temperature")
    if profile.thinking is None and all(one.thinking is Thinks.NEVER for one in profile.models):
        left_out.append("keep_reasoning")
    return left_out


def _described(profile: Profile) -> str:
    models = ", ".join(one.name for one in profile.models) or profile.default_model
    return (
        f"Ask a language model of {profile.title}.\n\n"
        f"Its answer is text. Models: {models}; {profile.default_model} unless another is named."
    )
