"""What is cut: slices that keep the beginning or the end of a text, and what tells of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from audits.truncation.sparing import is_spared
from audits.truncation.texts import is_collection, is_text, name_of
from audits.truncation.words import is_limit, is_payload
from busctl.audit import Source

LEAST = 200
"""Characters below which a cut is a label, a preview or an id rather than a payload."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An expression that drops what lies beyond `limit` (as written). `value` is what is cut,
    `known` whether it is text or bytes for certain."""

    node: ast.expr
    value: ast.expr
    bound: ast.expr
    limit: str
    constant: int | None
    known: bool
    tail: bool = False

    @property
    def what(self) -> str:
        """The name of what is cut."""
        return name_of(self.value)


def cuts(source: Source) -> Iterator[Cut]:
    """What may cut a payload in a file: `text[:1000]`, `body[:MAX]`, `out[-2000:]`,
    `f"{text:.500}"`, `textwrap.shorten(text, 500, placeholder="")`."""
    for node, value, bound, tail in _candidates(source):
        cut = _cut(source, node, value, bound, tail=tail)
        if cut is not None and not is_spared(source, node, value):
            yield cut


_Candidate = tuple[ast.expr, ast.expr, ast.expr, bool]


def _candidates(source: Source) -> Iterator[_Candidate]:
    for node in source.nodes(ast.Subscript):
        if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
            yield from _sliced(node, node.slice)
    for field in source.nodes(ast.FormattedValue):
        yield from _of_precision(field)
    if "textwrap" in source.imports or "shorten" in source.imports:
        for call in source.nodes(ast.Call):
            yield from _shortened(source, call)


def _sliced(node: ast.Subscript, part: ast.Slice) -> Iterator[_Candidate]:
    lower, upper = part.lower, part.upper
    if part.step is not None:
        return
    if lower is None or (isinstance(lower, ast.Constant) and lower.value == 0):
        if upper is not None:
            yield node, node.value, upper, False
    elif upper is None and isinstance(lower, ast.UnaryOp) and isinstance(lower.op, ast.USub):
        yield node, node.value, lower.operand, True


def _of_precision(field: ast.FormattedValue) -> Iterator[_Candidate]:
    """`{text:.500}`; with another type than `s` it is a number's precision."""
    spec = field.format_spec
    if isinstance(spec, ast.JoinedStr) and len(spec.values) == 1:
        written = spec.values[0]
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            head, dot, digits = written.value.removesuffix("s").rpartition(".")
            if dot and digits.isdigit() and head.strip("<>^=0123456789 ") == "":
                bound = ast.copy_location(ast.Constant(int(digits)), field)
                yield field, field.value, bound, False


def _shortened(source: Source, call: ast.Call) -> Iterator[_Candidate]:
    """Without a placeholder; the one it has of itself tells the reader."""
    unmarked = any(
        each.arg == "placeholder" and isinstance(each.value, ast.Constant) and not each.value.value
        for each in call.keywords
    )
    if unmarked and call.args and source.called(call) == "textwrap.shorten":
        width = [*call.args[1:2], *(each.value for each in call.keywords if each.arg == "width")]
        if width:
            yield call, call.args[0], width[0], False


def _cut(
    source: Source, node: ast.expr, value: ast.expr, bound: ast.expr, *, tail: bool
) -> Cut | None:
    constant = _constant(source, bound)
    if constant is None and not _named_limit(bound):
        return None
    if constant is not None and constant < LEAST:
        return None
    known = is_text(source, value)
    named = is_payload(name_of(value)) or is_payload(_taken_as(source, node))
    if not known and (not named or is_collection(source, value)):
        return None
    return Cut(node, value, bound, ast.unparse(bound), constant, known, tail)


def _constant(source: Source, bound: ast.expr) -> int | None:
    """A number written here, also as a product, or bound to a name of this module."""
    if isinstance(bound, ast.Constant):
        return bound.value if type(bound.value) is int else None
    if isinstance(bound, ast.BinOp) and isinstance(bound.op, (ast.Mult, ast.Sub, ast.Pow)):
        left, right = _constant(source, bound.left), _constant(source, bound.right)
        if left is None or right is None:
            return None
        return left * right if isinstance(bound.op, ast.Mult) else max(left, right)
    if isinstance(bound, ast.Name) and bound.id.isupper():
        for statement in source.tree.body:
            if (
                isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
                and statement.targets[0].id == bound.id
                and not isinstance(statement.value, ast.Name)
            ):  # fmt: skip
                return _constant(source, statement.value)
    return None


def _taken_as(source: Source, node: ast.expr) -> str:
    """The name or key that the cut is bound to."""
    statement = source.statement(node)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        return name_of(statement.targets[0])
    return ""


def _named_limit(bound: ast.expr) -> bool:
    if isinstance(bound, ast.BinOp):
        return _named_limit(bound.left)
    return isinstance(bound, (ast.Name, ast.Attribute)) and is_limit(name_of(bound))
