"""SQ003: a SECURITY DEFINER function that takes its caller's search_path."""

from __future__ import annotations

from collections.abc import Iterable

from audits.sql.functions import function_name, sets_search_path
from audits.sql.statements import Fault, Statement, in_python, in_text
from busctl.audit import Example, Finding, Rule, Severity, Source


class DefinerSearchPath(Rule):
    """An ALTER FUNCTION … SET search_path in the same file counts."""

    code = "SQ003"
    name = "definer-without-search-path"
    family = "sql"
    severity = Severity.ERROR
    summary = "A SECURITY DEFINER function does not set its search_path."
    why = (
        "It runs with its owner's rights and looks names up where its caller says: who can make a "
        "schema or a temporary table puts a table or operator of their own in the way and acts as "
        "the owner. Nothing is logged."
    )
    remedy = "Add SET search_path = '' (and write every name with its schema)."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "create function bus.mark(id uuid) returns void language sql security definer\n"
            "set search_path = '' as $$ update bus.message set seen = true where id = $1 $$;\n",
            "functions.sql",
        ),
        Example(
            "create function mark() returns void security definer language sql as $$ select 1 $$;\n"
            "alter function mark() set search_path to pg_catalog;\n", "functions.sql",
        ),
    )  # fmt: skip
    BAD = (
        Example(
            "create or replace function mark(id uuid) returns void\nlanguage plpgsql\n"
            "security definer as $$\nbegin\n  update message set seen = true;\nend\n$$;\n",
            "functions.sql",
        ),
        'SQL = """\ncreate function is_admin() returns boolean as $$\n'
        "  select exists (select 1 from admins where id = auth.uid()) -- set search_path\n"
        '$$ language sql stable security definer;\n"""\n',
    )

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    name = function_name(statement)
    at = statement.find("security", "definer")
    if not name or at < 0 or sets_search_path(statement, name):
        return
    yield Fault(
        statement.tokens[at],
        f"{name} runs with its owner's rights and its caller's search_path: a caller who puts a "
        "table or operator of the same name in the way acts as the owner, unseen.",
        symbol=name,
    )  # fmt: skip
