"""The hops of a call path over several files, and the forms it is shown in."""

from __future__ import annotations

import json

import pytest

from busctl.audit import Project, Source
from busctl.audit.calls import CallFacts
from busctl.audit.classes import ClassFacts
from busctl.audit.map import (
    NoSuchEntry,
    call_map,
    render_json,
    render_mermaid,
    render_text,
)

FILES = {
    "server/app.py": """
from server.tools import Tools as Box
from server import wire

class Daemon(Box):
    @app.websocket("/ws")
    async def handle(self, socket):
        result = self.run("x")
        await wire.answer(socket, result)
        self.run("y")

def forget():
    pass
""",
    "server/tools/__init__.py": "from .box import *\n",
    "server/tools/box.py": """
class Base:
    def run(self, name):
        return self.shape(call(name))

    def shape(self, value):
        return str(value)

class Tools(Base):
    def shape(self, value):
        return super().shape(value)[:1000]

def call(name):
    return call(name)
""",
    "server/wire.py": """
import json

async def answer(socket, result):
    text = json.dumps(result).encode()
    tail = text[1:], text[:-1]
    await socket.send(text)
""",
}


def project_of(files: dict[str, str]) -> Project:
    sources = [Source(path, text) for path, text in files.items()]
    return Project(
        {
            kind.__name__: {each.path: found for each in sources if (found := kind().collect(each))}
            for kind in (CallFacts, ClassFacts)
        }
    )


@pytest.fixture
def project() -> Project:
    return project_of(FILES)


def test_calls_are_followed_through_imports_stars_self_and_super(project: Project) -> None:
    found = call_map(project, "Daemon.handle", depth=9)
    assert {(each.caller, each.callee) for each in found.calls} == {
        ("server.app.Daemon.handle", "server.tools.box.Base.run"),
        ("server.app.Daemon.handle", "server.wire.answer"),
        ("server.tools.box.Base.run", "server.tools.box.Base.shape"),
        ("server.tools.box.Base.run", "server.tools.box.call"),
        ("server.tools.box.call", "server.tools.box.call"),
    }
    assert found.cut_off == ()


def test_super_leads_past_the_class_itself(project: Project) -> None:
    found = call_map(project, "Tools.shape", depth=1)
    assert [each.name for each in found.hops] == [
        "server.tools.box.Tools.shape",
        "server.tools.box.Base.shape",
    ]
    (cut,) = found.hops[0].points
    assert (cut.kind, cut.path, cut.line) == ("slice", "server/tools/box.py", 11)


def test_what_changes_the_payload_is_marked_in_the_order_of_the_text(project: Project) -> None:
    (answer,) = call_map(project, "server.wire.answer", depth=3).hops
    assert [each.kind for each in answer.points] == ["serialise", "encode", "send"]


def test_without_an_entry_every_handler_is_one(project: Project) -> None:
    found = call_map(project, None, depth=0)
    assert found.entries == ("server.app.Daemon.handle",)
    assert [each.name for each in found.hops] == ["server.app.Daemon.handle"]
    assert found.cut_off == found.entries
    assert "deeper calls not shown" in render_text(found)


def test_an_unknown_entry_is_refused_with_what_is_near(project: Project) -> None:
    with pytest.raises(NoSuchEntry, match=r"server\.wire\.answer"):
        call_map(project, "answe", depth=2)


def test_text_shows_each_hop_once(project: Project) -> None:
    lines = render_text(call_map(project, "handle", depth=9)).splitlines()
    assert lines[0] == "server.app.Daemon.handle  server/app.py:7"
    assert sum("server.tools.box.call " in line for line in lines) == 2
    assert sum(line.endswith("server.tools.box.call ↑") for line in lines) == 1
    assert any("serialise" in line and "server/wire.py:5" in line for line in lines)


def test_json_is_versioned(project: Project) -> None:
    shape = json.loads(render_json(call_map(project, "handle", depth=9)))
    assert shape["version"] == 1
    assert shape["entries"] == ["server.app.Daemon.handle"]
    assert {"name", "path", "line", "points"} == set(shape["hops"][0])
    assert {"caller", "callee", "line"} == set(shape["calls"][0])


def test_mermaid_names_each_hop_and_call(project: Project) -> None:
    found = call_map(project, "handle", depth=9)
    text = render_mermaid(found)
    assert text.startswith("flowchart TD\n")
    assert text.count("-->") == len(found.calls)
    assert 'h0(["server.app.Daemon.handle"])' in text
    assert "serialise · line 5" in text
