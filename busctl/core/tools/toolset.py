"""How Python callables are offered as tools: ToolSet names them, Offer says where they are from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, TypeVar, overload

from busctl.core.errors import ConfigurationError
from busctl.core.tools.bounds import NONE, Bounds, faults_of

Progress = Callable[[str], None]
"""Annotate a tool's parameter with this and it receives a function that takes a progress note."""

Tool = Callable[..., Any]
AnyTool = TypeVar("AnyTool", bound=Tool)


class ToolSet:
    """Callables offered as tools, by name.

    tools = ToolSet()

    @tools.tool
    def add(left: int, right: int) -> int:
        '''Add two numbers.'''
        return left + right
    """

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}
        self._bounds: dict[str, Bounds] = {}

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The callables by tool name, in the order they were added."""
        return MappingProxyType(self._tools)

    @property
    def bounds(self) -> Mapping[str, Bounds]:
        """What tools by their names may take, where that was said."""
        return MappingProxyType(self._bounds)

    @overload
    def tool(self, function: AnyTool, /) -> AnyTool: ...
    @overload
    def tool(
        self, *, name: str | None = None, timeout_secs: float | None = None,
        concurrency: int | None = None, inline_max_bytes: int | None = None,
    ) -> Callable[[AnyTool], AnyTool]: ...  # fmt: skip
    def tool(
        self, function: Any = None, name: str | None = None, *, timeout_secs: float | None = None,
        concurrency: int | None = None, inline_max_bytes: int | None = None,
    ) -> Any:  # fmt: skip
        """Add a callable under its own or the given name; the decorator returns it unchanged.

        `timeout_secs` bounds a call, `concurrency` calls at a time, and answers up to
        `inline_max_bytes` travel whole, in place of what the settings say for all tools. Raises
        ConfigurationError if the name is taken, or for a bound that makes no sense.
        """
        own = Bounds(timeout_secs, concurrency, inline_max_bytes)
        if function is None:
            return lambda given: self._add(name, given, own)
        return self._add(name, function, own)

    def _add(self, name: str | None, function: Tool, own: Bounds) -> Tool:
        chosen = name or name_of(function)
        if chosen in self._tools:
            raise ConfigurationError(
                f"The tool set has a tool named {chosen!r} already.",
                remedy="Give one of the two another name.",
            )
        if faults := faults_of(asdict(own)):
            raise ConfigurationError(f"Of the tool {chosen!r}, {'; '.join(faults)}.")
        self._tools[chosen] = function
        self._bounds[chosen] = own
        return function


@dataclass(frozen=True, slots=True)
class Offer:
    """What one origin offers: `value` is a callable, a list or dict of callables, or a ToolSet.

    `provider` is the name that limits count by, `origin` says to a person where it came from.
    """

    provider: str
    origin: str
    value: object

    def tools(self) -> Mapping[str, Tool]:
        """The callables by tool name. Raises ConfigurationError for anything else."""
        match self.value:
            case ToolSet():
                found: dict[Any, Any] = dict(self.value.tools)
            case Mapping():
                found = dict(self.value)
            case list() | tuple():
                found = {name_of(each): each for each in self.value}
                if len(found) != len(self.value):
                    raise self._refused("offers two tools of the same name")
            case _:
                found = {name_of(self.value): self.value}
        if not found:
            raise self._refused("offers no tool")
        return {self._text(name): self._callable(name, each) for name, each in found.items()}

    def bounds_of(self, name: str) -> Bounds:
        """What the tool of that name may take."""
        return self.value.bounds.get(name, NONE) if isinstance(self.value, ToolSet) else NONE

    def _text(self, name: object) -> str:
        if isinstance(name, str):
            return name
        raise self._refused(f"names a tool {name!r}, which is no text")

    def _callable(self, name: object, value: object) -> Tool:
        if callable(value) and not isinstance(value, type):
            return value
        raise self._refused(f"offers {name!r}, a {type(value).__name__} that is no function")

    def _refused(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.origin} {why}.",
            remedy="Offer a function, a list or dict of functions, or a busctl.tools.ToolSet.",
        )


def name_of(function: object) -> str:
    """The name a callable goes by when it is given none; its type's for an object without one."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__
