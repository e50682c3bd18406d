"""SQ001: an aggregate in RETURNING."""

from __future__ import annotations

from collections.abc import Iterable

from audits.sql.statements import Fault, Statement, in_python, in_text
from busctl.audit import Example, Finding, Rule, Severity, Source

_AGGREGATES = {
    "count", "sum", "avg", "min", "max", "array_agg", "string_agg", "json_agg", "jsonb_agg",
    "json_object_agg", "jsonb_object_agg", "bool_and", "bool_or", "every", "bit_and", "bit_or",
    "stddev", "variance", "xmlagg",
}  # fmt: skip
_CHANGES = {"insert", "update", "delete", "merge"}
_ENDS = {"into", "union", "select"}


class AggregateReturning(Rule):
    """A sub-select in RETURNING may aggregate, and so may a query over the rows returned."""

    code = "SQ001"
    name = "aggregate-in-returning"
    family = "sql"
    severity = Severity.ERROR
    summary = "RETURNING holds an aggregate, which PostgreSQL refuses."
    why = (
        "The statement fails every time it runs: a cleanup written so deletes nothing, and a job "
        "whose errors nobody reads looks as if there were nothing to delete."
    )
    remedy = "WITH changed AS (DELETE … RETURNING id) SELECT count(*) FROM changed."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "with gone as (delete from message where expires_at < now() returning id)\n"
            "select count(*), max(id) from gone;\n", "cleanup.sql",
        ),
        Example(
            "update job set tries = tries + 1 where id = 7\n"
            "returning id, (select count(*) from job) as jobs; -- returning count(*)\n", "job.sql",
        ),
        'QUERY = "select count(*) from message"\nDELETE = "delete from message returning count"\n',
    )  # fmt: skip
    BAD = (
        Example(
            "create function cleanup() returns int language plpgsql set search_path = '' as $$\n"
            "declare deleted int;\nbegin\n"
            "  delete from bus.message where expires_at < now() returning count(*) into deleted;\n"
            "  return deleted;\nend $$;\n", "cleanup.sql",
        ),
        'def clean(connection):\n    return connection.execute("""\n        delete from message\n'
        '        where expires_at < now()\n        returning sum(size_bytes)\n    """)\n',
    )  # fmt: skip

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    given = statement.tokens
    for at, token in enumerate(given):
        if token.kind != "word" or token.text != "returning":
            continue
        if not any(one.kind == "word" and one.text in _CHANGES for one in given[:at]):
            continue
        found = _aggregate(statement, at + 1)
        if found is not None:
            yield Fault(
                given[found],
                f"{given[found].text}() stands in RETURNING, where no aggregate is allowed: the "
                "statement fails whenever it runs, and nothing is changed.",
            )  # fmt: skip
            return


def _aggregate(statement: Statement, begin: int) -> int | None:
    """The first aggregate of a RETURNING list, sub-selects passed over."""
    given = statement.tokens
    at, depth = begin, 0
    while at < len(given):
        token = given[at]
        following = given[at + 1].text if at + 1 < len(given) else ""
        if token.text == "(" and following in ("select", "with", "values"):
            at = statement.closing(at)
        elif token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
            if depth < 0:
                return None
        elif token.kind == "word" and depth == 0 and token.text in _ENDS:
            return None
        elif (
            token.kind == "word" and token.text in _AGGREGATES and following == "("
            and given[at - 1].text != "." and not _is_scalar(statement, at)
        ):  # fmt: skip
            return at
        at += 1
    return None


def _is_scalar(statement: Statement, at: int) -> bool:
    """SQLite's min(a, b) and max(a, b) compare their arguments."""
    if statement.tokens[at].text not in ("min", "max"):
        return False
    depth = 0
    for one in statement.tokens[at + 1 : statement.closing(at + 1)]:
        depth += {"(": 1, ")": -1}.get(one.text, 0)
        if one.text == "," and depth == 1:
            return True
    return False
