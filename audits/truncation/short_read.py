"""TR005: one read with a limit, and what it gave is taken for the whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from audits.truncation.cuts import LEAST
from audits.truncation.flow import OUTWARD, Kind, destinations
from audits.truncation.sparing import in_loop
from audits.truncation.texts import name_of
from audits.truncation.words import shortens, tells
from busctl.audit import Confidence, Finding, Function, Rule, Severity, Source

_STREAM = re.compile(
    r"resp|response|stdout|stderr|sock|conn|reader|stream|request|req|body|pipe|client|upload|rfile"
    r"|file|fp|^f$|fd|handle|channel|process|proc",
    re.IGNORECASE,
)
_READS = frozenset({"read", "recv", "read1"})
_PIECES = re.compile(
    r"recv|receive|(?:^|_)read(?:_|$|line|able)|chunk|stream|iter|loop|poll|drain|header|magic|"
    r"probe|random|secret|fill|handshake|auth|signal|wake|pump|run_forever|__next__|seek",
    re.IGNORECASE,
)


class ShortRead(Rule):
    """`body = response.read(65536)`, `data = sock.recv(4096)`, outside of a loop."""

    code = "TR005"
    name = "short-read"
    family = "truncation"
    severity = Severity.WARNING
    summary = "One read with a limit is taken for the whole of a stream, response or file."
    why = (
        "What is longer than the limit (and on a socket, whatever has not arrived yet) is left "
        "unread: who gets the value sees a shorter one, not an error."
    )
    remedy = "Read until the end, or read one byte more than the limit and refuse what has it."
    GOOD = (
        """
def load(response):
    parts = []
    while chunk := response.read(65536):
        parts.append(chunk)
    return b"".join(parts)
""",
        """
def load(response):
    body = response.read(LIMIT + 1)
    if len(body) > LIMIT:
        raise TooLarge(LIMIT)
    return body
""",
        """
def is_image(file):
    return file.read(512).startswith(PNG)
""",
    )
    BAD = (
        """
def load(url):
    response = urlopen(url)
    return json.loads(response.read(65536))
""",
        """
import socket

def ask(address, question):
    sock = socket.create_connection(address)
    sock.sendall(question)
    answer = sock.recv(4096)
    return answer.decode()
""",
    )

    def check(self, source: Source) -> Iterable[Finding]:
        if source.is_test or source.is_shown:
            return
        for call in source.nodes(ast.Call):
            limit = _limit(call)
            if not limit or not isinstance(call.func, ast.Attribute):
                continue
            function = source.function(call)
            if function is None or not _STREAM.search(name_of(call.func.value)):
                continue
            if _in_pieces(source, call, function):
                continue
            ends = {each.kind for each in destinations(source, call)}
            parsed = _parsed(source, call)
            if parsed or ends & (OUTWARD | {Kind.RETURNED, Kind.YIELDED}):
                yield self._said(source, call, function, limit)

    def _said(self, source: Source, call: ast.Call, function: Function, limit: str) -> Finding:
        on_socket = isinstance(call.func, ast.Attribute) and call.func.attr == "recv"
        return self.finding(
            source, call,
            f"{source.symbol(function)}() reads {limit} bytes of "
            f"{_read_from(call)} once and takes them for the whole: the "
            "rest is lost, and nobody is told.",
            confidence=Confidence.MEDIUM,
            evidence=("one recv() may give any part of what was sent",) if on_socket else (),
        )  # fmt: skip


def _read_from(call: ast.Call) -> str:
    return name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _limit(call: ast.Call) -> str:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _READS:
        return ""
    if len(call.args) != 1 or call.keywords:
        return ""
    bound = call.args[0]
    if isinstance(bound, ast.Constant) and type(bound.value) is int and bound.value >= LEAST:
        return str(bound.value)
    if isinstance(bound, ast.Name) and bound.id.isupper():
        return bound.id
    if isinstance(bound, ast.BinOp) and isinstance(bound.op, ast.Mult):
        return ast.unparse(bound)
    return ""


def _in_pieces(source: Source, call: ast.Call, function: Function) -> bool:
    """Read again elsewhere, in a loop, or by a function that is called for each piece."""
    if in_loop(source, call) or shortens(function.name) or _PIECES.search(function.name):
        return True
    reads = 0
    for each in ast.walk(function):
        if isinstance(each, ast.Attribute) and each.attr in {*_READS, "readline", "seek", "peek"}:
            reads += 1
        elif isinstance(each, (ast.Name, ast.Attribute)) and tells(name_of(each)):
            return True
    return reads > 1


def _parsed(source: Source, call: ast.Call) -> bool:
    around = source.parent(call)
    return isinstance(around, ast.Call) and source.called(around) in {"json.loads", "json.load"}
