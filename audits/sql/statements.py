"""Statements in .sql files and in the strings of Python, for the rules of this family."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from audits.sql.tokens import Token, body, tokens
from busctl.audit import Confidence, Finding, Rule, Severity, Source, Span

_BEGINNING = re.compile(
    r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*"
    r"(?:insert|update|delete|merge|create|alter|with|do|replace)\s",
    re.IGNORECASE | re.DOTALL,
)
_SHOWN = re.compile(r"example|sample|case|fixture", re.IGNORECASE)
_TELLING = ("returning", "index", "function", "procedure", "policy", "jsonb")
_FILLED = "placeholder"


@dataclass(frozen=True, slots=True)
class Statement:
    """The tokens of one statement without its semicolon. `whole` are those of the text it is
    from, for what a later statement mends."""

    tokens: tuple[Token, ...]
    whole: tuple[Token, ...] = field(repr=False)

    def words(self, count: int) -> tuple[str, ...]:
        """The first words."""
        return tuple(one.text for one in self.tokens[:count])

    def find(self, *texts: str, start: int = 0) -> int:
        """Where these words stand one after the other, -1 for nowhere."""
        last = len(self.tokens) - len(texts) + 1
        for at in range(start, last):
            if all(_is(self.tokens[at + step], text) for step, text in enumerate(texts)):
                return at
        return -1

    def closing(self, opening: int) -> int:
        """The index of the parenthesis that closes the one at `opening` (the end if none does)."""
        depth = 0
        for at in range(opening, len(self.tokens)):
            if self.tokens[at].text == "(" and self.tokens[at].kind == "sign":
                depth += 1
            elif self.tokens[at].text == ")" and self.tokens[at].kind == "sign":
                depth -= 1
                if depth == 0:
                    return at
        return len(self.tokens)

    def name_after(self, at: int) -> str:
        """The name, with its schema, that begins at `at`."""
        parts: list[str] = []
        for one in self.tokens[at : at + 5]:
            if one.kind not in ("word", "name") and one.text != ".":
                break
            if parts and parts[-1] != "." and one.text != ".":
                break
            parts.append(one.text)
        return "".join(parts)


def _is(token: Token, text: str) -> bool:
    return token.text == text and token.kind in ("word", "sign")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule has against one token."""

    token: Token
    message: str
    confidence: Confidence = Confidence.HIGH
    severity: Severity | None = None
    symbol: str = ""
    evidence: tuple[str, ...] = ()


Judge = Callable[[Statement], Iterable[Fault]]


def statements(text: str) -> list[Statement]:
    """All statements of a text, those inside of function bodies included."""
    whole = tuple(tokens(text))
    return list(_split(whole, whole))


def _split(given: Iterable[Token], whole: tuple[Token, ...]) -> Iterator[Statement]:
    collected: list[Token] = []
    for token in (*given, None):
        if token is not None and not _is(token, ";"):
            collected.append(token)
            continue
        if collected:
            statement = Statement(tuple(collected), whole)
            yield statement
            if _has_code(statement):
                for one in collected:
                    if one.kind == "body":
                        yield from _split(body(one), whole)
        collected = []


def _has_code(statement: Statement) -> bool:
    first = statement.words(1)
    if first == ("do",):
        return True
    if first != ("create",) or not {"function", "procedure"} & set(statement.words(4)):
        return False
    return language(statement) in ("sql", "plpgsql", "")


def language(statement: Statement) -> str:
    """What a function is written in, "" when it is not said."""
    at = statement.find("language")
    named = statement.tokens[at + 1] if 0 <= at < len(statement.tokens) - 1 else None
    return named.text.strip("'").lower() if named is not None else ""


def in_text(rule: Rule, path: str, text: str, judge: Judge) -> Iterator[Finding]:
    """Findings in an .sql file. Those of tests are made wrong on purpose."""
    if {"test", "tests", "testing", "fixtures"} & set(path.lower().split("/")[:-1]):
        return
    for statement in _of_text(text):
        for fault in judge(statement):
            token = fault.token
            yield _finding(rule, fault, path, token.line, token.column,
                           len(token.raw.partition("\n")[0]))  # fmt: skip


@lru_cache(maxsize=2)
def _of_text(text: str) -> list[Statement]:
    lower = text.lower()
    return statements(text) if any(word in lower for word in _TELLING) else []


def in_python(rule: Rule, source: Source, judge: Judge) -> Iterator[Finding]:
    """Findings in the strings of a Python file that read as statements."""
    if source.is_test:
        return
    for node, found in _of_source(source):
        for statement in found:
            for fault in judge(statement):
                line, column = _place(source, node, fault.token)
                yield _finding(rule, fault, source.path, line, column, len(fault.token.raw))


@lru_cache(maxsize=2)
def _of_source(source: Source) -> list[tuple[ast.expr, list[Statement]]]:
    found: list[tuple[ast.expr, list[Statement]]] = []
    if not any(word in source.text or word.upper() in source.text for word in _TELLING):
        return found
    for node in source.nodes(ast.Constant):
        parent = source.parent(node)
        if not isinstance(node.value, str) or isinstance(parent, (ast.Expr, ast.JoinedStr)):
            continue
        if _reads_as_sql(node.value) and not _is_shown(source, parent):
            found.append((node, statements(node.value)))
    for joined in source.nodes(ast.JoinedStr):
        text = "".join(
            one.value if isinstance(one, ast.Constant) and isinstance(one.value, str)
            else _FILLED for one in joined.values
        )  # fmt: skip
        if _reads_as_sql(text):
            found.append((joined, statements(text)))
    return found


def _reads_as_sql(text: str) -> bool:
    if len(text) < 20 or _BEGINNING.match(text) is None:
        return False
    lower = text.lower()
    return any(word in lower for word in _TELLING)


def _is_shown(source: Source, parent: ast.AST | None) -> bool:
    """Whether the string is an example for tests or documents, which runs nowhere."""
    return isinstance(parent, ast.Call) and bool(_SHOWN.search(source.called(parent)))


def _place(source: Source, node: ast.expr, token: Token) -> tuple[int, int]:
    """The line and column of a token in the string's own lines; the string's where escapes or
    joined pieces hide it."""
    span = source.span(node)
    guess = span.line + token.line - 1
    first = token.raw.partition("\n")[0]
    for line in (guess, *range(span.line, span.end_line + 1)):
        column = source.line(line).find(first) if line <= span.end_line else -1
        if column >= 0:
            return line, column + 1
    return span.line, span.column


def _finding(
    rule: Rule, fault: Fault, path: str, line: int, column: int, width: int
) -> Finding:  # fmt: skip
    return Finding(
        code=rule.code, name=rule.name, path=path,
        span=Span(line, column, line, column + width), message=fault.message,
        severity=fault.severity or rule.severity, confidence=fault.confidence,
        remedy=rule.remedy, evidence=fault.evidence, symbol=fault.symbol,
        anchor=f"{fault.symbol} {fault.token.text[:60]}",
    )  # fmt: skip
