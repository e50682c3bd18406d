"""SQ002: an index over a function whose value changes."""

from __future__ import annotations

from collections.abc import Iterable

from audits.sql.statements import Fault, Statement, in_python, in_text
from busctl.audit import Example, Finding, Rule, Severity, Source

_CALLED = {
    "now", "random", "clock_timestamp", "statement_timestamp", "transaction_timestamp",
    "timeofday", "gen_random_uuid", "uuid_generate_v4", "uuidv4", "uuidv7", "nextval",
    "current_setting", "pg_backend_pid", "txid_current", "pg_current_xact_id", "getdate",
    "sysdate", "curdate", "rand",
}  # fmt: skip
_BARE = {
    "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime",
    "current_user", "session_user", "current_role",
}  # fmt: skip


class VolatileIndex(Rule):
    """In the columns, the expressions and the WHERE of CREATE INDEX."""

    code = "SQ002"
    name = "volatile-function-in-index"
    family = "sql"
    severity = Severity.ERROR
    summary = "An index's predicate or expression calls a function that is not immutable."
    why = (
        "PostgreSQL refuses it (functions in index predicate must be marked IMMUTABLE), and with "
        "it the whole migration; marked immutable by force, the index holds the rows of the day "
        "it was made and queries lose rows unseen."
    )
    remedy = "Index the column, and compare it with the time in the query."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "create index message_expires on message (expires_at) where status = 'pending';\n"
            "-- where expires_at > now()\n", "schema.sql",
        ),
        Example(
            "create table message (id uuid default gen_random_uuid(),\n"
            "  at timestamptz default now());\n"
            "create index message_at on message (at);\n", "schema.sql",
        ),
    )  # fmt: skip
    BAD = (
        Example(
            "create index concurrently if not exists message_live on message (id)\n"
            "where expires_at > now();\n", "schema.sql",
        ),
        'def upgrade(op):\n    op.execute("CREATE INDEX late ON job (id) '
        'WHERE due < CURRENT_TIMESTAMP")\n',
    )  # fmt: skip

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    if statement.words(1) != ("create",) or "index" not in statement.words(3):
        return
    given = statement.tokens
    on = statement.find("on")
    if on < 0:
        return
    name = given[on - 1].text
    for at in range(on, len(given)):
        token = given[at]
        following = given[at + 1].text if at + 1 < len(given) else ""
        if token.kind != "word" or given[at - 1].text == ".":
            continue
        if token.text in _BARE or (token.text in _CALLED and following == "("):
            where = 0 <= statement.find("where", start=on) < at
            place = "predicate" if where else "expression"
            yield Fault(
                token,
                f"{token.text} stands in the {place} of index {name}: its value changes, so the "
                "index cannot be made and the migration stops here.",
                symbol=name,
            )  # fmt: skip
            return
