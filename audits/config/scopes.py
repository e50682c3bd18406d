"""Where an assignment holds, and whether the same name is set elsewhere."""

from __future__ import annotations

import ast
import re
from typing import Literal as Either

from audits.config.places import Place, last_name
from audits.config.uses import DEFAULT, is_global, is_guarded, names_of, use_of
from audits.config.values import number
from audits.config.words import is_constant, listed, words
from busctl.audit import FUNCTIONS, Function, Source

Scope = Either["module", "class", "attribute", "local"]

_FIELDS = re.compile(
    r"(?:Settings|Config|Configuration|Options|Model|Schema|Enum|IntEnum|StrEnum|IntFlag|Flag"
    r"|TypedDict|NamedTuple|Protocol|HasTraits|Configurable|Struct|Params|Arguments|Defaults|Meta"
    r"|Message|Serializer|Form)$"
)
_OTHER_FILES = re.compile(
    r"(?:^|/)(?:setup|conftest|pytest_\w+|noxfile|fabfile|tasks|settings|conf|gunicorn\.conf|gunicorn_conf"
    r"|[\w.]*_pb2(?:_grpc)?)\.py$|/examples?\.py$|(?:^|/)(?:migrations|alembic|locustfiles|fixtures|tutorials?"
    r"|_vendor|vendor|vendored|third_?party|dist|bundled|evals|samples?|examples?[_-]\w*"
    r"|cookbooks?|playground)/"
)
_EXAMPLES = listed("example examples sample samples placeholder demo")
_SHOWN_CALLS = listed(
    "print debug info warning error exception critical log echo secho format_help add_parser"
)  # fmt: skip


def is_looked_at(source: Source) -> bool:
    """Whether a file's literals are somebody's operation: no tests, examples, settings modules."""
    return not (source.is_test or source.is_shown or _OTHER_FILES.search(source.path))


def is_operated(source: Source, place: Place) -> bool:
    """Whether code runs here in operation: not under `if __name__ == "__main__"`, not in an
    example, a default, a decorator's documentation, an enumeration, a settings class."""
    inner: ast.AST = place.node
    if _fills_in_parameter(source, place) or _is_tabled(source, place):
        return False
    for around in source.parents(place.node):
        if isinstance(around, ast.If) and _is_main_guard(around.test):
            return False
        if _EXAMPLES & set(words(target_name(around))):
            return False
        if isinstance(around, ast.BoolOp) and _stands_in(around, inner):
            return False
        if isinstance(around, ast.ClassDef) and inner in around.body and _holds_fields(around):
            return isinstance(inner, FUNCTIONS) and not _is_property(inner)
        if isinstance(around, FUNCTIONS) and _shows(around):
            return False
        inner = around
    return True


def _fills_in_parameter(source: Source, place: Place) -> bool:
    """Whether a literal is part of what stands in for a parameter: `if client is None: client =
    Client(timeout=30)`."""
    statement, function = source.statement(place.node), source.function(place.node)
    if function is None or not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    taken = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    return (
        isinstance(target, ast.Name) and target.id in taken
        and is_guarded(source, statement, target.id)
    )  # fmt: skip


def _stands_in(choice: ast.BoolOp, inner: ast.AST) -> bool:
    """Whether an object is what holds when none was given: `given or Client(timeout=30)`."""
    return (
        isinstance(choice.op, ast.Or) and isinstance(inner, ast.Call)
        and inner is not choice.values[0] and last_name(inner)[:1].isupper()
    )  # fmt: skip


def _registers(call: ast.Call) -> bool:
    """`config.register_global(timeout=30)`: the values that settings have until they are set."""
    if not isinstance(call.func, ast.Attribute):
        return False
    said = words(call.func.attr)
    return bool(said) and (said[0] == "register" or "defaults" in said) and bool(
        {"config", "conf", "settings", "options"} & set(words(last_name(call.func.value)))
    )  # fmt: skip


def _is_property(function: Function) -> bool:
    """Whether a method of settings is a field that is made when it is asked for."""
    return any("property" in last_name(each) for each in function.decorator_list)


def _is_tabled(source: Source, place: Place) -> bool:
    """Whether a literal describes one of many in a table of the module, or is part of settings
    that hold unless others are given: `CHAT = ModelConfig(max_tokens=4096)`."""
    call = place.holder
    if not isinstance(call, ast.Call):
        return False
    if _registers(call):
        return True
    if source.function(call) is not None:
        return False
    return _FIELDS.search(last_name(call)) is not None or isinstance(
        source.parent(call), (ast.Dict, ast.List, ast.Tuple)
    )


def target_name(around: ast.AST | None) -> str:
    """The keyword or variable that a value around a literal goes to."""
    match around:
        case ast.keyword(arg=str(name)):
            return name
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return last_name(target)
        case _:
            return ""


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and last_name(test.left) == "__name__"


def _shows(function: ast.AST) -> bool:
    name = getattr(function, "name", "").lower()
    if {"default", "defaults", "placeholder", "placeholders"} & set(words(name)):
        return True  # what holds when nobody said otherwise, what a form shows
    return name.startswith(("test_", "demo", "example", "mock", "_mock", "fake", "_demo"))


def _holds_fields(owner: ast.ClassDef) -> bool:
    if any(_FIELDS.search(last_name(base)) for base in owner.bases):
        return True
    if any("dataclass" in last_name(each) or last_name(each) in ("define", "s", "frozen")
           for each in owner.decorator_list):  # fmt: skip
        return True
    return _FIELDS.search(owner.name) is not None


def scope_of(source: Source, place: Place) -> Scope | None:
    """What an assigned literal is assigned to; None for d["x"] = 1 and for other forms."""
    target = target_of(place)
    if isinstance(target, ast.Attribute):
        owner = target.value
        return "attribute" if isinstance(owner, ast.Name) and owner.id in ("self", "cls") else None
    if not isinstance(target, ast.Name):
        return None
    if source.function(place.holder) is not None:
        return "local"
    if source.path.endswith("__init__.py") and not is_constant(place.name):
        return None  # a package's own variables are set by who imports it
    return "class" if _in_class(source, place.holder) else "module"


def target_of(place: Place) -> ast.expr | None:
    """The target of an assignment."""
    match place.holder:
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return target
        case _:
            return None


def _in_class(source: Source, statement: ast.AST) -> bool:
    return any(isinstance(each, ast.ClassDef) for each in source.parents(statement))


def is_set_elsewhere(source: Source, place: Place, scope: Scope) -> bool:
    """Whether the same name gets a value that is no literal, in its scope, or is guarded."""
    if is_guarded(source, place.holder, place.name):
        return True
    target = target_of(place)
    function = source.function(place.holder)
    for other, value in names_of(source).stores.get(place.name, ()):
        if other is target or (value is not None and _is_literal(value)):
            continue
        if scope == "local":
            if source.function(other) is function:
                return True
        elif scope == "module":
            if source.function(other) is None or _is_global_store(source, other, place.name):
                return True
        else:
            return True
    return False


def _is_literal(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) or number(value) is not None


def _is_global_store(source: Source, target: ast.AST, name: str) -> bool:
    function = source.function(target)
    return function is not None and is_global(source, function, name)


def local_uses(source: Source, place: Place) -> set[str]:
    """What the function does with a local variable; what the file does with an attribute."""
    function = source.function(place.holder)
    attribute = isinstance(target_of(place), ast.Attribute) or function is None
    found = set()
    for load in names_of(source).loads.get(place.name, ()):
        if attribute or source.function(load) is function:
            found.add(use_of(source, load))
    return found - {""}


def is_numbered(source: Source, place: Place) -> bool:
    """Whether an assignment is one of a numbered list: X = 407, Y = 408, Z = 409."""
    around = source.parent(place.holder)
    body = getattr(around, "body", [])
    value = number(place.node)
    if place.holder not in body or value is None:
        return False
    at = body.index(place.holder)
    before = _assigned_number(body[at - 1]) if at else value - 1
    after = _assigned_number(body[at + 1]) if at + 1 < len(body) else value + 1
    return len(body) > 3 and before == value - 1 and after == value + 1


def _assigned_number(statement: ast.AST) -> float | None:
    value = getattr(statement, "value", None)
    return number(value) if isinstance(value, ast.expr) else None


def is_only_default(uses: set[str]) -> bool:
    """Whether a name is the default of something."""
    return DEFAULT in uses


def is_shown(place: Place) -> bool:
    """Whether a literal is only written to somebody."""
    return isinstance(place.holder, ast.Call) and last_name(place.holder) in _SHOWN_CALLS


def is_upper(place: Place) -> bool:
    """Whether the name is spelt as a constant."""
    return is_constant(place.name)
