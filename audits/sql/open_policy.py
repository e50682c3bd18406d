"""SQ005: a row-level policy that lets everybody through."""

from __future__ import annotations

from collections.abc import Iterable

from audits.sql.statements import Fault, Statement, in_python, in_text
from busctl.audit import Confidence, Example, Finding, Rule, Severity, Source

_EVERYBODY = {"public", "anon", "authenticated"}
_TRUE = (["true"], ["1", "=", "1"], ["(", "true", ")"], ["true", "::", "boolean"])


class OpenPolicy(Rule):
    """Policies for roles of the application's own (TO writer) are how rights are given, and
    spared; for reading, `true` may be meant."""

    code = "SQ005"
    name = "policy-for-everybody"
    family = "sql"
    severity = Severity.ERROR
    summary = "A policy's USING or WITH CHECK is true for everybody."
    why = (
        "Row-level security is on and lets every row through: whoever reaches the table reads or "
        "writes the rows of all others, while the dashboard shows the table as protected."
    )
    remedy = "Compare the row's owner with the caller, or name the role that may (TO role)."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "create policy own on message using (owner = auth.uid()) with check (owner = "
            "auth.uid());\ncreate policy writes on message for insert to bus_writer "
            "with check (true);\n", "policies.sql",
        ),
        Example("-- create policy p on t using (true);\nselect 'create policy p using (true)';\n",
                "policies.sql"),
    )  # fmt: skip
    BAD = (
        Example("create policy everything on message for all using (true);\n", "policies.sql"),
        Example(
            'create policy "Anyone can post" on public.message for insert\n'
            "to anon, authenticated with check (true);\n", "policies.sql",
        ),
        'SQL = "CREATE POLICY open ON message USING (TRUE) WITH CHECK (TRUE)"\n',
    )  # fmt: skip

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    if statement.words(2) not in (("create", "policy"), ("alter", "policy")):
        return
    roles = _roles(statement)
    if roles and not roles & _EVERYBODY:
        return
    if statement.find("as", "restrictive") >= 0:
        return  # true restricts nothing, and lets nobody in either
    using = _is_true(statement, statement.find("using"))
    check = _is_true(statement, statement.find("check"))
    at = using if using is not None else check
    if at is None:
        return
    name = statement.tokens[2].text
    table = statement.name_after(statement.find("on") + 1)
    reading = statement.find("for", "select") >= 0
    who = ", ".join(sorted(roles & _EVERYBODY)) or "every role"
    yield Fault(
        statement.tokens[at],
        f'Policy "{name}" lets {who} {"read" if reading else "reach"} every row of {table}: '
        "the table counts as protected, and nobody is kept from others' rows.",
        Confidence.MEDIUM if reading else Confidence.HIGH,
        severity=Severity.WARNING if reading else None, symbol=name,
    )  # fmt: skip


def _roles(statement: Statement) -> set[str]:
    at = statement.find("to")
    roles: set[str] = set()
    if at < 0:
        return roles
    for one in statement.tokens[at + 1 :]:
        if one.text in ("using", "with"):
            break
        if one.kind in ("word", "name"):
            roles.add(one.text)
    return roles


def _is_true(statement: Statement, at: int) -> int | None:
    """The index of what stands in the parentheses behind `at`, where it is true and no more."""
    if at < 0 or at + 1 >= len(statement.tokens) or statement.tokens[at + 1].text != "(":
        return None
    inner = [one.text for one in statement.tokens[at + 2 : statement.closing(at + 1)]]
    return at if inner in _TRUE else None
