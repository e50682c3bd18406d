"""Files that tools' arguments name: checked, hashed and told before the tool runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, FilePath

from busctl.adapters.file_reading import RootedFiles
from busctl.core.errors import FileRefused, InvalidArguments
from busctl.core.files.arguments import marked, replaced
from busctl.core.principal import OPERATOR
from busctl.core.tools.toolset import Offer
from busctl.ops.files.entrance import FileEntrance
from busctl.ops.tools import PythonTools
from busctl.ports import Answer, Call

ran: list[Any] = []


def one(path: FilePath, note: str = "") -> str:
    ran.append(path)
    return f"{path}"


def many(
    paths: Annotated[list[str], Field(json_schema_extra={"x-busctl-file": True})],
    other: FilePath | None = None,
) -> list[str]:
    ran.append(paths)
    return paths


class Job(BaseModel):
    source: FilePath


def nested(jobs: list[Job]) -> int:
    ran.append(jobs)
    return len(jobs)


def plain(files: list[str]) -> list[str]:
    ran.append(files)
    return files


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., Any]:
    ran.clear()
    tools = PythonTools([Offer("test", "a test", [one, many, nested, plain])])
    entrance = FileEntrance(tools, RootedFiles([str(tmp_path)], 1_000_000))

    async def called(name: str, **arguments: Any) -> Answer:
        return await entrance.call(Call(
            name, arguments, OPERATOR, "s", "r", UUID(int=0), lambda _: None, lambda *_: None
        ))  # fmt: skip

    return called


async def test_the_tool_gets_the_path_that_a_link_leads_to(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "real.txt").write_text("content")
    (tmp_path / "link.txt").symlink_to("real.txt")
    answer = await call("one", path=str(tmp_path / "link.txt"), note="/etc/passwd")
    assert answer.payload == str(tmp_path / "real.txt").encode()
    assert answer.metadata["files"] == [{
        "name": "real.txt", "path": str(tmp_path / "link.txt"), "done": "passed", "size": 7,
        "sha256": hashlib.sha256(b"content").hexdigest(),
    }]  # fmt: skip


async def test_lists_options_and_nested_arguments(call: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        (tmp_path / f"{name}-link").symlink_to(name)
    links = [str(tmp_path / "a-link"), str(tmp_path / "b-link")]
    answer = await call("many", paths=links, other=links[0])
    assert json.loads(answer.payload) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert len(answer.metadata["files"]) == 3
    await call("nested", jobs=[{"source": link} for link in links])
    assert [str(job.source) for job in ran[-1]] == [str(tmp_path / "a"), str(tmp_path / "b")]


async def test_a_refused_file_fails_the_call_and_nothing_runs(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(FileRefused) as caught:
        await call("many", paths=[str(tmp_path / "a"), "/etc/passwd", str(tmp_path / "none")])
    assert "/etc/passwd" in caught.value.message and "none" in caught.value.message
    assert ran == []


async def test_what_no_schema_marks_is_passed_as_it_is(call: Callable[..., Any]) -> None:
    answer = await call("plain", files=["/etc/passwd", "../relative"])
    assert json.loads(answer.payload) == ["/etc/passwd", "../relative"]
    assert not answer.metadata


def test_marks_in_schemas_of_all_shapes() -> None:
    file = {"type": "string", "format": "file-path"}
    schema = {
        "$defs": {"Node": {"properties": {"file": file, "next": {"$ref": "#/$defs/Node"}}}},
        "properties": {
            "a": file, "b": {"anyOf": [file, {"type": "null"}]}, "c": {"$ref": "#/$defs/Node"},
            "d": {"type": "array", "items": {"x-busctl-file": True}}, "e": {"type": "string"},
            "f": {"x-busctl-file": True, "type": "array"}, "g": True, "h": {"$ref": "#/none"},
            "i": {"additionalProperties": file}, "j": {"prefixItems": [{}, file]},
        },
    }  # fmt: skip
    arguments = {
        "a": "/a", "b": "/b", "c": {"file": "/c", "next": {"file": "/cc", "next": None}},
        "d": ["/d", 7], "e": "/e", "f": ["/f"], "g": "/g", "h": "/h", "z": "/z",
        "i": {"any": "/i"}, "j": ["/0", "/j"],
    }  # fmt: skip
    found = marked(schema, arguments)
    assert sorted(found.values()) == ["/a", "/b", "/c", "/cc", "/d", "/f", "/i", "/j"]
    other = replaced(arguments, {place: f"/new{path}" for place, path in found.items()})
    assert (other["c"]["next"]["file"], other["d"], other["e"]) == ("/new/cc", ["/new/d", 7], "/e")
    assert arguments["a"] == "/a"


def test_a_schema_that_holds_itself_ends() -> None:
    node: dict[str, Any] = {"properties": {"file": {"format": "file-path"}}}
    node["properties"]["next"] = node
    node["anyOf"] = [node, *({"allOf": [node, node]} for _ in range(20))]
    value: dict[str, Any] = {"file": "/deepest"}
    for _ in range(50):
        value = {"next": value, "file": "/file"}
    assert len(marked(node, value)) == 51
    assert marked({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, {}) == {}


def test_arguments_that_are_nested_too_deep_are_refused() -> None:
    node: dict[str, Any] = {"properties": {"file": {"format": "file-path"}}}
    node["properties"]["next"] = node
    value: dict[str, Any] = {"file": "/deepest"}
    for _ in range(150):
        value = {"next": value}
    with pytest.raises(InvalidArguments):
        marked(node, value)
