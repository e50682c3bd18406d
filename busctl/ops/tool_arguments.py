"""The arguments of a tool: JSON Schema from its type hints, and checking a call against them."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Collection, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from busctl.core.errors import ConfigurationError, InvalidArguments
from busctl.core.tools.toolset import Progress, Tool

_ARGS_SECTION = re.compile(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)
_ARG_LINE = re.compile(r"^\s+\*{0,2}(\w+)(?: \(.*?\))?: (.+(?:\n\s{6,}.+)*)", re.MULTILINE)


class _Untitled(GenerateJsonSchema):
    """Without the titles that repeat each field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class Arguments:
    """The arguments that one tool takes. `progress` is the parameter that wants notes, if any.

    Raises ConfigurationError for a signature that JSON arguments cannot fill; `origin` is where
    the tool came from.
    """

    def __init__(
        self, tool: str, function: Tool, origin: str, *, without: Collection[str] = ()
    ) -> None:
        """`without` names parameters that are filled otherwise."""
        self.tool = tool
        self.origin = origin
        self.progress: str | None = None
        self._names: dict[str, str] = {}
        self._without = without
        self._model = self._model_of(function)
        self.schema = self._schema()

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the call. Raises InvalidArguments with every fault."""
        named = dict(arguments)
        if self._model.model_config.get("extra") == "forbid":
            # A name that the client made up may be no text at all; it is refused like any other.
            named = {_printable(name): value for name, value in named.items()}
        try:
            checked = self._model.model_validate(named)
        except ValidationError as error:
            raise self._invalid(error) from None
        given = {
            self._names[field]: getattr(checked, field)
            for field in self._names
            if field in checked.model_fields_set
        }
        return given | (checked.model_extra or {})

    def _invalid(self, error: ValidationError) -> InvalidArguments:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'a name'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        text = _printable("; ".join(faults))
        return InvalidArguments(f"The arguments do not fit the tool {self.tool!r}: {text}.")

    def _model_of(self, function: Tool) -> type[BaseModel]:
        try:
            parameters = inspect.signature(function).parameters
            hints = _hints(function)
        except (TypeError, ValueError, NameError) as error:
            raise self._refused(f"its signature cannot be read: {error}") from error
        documented = _documented(inspect.getdoc(function) or "")
        fields: dict[str, Any] = {}
        extra = False
        for name, parameter in parameters.items():
            if name in self._without:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                extra = True
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise self._refused(f"its parameter {name!r} cannot be given by name")
            elif self.progress is None and _wants_notes(name, hints.get(name)):
                self.progress = name
            else:
                # Numbered and aliased: a parameter may be called what a model's method is.
                field = f"argument_{len(fields)}"
                self._names[field] = name
                fields[field] = (
                    hints.get(name, Any),
                    _field(name, parameter.default, documented.get(name)),
                )
        try:
            config = ConfigDict(extra="allow" if extra else "forbid")
            return create_model("Arguments", __config__=config, **fields)
        except PydanticUserError as error:
            raise self._refused(_first_line(error)) from error

    def _schema(self) -> dict[str, Any]:
        try:
            schema = self._model.model_json_schema(schema_generator=_Untitled)
        except PydanticUserError as error:
            raise self._refused(_first_line(error)) from error
        schema.pop("title", None)
        schema.setdefault("properties", {})
        return schema

    def _refused(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"The tool {self.tool!r} of {self.origin} cannot be offered: {why}.",
            remedy="Give its parameters names and types that JSON has.",
        )


def _hints(function: Tool) -> dict[str, Any]:
    """Type hints by parameter; of `__call__` for an object, of the inner one for a partial."""
    inner = inspect.unwrap(getattr(function, "func", function))
    target = inner if inspect.isroutine(inner) else type(inner).__call__
    return typing.get_type_hints(target, include_extras=True)


def _wants_notes(name: str, hint: object) -> bool:
    if hint == Progress or Progress in typing.get_args(hint):  # `Progress | None` too
        return True
    unsaid = hint is None or hint is Any or hint is typing.Callable
    return name == "progress" and unsaid


def _field(name: str, default: object, description: str | None) -> FieldInfo:
    required = default is inspect.Parameter.empty
    made = Field(default=... if required else default, alias=name, description=description)
    return cast(FieldInfo, made)


def _documented(text: str) -> dict[str, str]:
    """What the docstring's "Args:" section says of each parameter."""
    section = _ARGS_SECTION.search(text)
    lines = _ARG_LINE.findall(section[1]) if section else []
    return {name: " ".join(said.split()) for name, said in lines}


def _printable(text: str) -> str:
    """Text without lone surrogates, which nothing can print or send."""
    return text.encode("utf-8", "backslashreplace").decode()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
