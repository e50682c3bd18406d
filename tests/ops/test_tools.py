"""Tools: schemas from type hints, checked arguments, answers made into bytes once."""

from __future__ import annotations

import asyncio
import functools
import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from busctl.adapters.toolmodules import load_tools
from busctl.core import samples
from busctl.core.errors import ConfigurationError, InvalidArguments, ToolFailed, ToolNotFound
from busctl.core.principal import OPERATOR
from busctl.core.tools.toolset import Offer, Progress, ToolSet
from busctl.ops.answers import encode_json
from busctl.ops.tool_hosts import ToolHosts
from busctl.ops.tools import PythonTools
from busctl.ports import Answer, Bounds, Call


def host_of(value: object) -> PythonTools:
    return PythonTools([Offer("test", "this test", value)])


def returning(value: object) -> PythonTools:
    def tool() -> object:
        return value

    return host_of(tool)


def call_of(
    name: str, arguments: dict[str, Any], note: Callable[[str], None] = lambda text: None
) -> Call:
    return Call(name, arguments, OPERATOR, "s", "r", uuid4(), note, lambda done, of: None)


async def answered(
    host: PythonTools, name: str = "tool", arguments: dict[str, Any] | None = None
) -> tuple[bytes, str]:
    """The whole answer of one call, and its content type."""
    answer = await host.call(call_of(name, arguments or {}))
    return await whole(answer), answer.content_type


async def whole(answer: Answer) -> bytes:
    if answer.payload is not None:
        return answer.payload
    assert answer.pieces is not None
    return b"".join([piece async for piece in answer.pieces])


# --- answers become bytes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "payload", "content_type"),
    [
        ("naïve\r\n\x00", b"na\xc3\xafve\r\n\x00", "text/plain; charset=utf-8"),
        ("", b"", "text/plain; charset=utf-8"),
        (b"\x00\xff", b"\x00\xff", "application/octet-stream"),
        (bytearray(b"ab"), b"ab", "application/octet-stream"),
        (memoryview(b"ab"), b"ab", "application/octet-stream"),
        (None, b"null", "application/json"),
        ({"b": 1.0, "a": ["é", True]}, b'{"b":1.0,"a":["\xc3\xa9",true]}', "application/json"),
        (["\ud800"], b'["\\ud800"]', "application/json"),
        ({"\udfff": 1}, b'{"\\udfff":1}', "application/json"),
        (7, b"7", "application/json"),
    ],
)
async def test_values_become_bytes(value: object, payload: bytes, content_type: str) -> None:
    assert await answered(returning(value)) == (payload, content_type)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.just("\ud800"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_values_survive(value: object) -> None:
    assert json.loads(encode_json("tool", value).decode("utf-8")) == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "not JSON"),
        ({"a": math.inf}, "not JSON"),
        ("one \ud800", r"lone surrogate \(U\+D800 at character 4\)"),
        (object(), "object that is not JSON"),
        ({1, 2}, "set that is not JSON"),
    ],
)
async def test_what_has_no_bytes_is_refused(value: object, said: str) -> None:
    with pytest.raises(ToolFailed, match=said):
        await answered(returning(value))


async def test_large_text_is_whole() -> None:
    text = "größe" * 300_000
    assert (await answered(returning(text)))[0] == text.encode()


# --- kinds of callables --------------------------------------------------------------------------


async def test_sync_tools_run_in_threads_beside_each_other() -> None:
    barrier = threading.Barrier(40)

    def tool() -> str:
        assert threading.current_thread() is not threading.main_thread()
        barrier.wait(timeout=30)
        return "met"

    host = host_of(tool)
    answers = await asyncio.gather(*(answered(host) for _ in range(40)))
    assert {payload for payload, _ in answers} == {b"met"}


async def test_async_tool_runs_in_the_loop() -> None:
    async def tool() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert (await answered(host_of(tool)))[0].decode() == threading.main_thread().name


async def test_async_generator_streams() -> None:
    closed = asyncio.Event()

    async def tool() -> AsyncIterator[str]:
        try:
            yield "é"
            yield "\n"
        finally:
            closed.set()

    assert await answered(host_of(tool)) == ("é\n".encode(), "text/plain; charset=utf-8")
    assert closed.is_set()


async def test_generator_streams_from_a_thread() -> None:
    def tool() -> Iterator[bytes]:
        assert threading.current_thread() is not threading.main_thread()
        for number in range(25_000):
            yield number.to_bytes(4)

    payload, content_type = await answered(host_of(tool))
    assert payload == b"".join(number.to_bytes(4) for number in range(25_000))
    assert content_type == "application/octet-stream"


async def test_empty_generator_is_an_empty_answer() -> None:
    def tool() -> Iterator[bytes]:
        yield from ()

    assert (await answered(host_of(tool)))[0] == b""


async def test_callable_object_partial_and_answer() -> None:
    class Greeter:
        async def __call__(self, who: str) -> str:
            return f"Hello {who}"

    def both(left: str, right: str) -> Answer:
        return Answer((left + right).encode(), None, "text/markdown")

    host = host_of({"greet": Greeter(), "both": functools.partial(both, "a")})
    assert (await answered(host, "greet", {"who": "Ada"}))[0] == b"Hello Ada"
    assert (await answered(host, "both", {"right": "b"})) == (b"ab", "text/markdown")


async def test_sync_callable_that_returns_a_coroutine() -> None:
    async def inner(text: str) -> str:
        return text * 2

    def tool(text: str) -> Any:
        return inner(text)

    assert (await answered(host_of(tool), "tool", {"text": "ab"}))[0] == b"abab"


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ValueError("no \ud800 luck"), StopIteration("odd"), SystemExit(3), ToolNotFound("inner")],
)
async def test_whatever_a_tool_raises_is_tool_failed(error: BaseException) -> None:
    def plain() -> None:
        raise error

    def generator() -> Iterator[bytes]:
        yield b"a"
        raise error

    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        raise error

    host = host_of([plain, generator, stream])
    for name in ("plain", "generator", "stream"):
        with pytest.raises(ToolFailed, match=name) as failure:
            await answered(host, name)
        assert "Traceback" not in str(failure.value)
        str(failure.value).encode()


async def test_async_tool_that_raises() -> None:
    async def tool() -> None:
        raise KeyError("gone")

    with pytest.raises(ToolFailed, match="KeyError: 'gone'"):
        await answered(host_of(tool))


async def test_mixed_and_wrong_pieces_are_refused() -> None:
    def mixed() -> Iterator[object]:
        yield "a"
        yield b"b"

    async def numbers() -> AsyncIterator[int]:
        yield 1

    host = host_of([mixed, numbers])
    with pytest.raises(ToolFailed, match="yielded a bytes in a stream of str"):
        await answered(host, "mixed")
    with pytest.raises(ToolFailed, match="yielded a int"):
        await answered(host, "numbers")


async def test_unknown_tool_names_a_near_one() -> None:
    with pytest.raises(ToolNotFound, match="Did you mean 'tool'"):
        await answered(returning(1), "tools")
    with pytest.raises(ToolNotFound) as failure:
        await answered(returning(1), "\ud800")
    str(failure.value).encode()


async def test_cancelling_stops_an_async_tool_and_forgets_a_sync_one() -> None:
    cancelled, release = asyncio.Event(), threading.Event()

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def hangs() -> str:
        release.wait(60)
        return "late"

    host = host_of([waits, hangs])
    for name in ("waits", "hangs"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await answered(host, name)
    release.set()
    assert cancelled.is_set()


# --- arguments -----------------------------------------------------------------------------------


def search(
    query: str,
    limit: Annotated[int, Field(ge=1, le=50)] = 10,
    sort: Literal["new", "old"] = "new",
    copy: list[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Search the corpus.

    Args:
        query: What to look for,
            in words.
        limit (int): Most hits.
    """
    return {"query": query, "limit": limit, "sort": sort, "copy": copy}


def test_schema_comes_from_hints_and_docstring() -> None:
    (info,) = host_of(search).list_tools()
    assert info.name == "search"
    assert info.description.startswith("Search the corpus.")
    schema = info.input_schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["query"]
    assert schema["properties"]["query"] == {
        "type": "string",
        "description": "What to look for, in words.",
    }
    assert schema["properties"]["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "default": 10,
        "description": "Most hits.",
    }
    assert schema["properties"]["sort"]["enum"] == ["new", "old"]
    assert "copy" in schema["properties"]
    json.dumps(dict(schema), allow_nan=False)


async def test_defaults_are_the_functions_own() -> None:
    payload, _ = await answered(host_of(search), "search", {"query": "x", "copy": ["y"]})
    assert json.loads(payload) == {"query": "x", "limit": 10, "sort": "new", "copy": ["y"]}


async def test_every_fault_of_the_arguments_is_named() -> None:
    with pytest.raises(InvalidArguments) as failure:
        await answered(host_of(search), "search", {"limit": 99, "sort": "odd", "\udc00x": 1})
    text = str(failure.value)
    for part in ("query: Field required", "limit: ", "sort: ", "\\udc00x: Extra inputs"):
        assert part in text
    text.encode()


async def test_lone_surrogates_in_arguments() -> None:
    payload, _ = await answered(host_of(search), "search", {"query": "\ud800"})
    assert json.loads(payload)["query"] == "\ud800"
    with pytest.raises(ToolFailed, match="lone surrogate"):
        await answered(PythonTools(load_tools()), "echo", {"text": "\ud800"})
    with pytest.raises(InvalidArguments, match="a name: "):
        await answered(host_of({"tool": lambda **more: more}), "tool", {"\ud800": 1})


async def test_keyword_arguments_are_passed_on() -> None:
    def tool(**more: int) -> object:
        return more

    assert (await answered(host_of(tool), "tool", {"a": 1, "b": 2}))[0] == b'{"a":1,"b":2}'


@pytest.mark.parametrize("kind", ["sync", "async", "generator"])
async def test_progress_notes_arrive_in_the_loop(kind: str) -> None:
    def sync(progress: Callable[[str], None]) -> str:
        progress("half")
        return "done"

    async def later(tell: Progress) -> str:
        tell("half")
        return "done"

    def generator(progress) -> Iterator[str]:  # type: ignore[no-untyped-def]  # untyped on purpose: found by its name alone
        progress("half")
        yield "done"

    function = {"sync": sync, "async": later, "generator": generator}[kind]
    host = host_of({"tool": function})
    assert host.list_tools()[0].input_schema["properties"] == {}
    seen: list[tuple[str, str]] = []
    answer = await host.call(
        call_of("tool", {}, lambda text: seen.append((text, threading.current_thread().name)))
    )
    assert await whole(answer) == b"done"
    await asyncio.sleep(0)
    assert seen == [("half", threading.main_thread().name)]


async def test_a_typed_argument_named_progress_is_an_argument() -> None:
    def tool(progress: int) -> int:
        return progress + 1

    assert (await answered(host_of(tool), "tool", {"progress": 1}))[0] == b"2"


# --- offering ------------------------------------------------------------------------------------


def positional(text: str, /) -> str:
    return text


def several(*texts: str) -> str:
    return "".join(texts)


def unknown_type(lock: threading.Thread) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "offers 'int', a int that is no function"),
        ([], "offers no tool"),
        ({"a b": search}, "'a b' .* is no name"),
        ([lambda: 1], "'<lambda>' .* is no name"),
        ([search, search], "two tools of the same name"),
        ({1: search}, "which is no text"),
        (ToolSet, "is no function"),
        (positional, "'text' cannot be given by name"),
        (several, "'texts' cannot be given by name"),
        (unknown_type, "'unknown_type' of this test cannot be offered"),
    ],
)
def test_what_cannot_be_offered(value: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        host_of(value)


def test_a_clash_names_both_origins() -> None:
    def search_two() -> None: ...

    with pytest.raises(ConfigurationError, match="'search': one of here, one of there"):
        PythonTools([Offer("a", "here", search), Offer("b", "there", {"search": search_two})])
    assert (
        len(PythonTools([Offer("a", "here", search), Offer("b", "there", search)]).list_tools())
        == 1
    )


def test_tool_set_names_and_refuses_twice() -> None:
    tools = ToolSet()
    assert tools.tool(search) is search
    tools.tool(name="find")(search)
    assert [info.name for info in host_of(tools).list_tools()] == ["find", "search"]
    with pytest.raises(ConfigurationError, match="named 'find' already"):
        tools.tool(name="find")(search)


# --- loading -------------------------------------------------------------------------------------


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_modules_are_loaded_by_name(modules: Path) -> None:
    (modules / "loaded_by_name.py").write_text(
        "class Box:\n    @staticmethod\n    def inner(x: int) -> int:\n        return x\n"
    )
    (offer,) = load_tools(["loaded_by_name:Box.inner"], installed=False)
    assert offer.provider == "loaded_by_name:Box.inner"
    assert list(offer.tools()) == ["inner"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('no key set')", "ValueError: no key set"),
        ("import sys; sys.exit('stop')", "SystemExit: stop"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("def (", "SyntaxError"),
        ("tools = 1", "has no 'absent'"),
    ],
)
def test_a_module_that_does_not_load_is_named(modules: Path, source: str, said: str) -> None:
    (modules / "does_not_load.py").write_text(source)
    with pytest.raises(ConfigurationError, match="does_not_load") as failure:
        load_tools(["does_not_load:absent"], installed=False)
    assert said in str(failure.value)


def test_demonstration_tools_are_installed() -> None:
    host = PythonTools(load_tools())
    assert {"echo", "generate"} <= {info.name for info in host.list_tools()}
    assert {info.provider for info in host.list_tools()} == {"busctl.tools:demo"}


@pytest.mark.parametrize("kind", samples.KINDS)
@pytest.mark.parametrize("size", [0, 1, 1_000, 17_000_000])
async def test_generate_is_exact(kind: samples.Kind, size: int) -> None:
    host = PythonTools(load_tools())
    payload, content_type = await answered(
        host, "generate", {"size_bytes": size, "kind": kind, "seed": 5}
    )
    assert payload == samples.sample(kind, size, 5)
    assert content_type == samples.CONTENT_TYPES[kind]


async def test_echo() -> None:
    assert (await answered(PythonTools(load_tools()), "echo", {"text": "é\x00"}))[
        0
    ] == b"\xc3\xa9\x00"


@pytest.mark.parametrize(
    "bounds",
    [{"timeout_secs": 0}, {"concurrency": 0}, {"inline_max_bytes": -1}, {"timeout_secs": "1"},
     {"concurrency": 1.5}, {"inline_max_bytes": True}],
)  # fmt: skip
def test_a_bound_that_makes_no_sense_is_refused(bounds: dict[str, Any]) -> None:
    tools = ToolSet()
    (name,) = bounds
    with pytest.raises(ConfigurationError, match=f"'search', {name} must"):
        tools.tool(**bounds, name="search")(lambda: "")
    assert not tools.tools


def test_bounds_are_listed_with_the_tool() -> None:
    tools = ToolSet()

    @tools.tool(timeout_secs=2, concurrency=3, inline_max_bytes=4)
    def search() -> str:
        return ""

    @tools.tool
    def plain() -> str:
        return ""

    listed = {tool.name: tool.bounds for tool in host_of(tools).list_tools()}
    assert listed == {"plain": Bounds(), "search": Bounds(2, 3, 4)}


async def test_a_name_that_is_taken_is_offered_under_its_providers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bus_read() -> str:
        return "mine"

    def theirs() -> str:
        return "theirs"

    first = PythonTools([Offer("bus", "the bus", [bus_read])])
    bus_read.__doc__ = "Mine."
    second = PythonTools([Offer("my.tools", "some module", [bus_read, theirs])])
    hosts = ToolHosts([first, second])
    names = [each.name for each in hosts.list_tools()]
    assert names == ["bus_read", "my.tools_bus_read", "theirs"]
    assert hosts.list_tools() is hosts.list_tools()
    for name, payload in (("my.tools_bus_read", b"mine"), ("theirs", b"theirs")):
        assert (await hosts.call(call_of(name, {}))).payload == payload
    (told,) = [each for each in caplog.records if "taken by another" in each.message]
    assert vars(told)["offered_as"] == "my.tools_bus_read"
