"""Reading the `mcpServers` JSON of desktop clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from busctl.core.mcp.jsonc import plain_json
from busctl.core.mcp.upstream import Command, Endpoint
from busctl.core.mcp.upstream_config import UpstreamConfig, read_config
from busctl.core.tools.bounds import Bounds

SECRET = "hunter2-the-secret"
ENVIRON = {"HOME": "/home/me", "API_KEY": SECRET, "EMPTY": ""}


def read(servers: Any, root: str = "mcpServers") -> UpstreamConfig:
    return read_config(json.dumps({root: servers}), ENVIRON)


def only(server: dict[str, Any], root: str = "mcpServers") -> Any:
    config = read({"one": server}, root)
    assert not config.faults
    (upstream,) = config.upstreams
    return upstream.via


@pytest.mark.parametrize("kind", [{}, {"type": "stdio"}, {"transport": "stdio"}])
def test_a_command(kind: dict[str, str]) -> None:
    server = {
        "command": "npx",
        "args": ["-y", "some-server", "--root=${HOME}", 7],
        "env": {"KEY": "${API_KEY}", "LEVEL": "${LEVEL:-info}", "PORT": 80},
        "cwd": "${HOME}/work",
    }
    assert only(server | kind) == Command(
        "npx",
        ("-y", "some-server", "--root=/home/me", "7"),
        {"KEY": SECRET, "LEVEL": "info", "PORT": "80"},
        "/home/me/work",
    )


@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://example.org/mcp"},
        {"type": "http", "url": "https://example.org/mcp"},
        {"type": "streamable-http", "url": "https://example.org/mcp"},
        {"type": "streamableHttp", "url": "https://example.org/mcp"},
        {"transport": "streamable-http", "url": "https://example.org/mcp"},
        {"serverUrl": "https://example.org/mcp"},
        {"httpUrl": "https://example.org/mcp"},
    ],
)
def test_an_endpoint(server: dict[str, Any]) -> None:
    headers = {"Authorization": "Bearer ${env:API_KEY}"}
    found = only(server | {"headers": headers})
    assert found == Endpoint("https://example.org/mcp", {"Authorization": f"Bearer {SECRET}"})


def test_a_byte_order_mark_is_passed_over() -> None:
    config = read_config(b'\xef\xbb\xbf{"mcpServers": {"a": {"command": "a"}}}', {})
    assert [each.name for each in config.upstreams] == ["a"]
    (fault,) = read_config(b'{"mcpServers": "\xff"}', {}).faults
    assert "not JSON" in fault


def test_the_key_of_vs_code() -> None:
    assert only({"type": "stdio", "command": "a"}, "servers") == Command("a")


def test_what_a_variable_stands_for() -> None:
    found = only({
        "command": "a",
        "args": ["${EMPTY}", "${EMPTY:-filled}", "$API_KEY", "a${HOME}b${NONE:-}c", "${NONE:-x y}"],
    })  # fmt: skip
    assert found.args == ("", "filled", "$API_KEY", "a/home/mebc", "x y")


def test_servers_that_are_switched_off_are_not_looked_into() -> None:
    config = read({
        "a": {"command": "a", "env": {"K": "${NOT_SET}"}, "disabled": True},
        "b": {"command": "b", "enabled": False},
        "c": {"command": "c", "disabled": False},
    })  # fmt: skip
    assert config.disabled == ["a", "b"]
    assert [each.name for each in config.upstreams] == ["c"]
    assert not config.faults


def test_our_own_settings_of_a_server_and_of_its_tools() -> None:
    ours = {
        "timeout_secs": 30,
        "start_timeout_secs": 90,
        "tools": {"slow": {"timeout_secs": 600, "inline_max_bytes": 0}, "few": {"concurrency": 2}},
    }
    (upstream,) = read({"a": {"command": "a", "busctl": ours}}).upstreams
    assert upstream.start_timeout_secs == 90
    assert upstream.bounds_of("other") == Bounds(30)
    assert upstream.bounds_of("slow") == Bounds(600, None, 0)
    assert upstream.bounds_of("few") == Bounds(30, 2)


def test_comments_and_trailing_commas_are_read() -> None:
    config = read_config(
        """// of VS Code
        {
            "servers": { /* two
                of them */
                "a": {"command": "a", "args": ["http://x", "/* no comment */", ",]",],}, // and
                "b": {"url": "http://b//c",},
            },
        }""",
        ENVIRON,
    )
    assert not config.faults
    first, second = config.upstreams
    assert isinstance(first.via, Command)
    assert first.via.args == ("http://x", "/* no comment */", ",]")
    assert second.via == Endpoint("http://b//c")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{ // a "quote\n  "mcpServers": {"a" 1}}', "line 2 column 22"),
        ('{"mcpServers": {} /* never', "line 1 column 19"),
        ('{"a": [1,,]}', "column"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_named_by_its_place(text: str, place: str) -> None:
    (fault,) = read_config(text, ENVIRON).faults
    assert "it is not JSON" in fault
    assert place in fault


@given(st.recursive(
    st.none() | st.booleans() | st.text(",]}/*\\\"\n x", max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("/*,]\"", max_size=4), inner, max_size=3),
), st.booleans())  # fmt: skip
def test_json_stays_what_it_is(value: Any, spread: bool) -> None:
    text = json.dumps(value, indent=2 if spread else None)
    assert plain_json(text) == text


def test_what_is_not_known_is_warned_about() -> None:
    config = read({"a": {"command": "a", "timeout": 60, "envFile": ".env", "autoApprove": []}})
    assert not config.faults
    assert config.warnings == [
        "mcpServers.a.envFile is not known and does nothing",
        "mcpServers.a.timeout is not known and does nothing",
    ]


def test_every_fault_is_told_at_once() -> None:
    config = read({
        "neither": {},
        "both": {"command": "a", "url": "http://b"},
        "old": {"type": "sse", "url": "http://b"},
        "odd": {"type": "pigeon", "command": "a"},
        "url": {"url": "ftp://b"},
        "crossed": {"type": "http", "command": "a"},
        "unset": {"command": "a", "env": {"K": "${NOT_SET}"}, "args": ["${input:key}", None]},
        "header": {"url": "http://b", "headers": {"a b": "c", "d": "e\nf"}},
        "ours": {"command": "a", "busctl": {"timeout": 1, "concurrency": 0, "tools": {"t": 1}}},
        "list": [],
        "fine": {"command": "a"},
    })  # fmt: skip
    assert [each.name for each in config.upstreams] == ["fine"]
    told = "\n".join(config.faults)
    for words in (
        "mcpServers.neither needs a command or url", "mcpServers.both has both",
        "mcpServers.old.type is 'sse'", "mcpServers.odd.type is 'pigeon'",
        "mcpServers.url.url is no http", "mcpServers.crossed needs a url",
        "mcpServers.unset.env.K needs ${NOT_SET}", "mcpServers.unset.args[0] has ${input",
        "mcpServers.unset.args[1] is no text", "mcpServers.header.headers has 'a b'",
        "mcpServers.header.headers.d must be printable", "mcpServers.ours.busctl.timeout is not",
        "mcpServers.ours.busctl: concurrency must", "mcpServers.ours.busctl.tools.t is no object",
        "mcpServers.list is no object",
    ):  # fmt: skip
        assert words in told
    assert len(config.faults) == 15


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "no object 'mcpServers'"),
        ("{}", "no object 'mcpServers'"),
        ('{"mcpServers": []}', "mcpServers is no object"),
        ('{"mcpServers": {"a": {"command": "a"}, "a": {"command": "b"}}}', "'a' is there twice"),
        ('{"mcpServers": {"a": {"command": "a"}}, "servers": {"a": {"command": "b"}}}', "too"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_names_no_servers(text: str, words: str) -> None:
    (fault,) = read_config(text, {}).faults
    assert words in fault


def test_no_secret_is_shown() -> None:
    config = read({
        "a": {"command": "a", "args": [SECRET], "env": {"K": "${API_KEY}"}},
        "b": {"url": f"https://me:{SECRET}@example.org/{SECRET}/mcp?key={SECRET}",
              "headers": {"X": "${API_KEY}"}},
        "c": {"url": f"{SECRET}", "headers": {"X": f"{SECRET}\n"}, "env": [SECRET]},
        "d": {"command": "a", "cwd": [SECRET], "args": SECRET,
              "env": {"K": "${0:-" + SECRET + "}"}},
    })  # fmt: skip
    assert len(config.faults) == 5
    assert SECRET not in repr(config)
    a, b = config.upstreams
    assert (a.via.shown, b.via.shown) == ("a", "https://example.org")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(
            ["command", "args", "env", "url", "headers", "type", "busctl", "tools", "disabled"]
        ), inner),
    )
)  # fmt: skip
def test_it_never_raises(shape: Any) -> None:
    config = read({"a": shape})
    assert config.faults or config.upstreams or config.disabled
