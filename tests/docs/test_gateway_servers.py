"""docs/gateway.md: its file of servers is read, its Python tools are offered, as they stand."""

from __future__ import annotations

import asyncio
from types import ModuleType
from uuid import uuid4

from busctl.core.mcp.upstream import Command, Endpoint
from busctl.core.mcp.upstream_config import read_config
from busctl.core.principal import OPERATOR
from busctl.core.tools.bounds import Bounds
from busctl.core.tools.toolset import Offer
from busctl.ops.tools import PythonTools
from busctl.ports import Call
from tests.docs import examples

PAGE = "gateway.md"


def example(kind: str) -> str:
    (found,) = [each.text for each in examples.blocks(PAGE) if each.kind == kind]
    return found


def test_the_file_of_servers() -> None:
    config = read_config(example("servers"), {"HOME": "/home/me", "TRACKER_TOKEN": "t"})
    assert (config.faults, config.warnings, config.disabled) == ([], [], ["old"])
    files, tracker = config.upstreams
    assert isinstance(files.via, Command)
    assert files.via.args[-1] == "/home/me/notes"
    assert tracker.via == Endpoint("https://tracker.example.org/mcp", {"Authorization": "Bearer t"})
    assert tracker.bounds_of("export") == Bounds(900, 1)
    assert tracker.bounds_of("other") == Bounds(60)


async def test_the_python_tools() -> None:
    module = ModuleType("mytools")
    exec(example("tools"), module.__dict__)
    host = PythonTools([Offer("mytools", "the page", module.tools)])
    (tool,) = host.list_tools()
    assert tool.bounds == Bounds(600, 2, 2000)
    assert tool.input_schema["properties"]["table"]["description"] == "Its name."
    notes: list[str] = []
    call = Call(
        "export", {"table": "cities"}, OPERATOR, "s", "r", uuid4(), notes.append, lambda *_: None
    )
    answer = await host.call(call)
    assert answer.pieces is not None
    assert b"".join([piece async for piece in answer.pieces]) == b"cities 0\ncities 1\ncities 2\n"
    await asyncio.sleep(0)
    assert notes[-1] == "row 2 of cities"
