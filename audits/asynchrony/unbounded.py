"""Work, waiting messages or remembered answers without any bound."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.asynchrony.network import Network, asking, network_call
from audits.callees import Functions
from audits.names import calls_of, is_test, parameters
from busctl.audit import (
    Confidence,
    Finding,
    Function,
    Project,
    Rule,
    Severity,
    Source,
)

_BOUNDS = ("Semaphore", "CapacityLimiter", "Limiter", "batched")
_SHRINKS = {"pop", "popitem", "clear", "move_to_end"}
_QUEUES = {"asyncio.Queue", "asyncio.LifoQueue"}
_FEW = ("bool", "type", "Callable", "Enum", "Literal", "Type", "ModuleType")


class Unbounded(Rule):
    code = "AS005"
    name = "unbounded"
    family = "async"
    severity = Severity.NOTE
    summary = "A gather, queue or cache grows with its input, without a bound."
    why = (
        "On the day the input is large the process opens thousands of connections at once, or its"
        " memory grows until it is killed: everyone's requests end, and no log says why."
    )
    remedy = (
        "Bound it: a Semaphore around each call, Queue(maxsize=…), an lru_cache or a dictionary"
        " that drops its oldest."
    )
    needs = (Functions, Network)
    GOOD = (
        "import asyncio\nimport httpx\n\nlimit = asyncio.Semaphore(10)\n\n"
        "async def one(client: httpx.AsyncClient, url):\n    async with limit:\n"
        "        return await client.get(url)\n\nasync def every(client, urls):\n"
        "    return await asyncio.gather(*[one(client, url) for url in urls])\n",
        "import asyncio\n\nqueue = asyncio.Queue(maxsize=100)\n\nasync def read(socket):\n"
        "    async for message in socket:\n        await queue.put(message)\n",
        "import asyncio\n\nqueue = asyncio.Queue()\nroom = asyncio.Semaphore(8)\n\n"
        "async def read(socket):\n    async for message in socket:\n        await room.acquire()\n"
        "        await queue.put(message)\n",
        "_CACHE = {}\n\ndef lookup(name):\n    if name in _CACHE:\n        return _CACHE[name]\n"
        "    if len(_CACHE) > 1000:\n        _CACHE.clear()\n    _CACHE[name] = load(name)\n"
        "    return _CACHE[name]\n",
        "_PLANS = {}\n\ndef plan(kind: type):\n    if kind not in _PLANS:\n"
        "        _PLANS[kind] = make(kind)\n    return _PLANS[kind]\n",
    )
    BAD = (
        "import asyncio\nimport httpx\n\nasync def every(client: httpx.AsyncClient, urls):\n"
        "    return await asyncio.gather(*[client.get(url) for url in urls])\n",
        "import asyncio\n\nqueue = asyncio.Queue()\n\nasync def read(socket):\n"
        "    async for message in socket:\n        await queue.put(message)\n",
        "_CACHE = {}\n\nasync def user(token: str):\n    if token in _CACHE:\n"
        "        return _CACHE[token]\n    found = await ask(token)\n    _CACHE[token] = found\n"
        "    return found\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown:
            return
        yield from self._gathers(source)
        yield from self._queues(source)
        yield from self._caches(source)

    # --- gather ------------------------------------------------------------------------------

    def _gathers(self, source: Source) -> Iterator[Finding]:
        if "gather" not in source.text or any(word in source.text for word in _BOUNDS):
            return
        for call in calls_of(source, ("gather",)):
            if call.args:
                yield from self._gathered(source, call)

    def _gathered(self, source: Source, call: ast.Call) -> Iterator[Finding]:
        made = call.args[0].value if isinstance(call.args[0], ast.Starred) else None
        around = source.function(call)
        if not isinstance(made, (ast.ListComp, ast.GeneratorExp)) or around is None:
            return
        each, many = made.elt, made.generators[0].iter
        if not isinstance(each, ast.Call) or not _unknown_size(source, many, around):
            return
        if named := network_call(source, each):
            yield self.finding(
                source, call,
                f"{source.symbol(call)} starts one request for each of"
                f" `{source.segment(many)[:40]}` at once, however many there are.",
                confidence=Confidence.MEDIUM if named == "http" else Confidence.LOW,
                evidence=("no semaphore or limit in the file",),
                asks={} if named == "http" else {"target": named},
            )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        return finding if asking(project).asks(finding.asks["target"]) else None

    # --- queue -------------------------------------------------------------------------------

    def _queues(self, source: Source) -> Iterator[Finding]:
        if "Queue(" not in source.text or any(word in source.text for word in _BOUNDS):
            return
        fed = _fed(source)
        for call in calls_of(source, ("Queue", "LifoQueue")):
            if call.args or call.keywords or source.called(call) not in _QUEUES:
                continue
            name = _given_to(source, call)
            if name and name in fed:
                yield self.finding(
                    source, call,
                    f"`{name}` takes every message of `{fed[name]}` and has no bound: when its"
                    " reader is slower than the peer, memory grows until the process is killed.",
                    confidence=Confidence.MEDIUM, evidence=(f"fed from {fed[name]}",),
                )  # fmt: skip

    # --- cache -------------------------------------------------------------------------------

    def _caches(self, source: Source) -> Iterator[Finding]:
        empty = _empty_at_module_level(source)
        if not empty:
            return
        empty -= _shrunk(source)
        told: set[str] = set()
        for kept in source.nodes(ast.Subscript):
            name = getattr(kept.value, "id", "")
            if name not in empty or name in told or not isinstance(kept.ctx, ast.Store):
                continue
            around = source.function(kept)
            given = _open_key(kept, around) if around and _remembers(around, name) else ""
            if around and given and _comes_with_requests(around, given):
                told.add(name)
                yield self.finding(
                    source, kept,
                    f"`{name}` remembers one entry for every `{given}` it is ever asked for and"
                    " drops none: the process grows as long as it runs.",
                    confidence=Confidence.MEDIUM,
                    evidence=("nothing in the file removes an entry",),
                )  # fmt: skip


def _unknown_size(source: Source, many: ast.expr, around: Function) -> bool:
    """A parameter, or what a call or an await has brought."""
    if isinstance(many, ast.Name):
        if many.id in parameters(around):
            return True
        return any(
            isinstance(one, ast.Assign) and isinstance(one.value, ast.Await)
            and any(getattr(kept, "id", "") == many.id for kept in one.targets)
            for one in ast.walk(around)
        )  # fmt: skip
    return isinstance(many, ast.Attribute) and getattr(many.value, "id", "") in (
        parameters(around) - {"self", "cls"}
    )


def _fed(source: Source) -> dict[str, str]:
    """The queues that an `async for` over a peer's messages puts into, and over what."""
    found = {}
    for loop in source.nodes(ast.AsyncFor):
        over = source.dotted(loop.iter)
        for statement in loop.body:
            for one in ast.walk(statement):
                if (
                    isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
                    and one.func.attr in ("put", "put_nowait")
                ):  # fmt: skip
                    found[source.dotted(one.func.value)] = over or "the stream"
    return found


def _given_to(source: Source, call: ast.Call) -> str:
    holder = source.parent(call)
    if isinstance(holder, ast.Assign):
        return source.dotted(holder.targets[0])
    return source.dotted(holder.target) if isinstance(holder, ast.AnnAssign) else ""


def _empty_at_module_level(source: Source) -> set[str]:
    found = set()
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign):
            value: ast.expr | None = statement.value
            kept = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            value, kept = statement.value, statement.target
        else:
            continue
        empty = (isinstance(value, ast.Dict) and not value.keys) or (
            isinstance(value, ast.Call) and source.called(value) == "dict" and not value.keywords
            and not value.args
        )  # fmt: skip
        if empty and isinstance(kept, ast.Name):
            found.add(kept.id)
    return found


def _shrunk(source: Source) -> set[str]:
    """The names that something removes from, replaces, measures or hands on."""
    found = set()
    for one in source.nodes(ast.Name):
        if isinstance(one.ctx, ast.Del):
            found.add(one.id)
        user = source.parent(one)
        if (
            isinstance(user, (ast.Call, ast.Starred, ast.Return, ast.keyword))
            or (isinstance(user, ast.Attribute) and user.attr in _SHRINKS)
            or (isinstance(user, ast.Subscript) and isinstance(user.ctx, ast.Del))
        ):
            found.add(one.id)
    for each in source.nodes(ast.Global):
        found.update(each.names)
    return found


def _remembers(around: Function, name: str) -> bool:
    """Whether the same function looks the entry up first: that makes it a cache."""
    if any(word in around.name for word in ("register", "regist", "add_", "define")):
        return False
    for one in ast.walk(around):
        if isinstance(one, ast.Compare) and getattr(one.comparators[0], "id", "") == name:
            return isinstance(one.ops[0], (ast.In, ast.NotIn))
        if (
            isinstance(one, ast.Attribute) and one.attr == "get"
            and getattr(one.value, "id", "") == name
        ):  # fmt: skip
            return True
    return False


def _open_key(kept: ast.Subscript, around: Function) -> str:
    """The parameter that the key is made of, "" when there are only a few it can be."""
    keys = {one.id for one in ast.walk(kept.slice) if isinstance(one, ast.Name)}
    for one in ast.walk(around):
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") in keys:
            keys |= {inner.id for inner in ast.walk(one.value) if isinstance(inner, ast.Name)}
    every = [*around.args.posonlyargs, *around.args.args, *around.args.kwonlyargs]
    for given in every:
        if given.arg in keys and given.arg not in ("self", "cls"):
            note = ast.unparse(given.annotation) if given.annotation is not None else ""
            return "" if any(word in note for word in _FEW) else given.arg
    return ""


def _comes_with_requests(around: Function, given: str) -> bool:
    """Whether the key is of the kind that each request brings anew. Names, kinds and settings are
    few however often they are asked for."""
    if not isinstance(around, ast.AsyncFunctionDef):
        return False
    return given.rpartition("_")[2] in ("token", "id", "query", "text", "message", "prompt", "ip")
