"""What an expression is called, and whether it is text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.truncation.words import listed
from busctl.audit import Function, Source

_TEXT_CALLS = listed(
    """str dumps decode read getvalue join get_text read_text text b64decode read_bytes
    as_string model_dump_json tostring"""
)


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
