"""What a file says of its functions: what they call, and where they change what passes through."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from busctl.audit.rule import Facts
from busctl.audit.source import FUNCTIONS, Function, Source

_BY_NAME = {
    "json.dumps": "serialise", "json.dump": "serialise", "orjson.dumps": "serialise",
    "ujson.dumps": "serialise", "pickle.dumps": "serialise", "msgpack.packb": "serialise",
    "yaml.dump": "serialise", "yaml.safe_dump": "serialise", "marshal.dumps": "serialise",
    "json.loads": "parse", "json.load": "parse", "orjson.loads": "parse", "ujson.loads": "parse",
    "pickle.loads": "parse", "msgpack.unpackb": "parse", "yaml.safe_load": "parse",
    "yaml.load": "parse", "textwrap.shorten": "slice",
    "zlib.compress": "compress", "gzip.compress": "compress", "bz2.compress": "compress",
    "lzma.compress": "compress", "zlib.decompress": "decompress", "gzip.decompress": "decompress",
    "bz2.decompress": "decompress", "lzma.decompress": "decompress",
    "base64.b64encode": "encode", "base64.b64decode": "decode",
    "unicodedata.normalize": "normalise",
}  # fmt: skip
_BY_METHOD = {
    "encode": "encode", "decode": "decode", "model_dump": "serialise",
    "model_dump_json": "serialise", "model_validate_json": "parse", "model_validate": "parse",
    "compress": "compress", "decompress": "decompress",
    "send": "send", "sendall": "send", "send_text": "send", "send_bytes": "send",
    "send_json": "send", "send_str": "send", "sendto": "send", "publish": "send",
    "writelines": "send", "recv": "receive", "receive": "receive", "receive_text": "receive",
    "receive_json": "receive", "receive_bytes": "receive", "recv_into": "receive",
    "execute": "store", "executemany": "store", "insert": "store", "insert_one": "store",
    "upsert": "store", "write_text": "store", "write_bytes": "store", "setex": "store",
    "commit": "store",
}  # fmt: skip
_ENTRIES = re.compile(
    r"(?:^|\.)(?:tool|route|get|post|put|patch|delete|websocket|websocket_route|api_route"
    r"|call_tool|list_tools|resource|prompt|head|options|on_message|register_tool|endpoint)(?:\(\))?$"
)
_ENTRY_NAMES = {"websocket_endpoint", "websocket_handler", "handle_websocket", "ws_handler"}


class CallFacts(Facts):
    """`[{"name", "line", "entry", "calls": [{"to", "line"}], "points": [{"kind", "what",
    "line"}]}]` for each function; `to` is dotted, `self.x` as it stands."""

    def collect(self, source: Source) -> Any:
        nodes: list[Function] = [
            *source.nodes(ast.FunctionDef), *source.nodes(ast.AsyncFunctionDef),
        ]  # fmt: skip
        functions = [_function(source, each) for each in nodes]
        return {"module": source.module, "functions": functions} if functions else None


def _function(source: Source, node: Function) -> dict[str, Any]:
    calls, points = [], []
    for each in sorted(_own(node), key=_end):
        if isinstance(each, ast.Call):
            name = _called(source, each)
            if name:
                calls.append({"to": name, "line": each.lineno})
            kind = _kind(source, each)
            if kind:
                points.append({"kind": kind, "what": _short(each.func), "line": each.lineno})
        elif _is_cut(each):
            points.append({"kind": "slice", "what": _short(each), "line": each.lineno})
    around = source.class_of(node)
    return {
        "name": source.symbol(node), "line": node.lineno,
        "class": source.symbol(around) if around is not None else "",
        "entry": _is_entry(source, node), "calls": calls, "points": points,
    }  # fmt: skip


def _end(node: ast.Call | ast.Subscript) -> tuple[int, int]:
    """What ends first runs first: the inner call before the outer one."""
    return node.end_lineno or node.lineno, node.end_col_offset or 0


def _own(node: Function) -> Iterator[ast.Call | ast.Subscript]:
    """The calls and subscripts a function runs itself, without those of the functions in it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        if isinstance(each, (ast.Call, ast.Subscript)):
            yield each
        if not isinstance(each, (*FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(each))


def _called(source: Source, call: ast.Call) -> str:
    """The dotted name of what is called; `super().x` as it stands."""
    name = source.called(call)
    return "" if "()" in name.replace("super()", "super", 1) else name


def _kind(source: Source, call: ast.Call) -> str:
    found = _BY_NAME.get(source.called(call), "")
    if not found and isinstance(call.func, ast.Attribute):
        found = _BY_METHOD.get(call.func.attr, "")
        if found == "store" and call.func.attr == "insert" and len(call.args) == 2:
            return ""  # of a list
    return found


def _is_cut(node: ast.Subscript) -> bool:
    """`x[:n]` and `x[-n:]`; not `x[:-1]`, `x[n:]` or a step."""
    part = node.slice
    if not isinstance(part, ast.Slice) or part.step is not None:
        return False
    if part.lower is None:
        return part.upper is not None and not isinstance(part.upper, ast.UnaryOp)
    return part.upper is None and isinstance(part.lower, ast.UnaryOp)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST else f"…{text[-LONGEST:]}"


LONGEST = 60
"""Characters of code that are shown of one transformation point."""


def _is_entry(source: Source, node: Function) -> bool:
    if node.name in _ENTRY_NAMES:
        return True
    return any(
        _ENTRIES.search(source.dotted(each.func if isinstance(each, ast.Call) else each))
        for each in node.decorator_list
        if isinstance(each, (ast.Call, ast.Attribute))
        or (isinstance(each, ast.Name) and each.id in {"tool", "resource"})
    )
