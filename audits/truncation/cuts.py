"""What is cut: slices that keep the beginning or the end of a text, and what tells of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from audits.truncation.words import (
    is_error,
    is_label,
    is_limit,
    is_payload,
    listed,
    marks,
    shortens,
    tells,
    words,
)
from busctl.audit import FUNCTIONS, Function, Source

LEAST = 200
"""Characters below which a cut is a label, a preview or an id rather than a payload."""

_TEXT_CALLS = listed(
    """str dumps decode read getvalue join get_text read_text text b64decode read_bytes
    as_string model_dump_json tostring"""
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A slice that drops what lies beyond `limit` (as written). `value` is what is cut, `known`
    whether it is text or bytes for certain."""

    node: ast.Subscript
    value: ast.expr
    limit: str
    constant: int | None
    known: bool
    tail: bool = False

    @property
    def what(self) -> str:
        """The name of what is cut."""
        return name_of(self.value)


def cuts(source: Source) -> Iterator[Cut]:
    """The slices of a file that may cut a payload: `text[:1000]`, `body[:MAX]`, `out[-2000:]`."""
    for node in source.nodes(ast.Subscript):
        if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
            cut = _cut(source, node, node.slice)
            if cut is not None and not _spared(source, cut):
                yield cut


def _cut(source: Source, node: ast.Subscript, part: ast.Slice) -> Cut | None:
    if part.step is not None:
        return None
    lower, upper = part.lower, part.upper
    tail = upper is None and isinstance(lower, ast.UnaryOp) and isinstance(lower.op, ast.USub)
    if tail and isinstance(lower, ast.UnaryOp):
        bound: ast.expr | None = lower.operand
    elif lower is None or (isinstance(lower, ast.Constant) and lower.value == 0):
        bound = upper
    else:
        bound = None
    if bound is None:
        return None
    constant = _constant(source, bound)
    if constant is None and not _named_limit(bound):
        return None
    if constant is not None and constant < LEAST:
        return None
    known = is_text(source, node.value)
    name = name_of(node.value)
    named = is_payload(name) or is_payload(_taken_as(source, node))
    if not known and (not named or is_collection(source, node.value)):
        return None
    return Cut(node, node.value, source.segment(bound), constant, known, tail)


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


def _taken_as(source: Source, node: ast.Subscript) -> str:
    """The name or key that the cut is bound to."""
    statement = source.statement(node)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        return name_of(statement.targets[0])
    return ""


def _named_limit(bound: ast.expr) -> bool:
    if isinstance(bound, ast.BinOp):
        return _named_limit(bound.left)
    return isinstance(bound, (ast.Name, ast.Attribute)) and is_limit(name_of(bound))


def name_of(node: ast.expr) -> str:
    """The last name of an expression: of `self.page.text or ""` that is `text`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call():
            return _name_of_call(node)
        case ast.Subscript(slice=ast.Constant(value=str() as key)):
            return key
        case ast.Subscript(value=inner) | ast.Await(value=inner):
            return name_of(inner)
        case ast.BoolOp():
            return name_of(node.values[0])
    return ""


def _name_of_call(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Name) and node.args and function.id in {"str", "repr"}:
        return name_of(node.args[0])
    if isinstance(function, ast.Attribute):
        if function.attr == "get" and node.args and isinstance(node.args[0], ast.Constant):
            return str(node.args[0].value)
        if function.attr in {"strip", "decode", "encode", "read", "replace", "lower"}:
            return name_of(function.value)
    return name_of(function)


# --- what is text --------------------------------------------------------------------------------


def is_text(source: Source, node: ast.expr, depth: int = 2) -> bool:
    """Whether an expression is text or bytes for certain, by what makes it or its annotation."""
    match node:
        case ast.JoinedStr():
            return True
        case ast.Constant():
            return isinstance(node.value, (str, bytes))
        case ast.BoolOp():
            return any(is_text(source, each, depth) for each in node.values)
        case ast.BinOp(op=ast.Add()):
            return is_text(source, node.left, depth) or is_text(source, node.right, depth)
        case ast.Await():
            return is_text(source, node.value, depth)
        case ast.Call():
            last = source.called(node).rpartition(".")[2] or getattr(node.func, "attr", "")
            if last in {"strip", "replace", "lower"} and isinstance(node.func, ast.Attribute):
                return True
            return last in _TEXT_CALLS
        case ast.Attribute():
            return node.attr in {"text", "page_content", "stdout"}
        case ast.Name():
            return depth > 0 and _made_as_text(source, node, depth - 1)
    return False


def _made_as_text(source: Source, node: ast.Name, depth: int) -> bool:
    function = source.function(node)
    if function is None:
        return False
    annotation = annotation_of(function, node.id)
    if annotation is not None:
        return _says_text(annotation)
    made = list(_assigned(function, node.id))
    return bool(made) and any(is_text(source, value, depth) for value in made)


def annotation_of(function: Function, name: str) -> ast.expr | None:
    """The annotation of a parameter."""
    arguments = function.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.arg == name:
            return each.annotation
    return None


def _says_text(annotation: ast.expr) -> bool:
    names = {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)}
    said = {each.value for each in ast.walk(annotation) if isinstance(each, ast.Constant)}
    return bool(
        {"str", "bytes", "bytearray"} & (names | {one for one in said if isinstance(one, str)})
    ) and not (names & {"list", "List", "dict", "Dict", "Sequence", "tuple", "Iterable", "Mapping"})


def _assigned(function: Function, name: str) -> Iterator[ast.expr]:
    for each in ast.walk(function):
        if isinstance(each, ast.Assign):
            if any(isinstance(target, ast.Name) and target.id == name for target in each.targets):
                yield each.value
        elif (
            isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            and each.target.id == name and each.value is not None
        ):  # fmt: skip
            yield each.value


def is_collection(source: Source, node: ast.expr) -> bool:
    """Whether an expression is a list or a mapping rather than text, as far as can be seen."""
    if not isinstance(node, ast.Name):
        return False
    function = source.function(node)
    if function is None:
        return False
    annotation = annotation_of(function, node.id)
    if annotation is not None:
        return not _says_text(annotation)
    return any(
        isinstance(value, (ast.List, ast.ListComp, ast.Dict, ast.Set, ast.Tuple))
        or (isinstance(value, ast.Call) and name_of(value.func) in {"list", "sorted", "array"})
        for value in _assigned(function, node.id)
    )


# --- what spares a cut ---------------------------------------------------------------------------


def _spared(source: Source, cut: Cut) -> bool:
    if source.is_test or source.is_shown:
        return True
    name = cut.what
    if is_label(name) or is_error(name):
        return True
    function = source.function(cut.node)
    if function is None or shortens(function.name) or _is_of_an_error(source, function):
        return True
    if any(
        check(source, cut.node)
        for check in (_is_prefix_test, _grows, _is_counted, _is_of_an_exception)
    ):
        return True
    return told(source, function, cut) or rest_is_used(source, function, cut.value)


def _is_of_an_error(source: Source, function: Function) -> bool:
    around = source.class_of(function)
    return around is not None and around.name.endswith(("Error", "Exception", "Warning"))


def _is_of_an_exception(source: Source, node: ast.Subscript) -> bool:
    """`f"{type(e).__name__}: {e}"[:300]`, where `e` is what was caught."""
    names = {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
    return any(
        isinstance(parent, ast.ExceptHandler) and parent.name in names
        for parent in source.parents(node)
    )


def _is_prefix_test(source: Source, node: ast.Subscript) -> bool:
    parent = source.parent(node)
    return isinstance(parent, (ast.Compare, ast.UnaryOp, ast.Subscript))


def _grows(source: Source, node: ast.Subscript) -> bool:
    """`del buffer[:n]` and `buffer = buffer[:n]` in a loop that parses are no loss of their own."""
    return isinstance(source.statement(node), ast.Delete)


def _is_counted(source: Source, node: ast.AST) -> bool:
    """Whether the dictionary or call that takes the cut also says how much there was."""
    for parent in source.parents(node):
        names: list[str] = []
        if isinstance(parent, ast.Dict):
            names = [str(each.value) for each in parent.keys if isinstance(each, ast.Constant)]
        elif isinstance(parent, ast.Call):
            names = [each.arg for each in parent.keywords if each.arg]
        if any(_COUNTS & {*words(name)} for name in names):
            return True
        if isinstance(parent, ast.stmt):
            break
    return False


_COUNTS = frozenset({"next", "offset", "total", "full", "original", "length", "size", "more"})


def told(source: Source, function: Function, cut: Cut) -> bool:
    """Whether something tells of the cut: a mark beside it, a flag, a log line about it, or a
    check that refuses what is too long."""
    for around in _beside(source, cut.node):
        for each in ast.walk(around):
            if (
                isinstance(each, ast.Constant) and isinstance(each.value, str)
                and marks(each.value)
            ):  # fmt: skip
                return True
    own = _assigned_name(source, cut.node)
    for each in ast.walk(function):
        said = _said_by(each)
        if said and said != own and tells(said) and not _is_docstring(source, each):
            return True
    documented = (ast.get_docstring(function, clean=False) or "").lower()
    return "truncat" in documented or "shorten" in documented


def _said_by(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return name
        case ast.keyword(arg=str() as name):
            return name
    return ""


def _assigned_name(source: Source, node: ast.AST) -> str:
    """The name that the cut itself is bound to: `truncated = text[:100]` is no flag."""
    statement = source.statement(node)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        return name_of(target)
    return ""


def _beside(source: Source, node: ast.AST) -> list[ast.AST]:
    """The statement of a cut, what comes right after it, and the `if` that it stands in."""
    statement = source.statement(node)
    parent = source.parent(statement)
    body = next(
        (
            block for name in ("body", "orelse", "finalbody")
            if isinstance(block := getattr(parent, name, None), list) and statement in block
        ),
        [statement],
    )  # fmt: skip
    at = body.index(statement)
    near: list[ast.AST] = [*body[at : at + 3]]
    if isinstance(statement, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
        near = [node]
    if isinstance(parent, ast.If):
        near.append(parent)
    return near


def _is_docstring(source: Source, node: ast.AST) -> bool:
    return isinstance(source.parent(node), ast.Expr)


def rest_is_used(source: Source, function: Function, value: ast.expr) -> bool:
    """Whether another slice of the same thing takes the rest, or takes it piece by piece."""
    wanted = ast.dump(value)
    for each in ast.walk(function):
        if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Slice):
            lower = each.slice.lower
            beginning = lower is None or (isinstance(lower, ast.Constant) and lower.value == 0)
            negative = isinstance(lower, ast.UnaryOp)
            taken_out = isinstance(each.ctx, ast.Del)
            if (taken_out or not (beginning or negative)) and ast.dump(each.value) == wanted:
                return True
    return False


def in_loop(source: Source, node: ast.AST) -> bool:
    """Whether a node is run again and again within its function."""
    for parent in source.parents(node):
        if isinstance(parent, (ast.For, ast.While, ast.AsyncFor, ast.comprehension)):
            return True
        if isinstance(parent, (*FUNCTIONS, ast.Lambda)):
            return False
    return False
