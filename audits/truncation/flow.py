"""Where a value goes: up through what keeps it a value, on through local names, to its end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from audits.truncation.words import is_error, is_label, listed
from busctl.audit import FUNCTIONS, Function, Source


class Kind(StrEnum):
    """What becomes of a value."""

    SENT = "sent"
    STORED = "stored"
    ANSWERED = "put into an answer"
    PROMPTED = "given to a model"
    RETURNED = "returned"
    YIELDED = "yielded"
    KEPT = "kept"
    PASSED = "passed on"
    SPARED = "spared"


OUTWARD = frozenset({Kind.SENT, Kind.STORED, Kind.ANSWERED, Kind.PROMPTED})


@dataclass(frozen=True, slots=True)
class Destination:
    """`what` names the call, attribute or key; `under` the dictionary key or keyword it goes by."""

    kind: Kind
    what: str = ""
    under: str = ""


_SENDS = listed(
    """send sendall send_text send_bytes send_json send_str send_message send_response sendto
    publish emit write writelines write_text write_bytes broadcast reply respond enqueue put_nowait
    produce deliver post patch upload push notify send_event send_and_receive"""
)
_STORES = listed(
    """save store insert insert_one insert_many execute executemany setex hset upsert persist
    add_documents add_document add_texts set_content save_message insert_new put bulk_create
    create_all upload_file save_docs"""
)
_ASKS = listed(
    """completion acompletion generate ainvoke invoke chat complete predict ask agenerate
    generate_content create_completion chat_completion embed embed_query embed_documents embedding
    aembed run_llm simple_send_with_retries generate_chat_completion"""
)
_ANSWER = re.compile(
    r"(?:Response|Result|Message|Content|Document|Payload|Output|Answer|Observation|Part|Block)$"
)
_MODEL_KEYWORDS = frozenset({"prompt", "messages", "contents", "input", "system_prompt"})
_LOGS = re.compile(
    r"(?:^|[._])(?:log|logger|logging|_logger|console|stderr|print|pprint|debug|info|warning|warn"
    r"|critical|trace|tracer|span|telemetry|metrics?|progress|spinner|toast|tqdm|echo|secho"
    r"|set_attribute|set_tag|add_event|capture_\w+|log_\w+|print_\w+|verbose\w*|tool_output"
    r"|tool_error|tool_warning|breadcrumb|annotate|report_progress)(?:[.(]|$)",
    re.IGNORECASE,
)
_KEEPS = listed(
    """str bytes repr dumps escape quote dict list tuple join strip lstrip rstrip encode decode
    replace rsplit format lower upper title casefold ljust rjust expandtabs partition rpartition
    cast b64encode dedent indent fill hex bytearray memoryview unquote deepcopy copy splitlines
    removesuffix removeprefix sub"""
)
_TESTS = listed(
    """len hash startswith endswith count find index isdigit isinstance any all bool id sum rfind
    isascii isalpha search match fullmatch sha256 sha1 md5 hexdigest blake2b crc32 adler32 unpack
    from_bytes min max sorted set int float ord issubset finditer findall isprintable"""
)
_SNIFFS = re.compile(
    r"detect|sniff|guess|magic|from_buffer|(?:^|_)(?:is|has|looks|looks_like|contains)_|match|"
    r"mimetype|filetype|chardet|charset|encoding|hash|parse_header|similar|distance|hexdump",
    re.IGNORECASE,
)
_GATHERS = frozenset({"append", "extend", "add", "insert", "appendleft", "setdefault"})


def destinations(source: Source, node: ast.AST, depth: int = 3) -> list[Destination]:
    """Every end that is found for the value of this expression, names followed in its function."""
    return list(dict.fromkeys(_ends(source, node, depth, frozenset())))


def _ends(
    source: Source, node: ast.AST, depth: int, seen: frozenset[str], under: str = ""
) -> Iterator[Destination]:
    child = node
    for parent in source.parents(node):
        step = _step(source, parent, child)
        if isinstance(step, str):
            under = step or under
            child = parent
            continue
        if isinstance(step, Destination):
            yield Destination(step.kind, step.what, under)
            return
        for name in step:
            if depth and name not in seen:
                yield from _followed(source, parent, name, depth - 1, seen | {name}, under)
        if not step:
            yield Destination(Kind.SPARED, "", under)
        return


def _step(source: Source, parent: ast.AST, child: ast.AST) -> str | Destination | list[str]:
    """A key to go on under ("" for none), an end, or the names to follow ([] for a dead end)."""
    match parent:
        case ast.Return():
            return Destination(Kind.RETURNED)
        case ast.Yield() | ast.YieldFrom():
            return Destination(Kind.YIELDED)
        case ast.Call():
            return _into_call(source, parent, child)
        case ast.keyword():
            return _labelled(parent.arg or "")
        case ast.Dict():
            return _labelled(_key_of(parent, child))
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
            return _assigned(parent)
    return "" if _keeps_going(parent, child) else []


_THROUGH = (
    ast.BinOp, ast.FormattedValue, ast.BoolOp, ast.Await, ast.Starred, ast.Tuple, ast.List,
    ast.Attribute, ast.NamedExpr,
)  # fmt: skip


def _keeps_going(parent: ast.AST, child: ast.AST) -> bool:
    """Whether the value around this one still holds it."""
    match parent:
        case ast.IfExp():
            return child is not parent.test
        case ast.Subscript() | ast.DictComp():
            return child is parent.value
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
            return child is parent.elt
        case ast.JoinedStr():
            return not _says_failure(parent)
    return isinstance(parent, _THROUGH)


_FAILURE = re.compile(
    r"fail(?:ed|ure)|unexpected|invalid|malformed|could not|cannot|unable|error:|non-json|HTTP [ {]"
    r"|returned an?\b|not valid|status",
    re.IGNORECASE,
)


def _says_failure(node: ast.JoinedStr) -> bool:
    """A short sentence about something that went wrong, with an extract for people."""
    said = "".join(str(each.value) for each in node.values if isinstance(each, ast.Constant))
    return len(said) < LONGEST_SENTENCE and bool(_FAILURE.search(said))


LONGEST_SENTENCE = 200
"""Characters; beyond them an f-string is a prompt or a document rather than an error message."""


def _labelled(name: str) -> str | list[str]:
    return [] if is_label(name) or is_error(name) else name


def _key_of(node: ast.Dict, child: ast.AST) -> str:
    for key, value in zip(node.keys, node.values, strict=True):
        if value is child:
            known = isinstance(key, ast.Constant) and isinstance(key.value, str)
            return str(key.value) if known and isinstance(key, ast.Constant) else ""
    return "key"  # the value is itself a key


_CUT_NAMES = {"truncated", "trimmed", "clipped", "shortened", "short"}
"""Local names that say what was done to a value, and not that it stays here."""


def _assigned(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> Destination | list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = []
    for target in targets:
        if isinstance(target, ast.Name):
            if target.id in _CUT_NAMES or not (is_label(target.id) or is_error(target.id)):
                names.append(target.id)
        elif isinstance(target, ast.Attribute):
            if not (is_label(target.attr) or is_error(target.attr)):
                return Destination(Kind.KEPT, target.attr)
        elif isinstance(target, ast.Subscript):
            return _into_item(target)
    return names


def _into_item(target: ast.Subscript) -> Destination | list[str]:
    key = target.slice
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        label = is_label(key.value) or is_error(key.value)
        return [] if label else Destination(Kind.KEPT, key.value)
    return []


def _into_call(source: Source, call: ast.Call, child: ast.AST) -> str | Destination | list[str]:
    name = source.called(call) or getattr(call.func, "attr", "")
    last = name.rpartition(".")[2]
    if child is call.func:
        return "" if last in _KEEPS or last == "split" else []
    if last in _KEEPS:
        return ""
    if last == "set" and isinstance(call.func, ast.Attribute) and len(call.args) > 1:
        return Destination(Kind.STORED, name)
    if last in _TESTS or _LOGS.search(name) or _SNIFFS.search(last):
        return []
    if re.search(r"(?:Error|Exception|Warning|Failure|Failed)$|(?:^|_)(?:fail|reject|abort)", last):
        return []
    if last in _GATHERS and isinstance(call.func, ast.Attribute):
        held = call.func.value
        return [held.id] if isinstance(held, ast.Name) else []
    return _end_of_call(call, child, name, last)


def _end_of_call(call: ast.Call, child: ast.AST, name: str, last: str) -> Destination | list[str]:
    if "stdout" in name:
        return []
    if last in _SENDS:
        return Destination(Kind.SENT, name)
    if last in _STORES:
        return Destination(Kind.STORED, name)
    keyword = child.arg if isinstance(child, ast.keyword) else ""
    if last in _ASKS or keyword in _MODEL_KEYWORDS:
        return Destination(Kind.PROMPTED, name)
    if last[:1].isupper() and _ANSWER.search(last):
        return Destination(Kind.ANSWERED, name)
    return Destination(Kind.PASSED, name)


def _followed(
    source: Source, at: ast.AST, name: str, depth: int, seen: frozenset[str], under: str
) -> Iterator[Destination]:
    """The ends of what a local name holds from this statement on."""
    function = source.function(at)
    if function is None:
        return
    after = (getattr(at, "lineno", 0), getattr(at, "col_offset", 0))
    own = {id(each) for each in ast.walk(source.statement(at))}
    for use in _uses(function, name):
        if (use.lineno, use.col_offset) > after and id(use) not in own:
            yield from _ends(source, use, depth, seen, under)


def _uses(function: Function, name: str) -> Iterator[ast.Name]:
    for each in ast.walk(function):
        if isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load):
            yield each


def is_role_message(source: Source, node: ast.AST) -> bool:
    """Whether this is inside of a `{"role": …, "content": …}` for a model."""
    for parent in source.parents(node):
        if isinstance(parent, ast.Dict):
            keys = {each.value for each in parent.keys if isinstance(each, ast.Constant)}
            if "role" in keys:
                return True
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
            break
    return False
