"""Names that cannot be mistaken, and what scopes let one do."""

from __future__ import annotations

import pytest

from busctl.core.errors import AccessDenied, ConfigurationError
from busctl.core.principal import NOBODY, OPERATOR, Principal, Scope, checked_name, parse_scopes


@pytest.mark.parametrize("name", ["a", "alice", "ci-runner", "alice@example.org", "7", "a" * 64])
def test_names_that_are_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "Alice", "al ice", "alice ", "-alice", "alice.", "a" * 65, "../etc", "a/b", "a\nb",
     "\u0430lice", "\uff41lice", "alice\u200b", "a\u0301", "\u202eecila", "a\x00", "\ud800",
     "e\x1b[2J"],
)  # fmt: skip
def test_names_that_look_like_others_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_name(name)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_scopes() -> None:
    assert parse_scopes("call, read") == {Scope.CALL, Scope.READ}
    for text in ("", "call,", "write", "CALL", "all"):
        with pytest.raises(ConfigurationError, match="Known are call, read, admin"):
            parse_scopes(text)


def test_what_a_scope_allows() -> None:
    caller = Principal("alice", frozenset({Scope.CALL}))
    caller.require(Scope.CALL)
    with pytest.raises(AccessDenied, match="alice lacks the scope read"):
        caller.require(Scope.READ)
    assert caller.reads_as == "alice"
    root = Principal("root", frozenset({Scope.ADMIN}))
    assert all(root.may(scope) for scope in Scope)
    assert root.reads_as is None
    assert OPERATOR.reads_as is None
    assert not any(NOBODY.may(scope) for scope in Scope)
