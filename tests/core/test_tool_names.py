"""Names of tools of several servers together."""

from __future__ import annotations

from itertools import permutations

from busctl.core.mcp.tool_names import MAX_CHARS, offered_names, offered_uris


def test_names_stay_as_they_are_without_a_clash() -> None:
    assert offered_names(["echo"], {"a": ["read"], "b": ["write"]}) == {
        "read": ("a", "read"),
        "write": ("b", "write"),
    }


def test_both_servers_of_a_clash_are_prefixed_whatever_their_order() -> None:
    servers = {"a": ["read", "x"], "b": ["read"], "c": ["y"]}
    wanted = {"a_read": ("a", "read"), "b_read": ("b", "read"), "x": ("a", "x"), "y": ("c", "y")}
    for order in permutations(servers):
        assert offered_names([], {name: servers[name] for name in order}) == wanted


def test_our_own_tools_keep_their_names() -> None:
    assert offered_names(["echo"], {"a": ["echo"]}) == {"a_echo": ("a", "echo")}


def test_servers_have_names_that_no_client_takes() -> None:
    assert offered_names(["x"], {"my server/1": ["x"]}) == {"my_server_1_x": ("my server/1", "x")}
    (name,) = offered_names(["x" * MAX_CHARS], {"a": ["x" * MAX_CHARS]})
    assert len(name) <= MAX_CHARS


def test_a_prefixed_name_may_be_taken_too() -> None:
    servers = {"a": ["b_c", "t"], "a_b": ["c", "t"], "z": ["a_t", "b_c", "c"]}
    made = offered_names([], servers)
    assert len(made) == 7
    assert set(made.values()) == {(server, name) for server in servers for name in servers[server]}


def test_a_server_that_lists_a_name_twice_clashes_with_nobody() -> None:
    assert offered_names([], {"a": ["x", "x"]}) == {"x": ("a", "x")}


def test_uris_that_clash_get_their_servers_before_them() -> None:
    servers = {"My files": ["a://1", "a://2", "a://1"], "my-files": ["a://1"], "7": ["a://1", "b:"]}
    assert offered_uris(servers) == {
        "my-files+a://1": ("My files", "a://1"), "a://2": ("My files", "a://2"),
        "my-files2+a://1": ("my-files", "a://1"), "s7+a://1": ("7", "a://1"), "b:": ("7", "b:"),
    }  # fmt: skip
