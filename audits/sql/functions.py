"""CREATE FUNCTION statements: whose, in what language, with which search_path."""

from __future__ import annotations

from audits.sql.statements import Statement, language
from audits.sql.tokens import body

_LOOKING_UP = {"sql", "plpgsql", "plpython3u", "plpythonu", "plperl", "plperlu", "plv8"}


def function_name(statement: Statement) -> str:
    """The name of the function or procedure that a statement makes, "" for another statement and
    for languages that look up no names."""
    given = statement.words(4)
    at = 3 if given[1:3] == ("or", "replace") else 1
    if given[:1] != ("create",) or given[at : at + 1] not in (("function",), ("procedure",)):
        return ""
    name = statement.name_after(at + 1)
    behind = at + 1 + len(name.split(".")) * 2 - 1
    if behind >= len(statement.tokens) or statement.tokens[behind].text != "(":
        return ""  # prose that begins like a statement
    return name if language(statement) in _LOOKING_UP else ""


def sets_search_path(statement: Statement, name: str) -> bool:
    """Whether the function, or a later ALTER FUNCTION of the same text, sets its search_path."""
    if statement.find("set", "search_path") >= 0 or _sets_inside(statement):
        return True
    whole = Statement(statement.whole, statement.whole)
    at = -1
    while (at := whole.find("alter", start=at + 1)) >= 0:
        kind = whole.tokens[at + 1].text if at + 1 < len(whole.tokens) else ""
        if kind in ("function", "procedure", "routine") and whole.name_after(at + 2) == name:
            end = next(
                (step for step in range(at, len(whole.tokens)) if whole.tokens[step].text == ";"),
                len(whole.tokens),
            )
            found = whole.find("set", "search_path", start=at)
            if 0 <= found < end:
                return True
    return False


def _sets_inside(statement: Statement) -> bool:
    """SET LOCAL in the body: a procedure with SET in its head may not commit."""
    for token in statement.tokens:
        if token.kind == "body" and "search_path" in token.raw:
            inner = Statement(tuple(body(token)), ())
            if inner.find("set", "local", "search_path") >= 0:
                return True
    return False


def is_parsed_at_once(statement: Statement) -> bool:
    """Whether the body is standard SQL (BEGIN ATOMIC, RETURN), whose names are bound when it is
    made, or the function is temporary."""
    if statement.find("begin", "atomic") >= 0:
        return True
    at = statement.find("as")
    while at >= 0:
        following = statement.tokens[at + 1].kind if at + 1 < len(statement.tokens) else ""
        if following in ("body", "string"):
            return False
        at = statement.find("as", start=at + 1)
    return True
