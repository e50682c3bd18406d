"""SQ006: bytes that must survive are kept as jsonb."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from audits.sql.statements import Fault, Statement, in_python, in_text
from audits.sql.tokens import Token
from busctl.audit import Confidence, Example, Finding, Rule, Severity, Source

_BYTES = re.compile(
    r"(?:^|_)(?:payload|body|content|contents|raw|response|request|answer|output|result|document"
    r"|blob|original)$"
)
_PROOF = re.compile(r"(?:^|_)(?:checksum|digest|sha\d*|md5|crc\d*|hash|etag|signature|hmac)(?:_|$)")
_SIZE = re.compile(r"(?:^|_)(?:size|bytes|length)(?:_|$)")
_NO_COLUMN = {
    "primary", "unique", "foreign", "check", "constraint", "exclude", "like", "partition", "index",
    "key",
}  # fmt: skip


class JsonbPayload(Rule):
    """A column for a payload beside one for its checksum or its size. Type json keeps the text."""

    code = "SQ006"
    name = "jsonb-for-bytes"
    family = "sql"
    severity = Severity.ERROR
    summary = "A payload with a checksum or size beside it is stored as jsonb."
    why = (
        "jsonb orders keys anew, drops repeated ones and spaces, rewrites numbers and refuses "
        "\\u0000: what is read back is not what was written, so the checksum never agrees or is "
        "taken of something else, and the reader cannot tell damage from storage."
    )
    remedy = "Keep the bytes in bytea (text for text), and a jsonb copy beside them to search in."
    suffixes = (".py", ".sql")
    GOOD = (
        Example(
            "create table message (id uuid primary key, payload bytea not null, checksum text,\n"
            "  metadata jsonb not null default '{}');\n", "schema.sql",
        ),
        Example("create table event (id bigint, body jsonb, kind text);\n", "schema.sql"),
    )  # fmt: skip
    BAD = (
        Example(
            "create table if not exists public.message_bus (\n  id uuid primary key,\n"
            "  payload jsonb not null,\n  payload_size_bytes int,\n  checksum text not null\n);\n",
            "schema.sql",
        ),
        'CREATE = """\n    create table answer (\n        response_body JSONB,\n'
        '        response_size integer check (response_size > 0)\n    )\n"""\n',
    )

    def check(self, source: Source) -> Iterable[Finding]:
        return in_python(self, source, _judge)

    def check_text(self, path: str, text: str) -> Iterable[Finding]:
        return in_text(self, path, text, _judge)


def _judge(statement: Statement) -> Iterable[Fault]:
    if statement.words(1) != ("create",) or "table" not in statement.words(4):
        return
    opening = next((at for at, one in enumerate(statement.tokens) if one.text == "("), -1)
    if opening < 0:
        return
    table = statement.name_after(_name_at(statement))
    columns = list(_columns(statement, opening))
    proof = [one.text for one, _ in columns if _PROOF.search(one.text)]
    size = [one.text for one, _ in columns if _SIZE.search(one.text)]
    if not proof and not size:
        return
    for column, kind in columns:
        if kind == "jsonb" and _BYTES.search(column.text):
            beside = (proof or size)[0]
            yield Fault(
                column,
                f"{table}.{column.text} is jsonb beside {beside}: the bytes written are not those "
                f"read back, so {beside} does not hold for them and a reader cannot tell damage "
                "from storage.",
                Confidence.HIGH if proof else Confidence.MEDIUM, symbol=table,
            )  # fmt: skip


def _name_at(statement: Statement) -> int:
    at = statement.find("table") + 1
    return at + 3 if statement.tokens[at].text == "if" else at


def _columns(statement: Statement, opening: int) -> Iterator[tuple[Token, str]]:
    """Each column's name with the first word of its type."""
    depth, fresh = 0, True
    given = statement.tokens
    for at in range(opening, min(statement.closing(opening), len(given) - 1)):
        one = given[at]
        if one.kind == "sign" and one.text in "()":
            depth += 1 if one.text == "(" else -1
        elif one.text == "," and depth == 1:
            fresh = True
        elif fresh and depth == 1:
            fresh = False
            if one.kind in ("word", "name") and one.text not in _NO_COLUMN:
                yield one, given[at + 1].text
