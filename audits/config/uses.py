"""What becomes of a name: passed on, compared with, or only the default of something."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import lru_cache

from audits.config.places import last_name
from audits.config.words import Kind, is_constant, is_time, kind_of, listed, words
from busctl.audit import FUNCTIONS, Function, Source

DEFAULT = "default"
PASSED = "passed"
REJECTS = "rejects"
ENFORCED = "enforced"
COMPARED = "compared"
SLEPT = "slept"
COUNTED = "counted"
CLAMPED = "clamped"
SHOWN = "shown"
BUILT = "built"
BOUND = "bound"
DERIVED = "derived:"

# Calls whose argument is what holds when nobody said otherwise.
DEFAULTING = listed(
    "get getenv getattr setdefault pop env getint getfloat getboolean get_int get_float "
    "get_value get_option get_setting get_config get_env env_int env_float int_env float_env "
    "set_default Field field Option Argument Query Header Body Form Path Cookie Param "
    "add_argument add_option option argument define attrib ib Factory Integer Int Float Unicode "
    "Bool Long Column mapped_column CharField IntegerField StringField FloatField TextField "
    "default set_default_value Parameter ConfigVar Setting"
)
_ERROR = re.compile(
    r"error|exception|fail|reject|refus|abort|close|denied|too_?(?:large|long)", re.I
)
_EXCESS = re.compile(
    r"error|too (?:large|long|big|many)|exceed|limit|maximum|at most", re.IGNORECASE
)
_TOO_LARGE = 413
_CLAMPS = frozenset({"min", "max", "clamp"})
_SHOWING = listed(
    "print debug info warning warn error exception critical log echo secho tool_output "
    "tool_error tool_warning write_line style fail"
)
_THROUGH = listed("Timeout ClientTimeout timedelta int float str Path len round abs")
_SLEEPS = frozenset({"sleep"})
_ENDINGS = listed("stop stopped stopping exit quit shutdown cancel cancelled closing terminate")
# Arguments whose excess is refused, cut or never sent.
ENFORCING = listed(
    "ws_max_size max_message_size max_msg_size max_body_size max_content_length "
    "max_request_size max_upload_size max_file_size max_payload max_payload_size max_frame_size "
    "client_max_size max_tokens max_completion_tokens max_output_tokens max_new_tokens "
    "max_connections max_clients max_http_buffer_size max_buffer_size max_retries num_retries "
    "retries retry_count max_attempts max_tries tries attempts max_retry total_retries"
)
FRAMED = frozenset({"serve", "connect", "unix_serve", "unix_connect", "WebSocketCommonProtocol"})
# Where a host or port is bound or connected to.
BINDS = listed(
    "serve run bind listen start_server create_server Server HTTPServer TCPServer UDPServer "
    "ThreadingHTTPServer connect create_connection open_connection Redis StrictRedis SMTP FTP "
    "run_app TCPSite start_http_server MongoClient connect_ex Client make_server WSGIServer "
    "ThreadingTCPServer run_server serve_forever create_pool create_datagram_endpoint"
)


class Names:
    """The loads and stores in one file of names that say what they hold."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.loads: defaultdict[str, list[ast.expr]] = defaultdict(list)
        self.stores: defaultdict[str, list[tuple[ast.AST, ast.expr | None]]] = defaultdict(list)
        self.globals: defaultdict[ast.AST, set[str]] = defaultdict(set)
        self._read_loads()
        self._read_stores()

    def _read_loads(self) -> None:
        for name in self.source.nodes(ast.Name):
            if kind_of(name.id) is not None and isinstance(name.ctx, ast.Load):
                self.loads[name.id].append(name)
        for attribute in self.source.nodes(ast.Attribute):
            if kind_of(attribute.attr) is not None and isinstance(attribute.ctx, ast.Load):
                self.loads[attribute.attr].append(attribute)
        for each in self.source.nodes(ast.Global):
            function = self.source.function(each)
            if function is not None:
                self.globals[function].update(each.names)

    def _read_stores(self) -> None:
        for assign in self.source.nodes(ast.Assign):
            for target in assign.targets:
                self._store(target, assign.value)
        for each in self.source.nodes(ast.AnnAssign):
            if each.value is not None:
                self._store(each.target, each.value)
        for added in self.source.nodes(ast.AugAssign):
            self._store(added.target, None)
        for walrus in self.source.nodes(ast.NamedExpr):
            self._store(walrus.target, walrus.value)
        for loop in self.source.nodes(ast.For):
            self._store(loop.target, None)

    def _store(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for each in target.elts:
                self._store(each, None)
            return
        name = last_name(target) if isinstance(target, (ast.Name, ast.Attribute)) else ""
        if name and kind_of(name) is not None:
            self.stores[name].append((target, value))


def is_global(source: Source, function: Function, name: str) -> bool:
    """Whether a function declares the name as the module's."""
    return name in names_of(source).globals.get(function, ())


@lru_cache(maxsize=2)
def names_of(source: Source) -> Names:
    """The names of a file, read once for all rules."""
    return Names(source)


def use_of(source: Source, load: ast.expr) -> str:
    """What is done with a loaded name, in one of the words above; "" when it says nothing."""
    around = source.parent(load)
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mod):
        return ""  # every so many, not so long
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mult):
        other = around.right if load is around.left else around.left
        if is_time(last_name(other)):
            return ""  # so many times so long
    return _use(source, load)


def _use(source: Source, node: ast.expr) -> str:
    while True:
        around = source.parent(node)
        match around:
            case ast.BoolOp():
                if node is not around.values[0]:
                    return DEFAULT
                node = around
            case ast.IfExp():
                if node is not around.test and not _chosen_among_constants(around):
                    return DEFAULT
                node = around
            case ast.JoinedStr():
                node = around
                if _is_shown(source, around):
                    return SHOWN
            case ast.BinOp() | ast.UnaryOp() | ast.Tuple() | ast.Await() | ast.FormattedValue():
                node = around
            case _:
                through = _wrapper(source, node, around)
                if through is None:
                    return _by_holder(source, node, around)
                node = through


def _wrapper(source: Source, node: ast.expr, around: ast.AST | None) -> ast.Call | None:
    """The call that only gives a value its type: Timeout(NAME), Timeout(connect=NAME)."""
    if isinstance(around, ast.keyword):
        around = source.parent(around)
    if not isinstance(around, ast.Call) or node is around.func:
        return None
    return around if last_name(around) in _THROUGH else None


def _chosen_among_constants(choice: ast.IfExp) -> bool:
    return all(
        isinstance(each, ast.Constant) or is_constant(last_name(each))
        for each in (choice.body, choice.orelse)
    )


def _is_shown(source: Source, text: ast.JoinedStr) -> bool:
    around = source.parent(text)
    if isinstance(around, (ast.keyword, ast.BinOp)):
        around = source.parent(around)
    return isinstance(around, ast.Call) and (
        last_name(around) in _SHOWING or last_name(around).endswith(("Error", "Exception"))
    )


def _by_holder(source: Source, node: ast.expr, around: ast.AST | None) -> str:
    match around:
        case ast.arguments():
            return DEFAULT
        case ast.keyword():
            return _as_keyword(source, around)
        case ast.Call():
            return PASSED if node is around.func else _as_argument(around, node)
        case ast.Attribute():
            call = source.parent(around)
            return BUILT if isinstance(call, ast.Call) else ""
        case ast.Compare():
            return REJECTS if _rejects(source, around) else COMPARED
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return _as_value(source, target, around)
        case ast.Dict():
            return _as_entry(source, around)
        case ast.Return():
            return DEFAULT if is_one_of_several(source, around) else PASSED
        case _:
            return PASSED if isinstance(around, (ast.Starred, ast.List, ast.Set)) else ""


def _as_keyword(source: Source, keyword: ast.keyword) -> str:
    call = source.parent(keyword)
    if not isinstance(call, ast.Call):
        return ""
    callee = last_name(call)
    if "default" in words(keyword.arg or "") or callee in DEFAULTING - {"get", "Path"}:
        return DEFAULT
    if isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "super":
        return ""  # a subclass says what it is
    if kind_of(keyword.arg or "") is Kind.ADDRESS:
        return BOUND
    if keyword.arg in ENFORCING or (keyword.arg == "max_size" and callee in FRAMED):
        return ENFORCED
    return SHOWN if callee in _SHOWING else PASSED


def is_one_of_several(source: Source, returned: ast.Return) -> bool:
    """Whether the function returns something that is no constant elsewhere: this is the rest."""
    function = source.function(returned)
    return function is not None and any(
        isinstance(each, ast.Return) and each.value is not None and each is not returned
        and not isinstance(each.value, ast.Constant) and not is_constant(last_name(each.value))
        for each in ast.walk(function)
    )  # fmt: skip


def _as_argument(call: ast.Call, node: ast.expr) -> str:
    callee = last_name(call)
    if callee in _CLAMPS:
        return CLAMPED
    if callee in _SLEEPS or (callee == "wait" and _is_ending(call.func)):
        return SLEPT
    if callee == "range":
        return COUNTED
    if callee in _SHOWING:
        return SHOWN
    if callee in DEFAULTING and call.args and call.args[0] is not node:
        return DEFAULT
    if call.args and call.args[0] is not node and "default" in words(last_name(node)):
        return DEFAULT  # converted(given, DEFAULT_TIMEOUT)
    return BOUND if callee in BINDS else PASSED


def _is_ending(function: ast.expr) -> bool:
    """`stop_event.wait(INTERVAL)`: a pause that the end of the program cuts short."""
    receiver = function.value if isinstance(function, ast.Attribute) else function
    return bool(_ENDINGS & set(words(last_name(receiver))))


def _as_value(source: Source, target: ast.expr, statement: ast.AST) -> str:
    name = last_name(target)
    if source.function(statement) is None:
        at_class = isinstance(source.parent(statement), ast.ClassDef)
        return DEFAULT if at_class and not is_constant(name) else DERIVED + name
    return DEFAULT if is_guarded(source, statement, name) else PASSED


def _as_entry(source: Source, entries: ast.Dict) -> str:
    statement = source.statement(entries)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if {"default", "defaults", "schema", "settings"} & set(words(last_name(target))):
            return DEFAULT
    symbol = words(source.symbol(entries))
    return DEFAULT if {"default", "defaults", "schema"} & set(symbol) else PASSED


def is_guarded(source: Source, statement: ast.AST, name: str) -> bool:
    """Whether an assignment only fills in: under `if NAME is None`, `if not x.NAME`, in a
    handler of a failed reading."""
    inner: ast.AST = statement
    for around in source.parents(statement):
        if isinstance(around, FUNCTIONS):
            return False
        if isinstance(around, ast.ExceptHandler):
            return True
        if isinstance(around, ast.If) and inner is not around.test and _mentions(around.test, name):
            return True
        inner = around
    return False


def _mentions(test: ast.expr, name: str) -> bool:
    return any(
        last_name(each) == name
        for each in ast.walk(test)
        if isinstance(each, (ast.Name, ast.Attribute))
    )


def refuses(body: list[ast.stmt]) -> bool:
    """Whether statements raise, or end or go on with an error told: not a silent stop at a cap."""
    if any(isinstance(each, ast.Raise) for each in body):
        return True
    ends = any(isinstance(each, (ast.Return, ast.Break, ast.Continue)) for each in body)
    return ends and any(_tells_error(each) for one in body for each in ast.walk(one))


def _tells_error(node: ast.AST) -> bool:
    match node:
        case ast.Call():
            return _ERROR.search(last_name(node)) is not None
        case ast.keyword(arg=str(arg)):
            return _ERROR.search(arg) is not None
        case ast.Constant(value=str(text)):
            return _EXCESS.search(text) is not None
        case ast.Constant(value=status):
            return status == _TOO_LARGE
        case _:
            return False


def _rejects(source: Source, compare: ast.Compare) -> bool:
    """Whether what fails the comparison is refused: raises or returns under an `if`."""
    inner: ast.AST = compare
    for around in source.parents(compare):
        if isinstance(around, (ast.If, ast.While)) and inner is around.test:
            return refuses(around.body) or refuses(around.orelse[:1])
        if isinstance(around, ast.Assert):
            return True
        if not isinstance(around, (ast.BoolOp, ast.UnaryOp, ast.Compare)):
            return False
        inner = around
    return False
