"""Requests that wait for each other though none needs the other's answer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.asynchrony.blocking import enters_loop
from audits.asynchrony.network import Network, asking, network_call
from audits.callees import Functions
from audits.clients import CHANGING, sent
from audits.names import is_test
from busctl.audit import Confidence, Finding, Project, Rule, Severity, Source

_BODY = {"json", "text", "read", "content"}
_GROWS = {"append", "extend", "add", "update", "insert", "pop", "remove", "setdefault"}


class SequentialAwaits(Rule):
    code = "AS003"
    name = "sequential-awaits"
    family = "async"
    severity = Severity.NOTE
    summary = "A loop awaits one network call after the other, though they do not depend."
    why = "The waits add up: twenty answers of 200 ms take four seconds instead of a fifth of one."
    remedy = (
        "Start them together in a TaskGroup or with asyncio.gather, behind a Semaphore of ten or"
        " so."
    )
    needs = (Functions, Network)
    GOOD = (
        "import httpx\n\nasync def pages(client: httpx.AsyncClient, urls):\n    found = []\n"
        "    for url in urls:\n        answer = await client.get(url, params={'since': found})\n"
        "        found.append(answer.json())\n    return found\n",
        "import httpx\n\nasync def first(client: httpx.AsyncClient, urls):\n    for url in urls:\n"
        "        answer = await client.get(url)\n        if answer.is_success:\n"
        "            return answer\n",
        "import asyncio\nimport httpx\n\nasync def slowly(client: httpx.AsyncClient, urls):\n"
        "    for url in urls:\n        await client.get(url)\n        await asyncio.sleep(1)\n",
    )
    BAD = (
        "import httpx\n\nasync def every(client: httpx.AsyncClient, urls):\n    found = {}\n"
        "    for url in urls:\n        answer = await client.get(url)\n"
        "        found[url] = answer.json()\n    return found\n",
        "import httpx\n\nasync def one(url):\n    async with httpx.AsyncClient() as client:\n"
        "        return await client.get(url)\n\nasync def every(urls):\n    found = []\n"
        "    for url in urls:\n        found.append(await one(url))\n    return found\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown or "await" not in source.text:
            return
        for loop in source.nodes(ast.For):
            call = _only_call(source, loop)
            if call is not None and _independent(source, loop, call):
                yield from self._judged(source, loop, call)

    def _judged(self, source: Source, loop: ast.For, call: ast.Call) -> Iterator[Finding]:
        named = network_call(source, call)
        made = sent(source, call)
        if not named or (made and made.verb in CHANGING):
            return
        yield self.finding(
            source, loop,
            f"{source.symbol(loop)} asks for each of `{source.segment(loop.iter)[:40]}` only when"
            f" the one before has answered (`{source.called(call)}`): the waits add up.",
            confidence=Confidence.MEDIUM if named == "http" else Confidence.LOW,
            evidence=("no round reads what another has found",),
            asks={} if named == "http" else {"target": named},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        return finding if asking(project).asks(finding.asks["target"]) else None


def _only_call(source: Source, loop: ast.For) -> ast.Call | None:
    """The single awaited call of a round, reading an answer's body left aside."""
    if not enters_loop(source, loop) or isinstance(loop.iter, (ast.List, ast.Tuple)):
        return None
    if isinstance(loop.iter, ast.Call) and source.called(loop.iter) == "range":
        return None
    found: list[ast.Call] = []
    for statement in loop.body:
        for one in ast.walk(statement):
            if isinstance(one, (ast.Break, ast.Return, ast.Raise, ast.AsyncFor, ast.Yield)):
                return None
            if isinstance(one, ast.Await):
                call = one.value
                if not isinstance(call, ast.Call):
                    return None
                if getattr(call.func, "attr", "") not in _BODY:
                    found.append(call)
            if isinstance(one, ast.AsyncWith) and not _opens_answer(source, one, found):
                return None
    return found[0] if len(found) == 1 else None


def _opens_answer(source: Source, entered: ast.AsyncWith, found: list[ast.Call]) -> bool:
    """`async with session.get(url) as answer:` is the call itself."""
    for item in entered.items:
        opened = item.context_expr
        if not (isinstance(opened, ast.Call) and sent(source, opened)):
            return False
        found.append(opened)
    return True


def _independent(source: Source, loop: ast.For, call: ast.Call) -> bool:
    """Whether the call is made from the round's value, and from nothing that rounds change."""
    given = [*call.args, *(word.value for word in call.keywords)]
    used = {one.id for each in given for one in ast.walk(each) if isinstance(one, ast.Name)}
    rounds = {one.id for one in ast.walk(loop.target) if isinstance(one, ast.Name)}
    made = _made_before(loop, call)
    if not used & (rounds | made):
        return False
    return not (used - rounds - made) & _changed(loop)


def _made_before(loop: ast.For, call: ast.Call) -> set[str]:
    """The names that a round itself sets before the call."""
    return {
        one.id
        for statement in loop.body if isinstance(statement, (ast.Assign, ast.AnnAssign))
        for one in ast.walk(statement)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        and one.lineno < call.lineno
    }  # fmt: skip


def _changed(loop: ast.For) -> set[str]:
    """The names that a round sets, adds to, or changes by a method."""
    found = set()
    for statement in loop.body:
        for one in ast.walk(statement):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                found.add(one.id)
            elif isinstance(one, ast.Call) and getattr(one.func, "attr", "") in _GROWS:
                found.add(_top(one.func))
            elif isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store):
                found.add(_top(one.value))
    return found


def _top(node: ast.AST) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
