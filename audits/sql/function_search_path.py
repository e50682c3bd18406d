"""SQ004: a function without a search_path of its own."""

from __future__ import annotations

from collections.abc import Iterable

from audits.sql.functions import function_name, is_parsed_at_once, sets_search_path
from audits.sql.statements import Fault, Statement, in_python, in_text
from busctl.audit import Confidence, Example, Finding, Rule, Severity, Source


class FunctionSearchPath(Rule):
    """With the rights of its caller; SQ003 is for those with the rights of their owner."""

    code = "SQ004"
    name = "function-without-search-path"
    family = "sql"
    severity = Severity.NOTE
    summary = "A function looks names up in its caller's search_path."
    why = (
        "Called from a session, a trigger or a restore with another search_path, it reads another "
        "table of the same name or fails; its author sees neither."
    )
    remedy = "Add SET search_path = '' and write every name with its schema."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "create function bus.total() returns bigint language sql set search_path = ''\n"
            "as $$ select count(*) from bus.message $$;\n", "functions.sql",
        ),
        Example(
            "create function twice(x int) returns int language sql immutable return x * 2;\n"
            "create trigger stamp before insert on t for each row execute function stamp();\n",
            "functions.sql",
        ),
    )  # fmt: skip
    BAD = (
        Example(
            "create function total() returns bigint language sql\n"
            "as $$ select count(*) from message $$;\n", "functions.sql",
        ),
        Example(
            "create or replace procedure app.sweep() language plpgsql as $body$\n"
            "begin\n  delete from message where expires_at < now();\nend $body$;\n", "sweep.sql",
        ),
    )  # fmt: skip

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    name = function_name(statement)
    if (
        not name or name.startswith("pg_temp.") or statement.find("security", "definer") >= 0
        or is_parsed_at_once(statement) or sets_search_path(statement, name)
    ):  # fmt: skip
        return
    yield Fault(
        statement.tokens[0],
        f"{name} looks its names up where its caller says: with another search_path it reads "
        "other tables or fails, and its author does not see it.",
        Confidence.MEDIUM if _is_exposed(statement) else Confidence.LOW, symbol=name,
    )  # fmt: skip


def _is_exposed(statement: Statement) -> bool:
    """Whether the text is of a database that strangers log in to: row-level security or roles of
    a public API."""
    return any(
        one.kind == "word" and one.text in ("policy", "authenticated", "anon", "service_role")
        for one in statement.whole
    )
