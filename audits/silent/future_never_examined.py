"""A future of an executor whose error nobody asks for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.callees import Functions, callees
from audits.names import calls_of, functions, is_test, target
from audits.silent.clean_up import is_clean_up
from busctl.audit import FUNCTIONS, Confidence, Finding, Function, Project, Rule, Source, walk

_POOLS = {
    "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor",
    "concurrent.futures.thread.ThreadPoolExecutor",
    "concurrent.futures.process.ProcessPoolExecutor",
    "multiprocessing.Pool", "multiprocessing.pool.Pool", "multiprocessing.pool.ThreadPool",
}  # fmt: skip
_STARTS = {"submit": 0, "map": 0, "apply_async": 0, "map_async": 0, "run_in_executor": 1}
_LOOKS = {"result", "exception", "add_done_callback", "get"}


class FutureNeverExamined(Rule):
    code = "SF022"
    name = "future-never-examined"
    family = "silent"
    summary = "Work is given to an executor and its result never asked for."
    why = (
        "An executor keeps the exception in the future and tells nobody: without result() or"
        " exception() the work that failed looks like work that was done, in no log at all."
    )
    remedy = (
        "Keep the futures and call result() on each (as_completed), or add a done callback that"
        " logs exception()."
    )
    needs = (Functions,)
    GOOD = (
        "from concurrent.futures import ThreadPoolExecutor\n\ndef every(rows):\n"
        "    with ThreadPoolExecutor() as pool:\n"
        "        futures = [pool.submit(store, row) for row in rows]\n"
        "        return [one.result() for one in futures]\n",
        "from concurrent.futures import ThreadPoolExecutor\n\ndef store(row):\n    try:\n"
        "        insert(row)\n    except Exception:\n        log.exception('not stored')\n\n"
        "def every(rows):\n    with ThreadPoolExecutor() as pool:\n        for row in rows:\n"
        "            pool.submit(store, row)\n",
        "async def handle(loop, row):\n    return await loop.run_in_executor(None, store, row)\n",
        "def handle(form, row):\n    form.submit(row)\n",
    )
    BAD = (
        "from concurrent.futures import ThreadPoolExecutor\n\ndef every(rows):\n"
        "    with ThreadPoolExecutor() as pool:\n        for row in rows:\n"
        "            pool.submit(store, row)\n",
        "from concurrent.futures import ThreadPoolExecutor\n\ndef every(rows):\n"
        "    with ThreadPoolExecutor() as pool:\n        pool.map(store, rows)\n",
        "from concurrent.futures import ThreadPoolExecutor, wait\n\ndef every(rows):\n"
        "    pool = ThreadPoolExecutor()\n    futures = [pool.submit(store, row) for row in rows]\n"
        "    wait(futures)\n    return len(futures)\n",
        "async def handle(loop, row):\n    loop.run_in_executor(None, store, row)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source):
            return
        pools = _pools(source)
        for call in calls_of(source, _STARTS):
            func = call.func
            if (
                isinstance(func, ast.Attribute) and func.attr in _STARTS and call.args
                and (sure := _is_pool(source, func, pools))
            ):  # fmt: skip
                yield from self._judged(source, call, func.attr, sure)

    def _judged(
        self, source: Source, call: ast.Call, how: str, sure: Confidence
    ) -> Iterator[Finding]:
        held, at = _held(source, call), _STARTS[how]
        around = source.function(call)
        if not held or len(call.args) <= at or (around and is_clean_up(source, call, around)):
            return
        work = call.args[at]
        if how == "submit" and sure is not Confidence.HIGH and not _is_callable(source, work):
            return
        shown = source.dotted(work) or "the work"
        named = target(source, ast.copy_location(_calling(work), call))
        yield self.finding(
            source, call,
            f"If `{shown}` fails in the executor, {source.symbol(call) or 'the module'} takes it"
            f" for done: {held}, and no log hears of the exception.",
            # Most work handed to a pool handles its own errors in ways that no reader of one file
            # can see: two of two high findings in well-known packages were such.
            confidence=min(sure, Confidence.MEDIUM, key=lambda one: one.rank), evidence=(held,),
            asks={"target": named or _own(source, call, work), "last": shown.rpartition(".")[2]},
        )  # fmt: skip

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        known = callees(project)
        kept = known.keeps_errors(finding.asks["target"])
        if kept is None:
            each = [known.keeps_errors(one) for one in known.named(finding.asks["last"])]
            if any(each):
                return None
            return finding
        return None if kept else finding


def _calling(work: ast.expr) -> ast.Call:
    return ast.Call(func=work, args=[], keywords=[])


def _is_callable(source: Source, work: ast.expr) -> bool:
    """Whether what is handed over is a function for certain: else `submit` may take an order."""
    if isinstance(work, ast.Name):
        return work.id in source.imports or any(one.name == work.id for one in functions(source))
    if isinstance(work, ast.Attribute):
        return source.dotted(work) != "" and not work.attr[0].isupper()
    return isinstance(work, (ast.Lambda, ast.Call))


def _own(source: Source, call: ast.Call, work: ast.expr) -> str:
    """The absolute name of what is handed over, seen from where it is handed over."""
    if isinstance(work, ast.Name):
        for around in source.parents(call):
            if isinstance(around, FUNCTIONS):
                inner = f"{source.symbol(around)}.{work.id}"
                if any(source.symbol(one) == inner for one in source.nodes(*FUNCTIONS)):
                    return f"{source.module}.{inner}"
    if (
        isinstance(work, ast.Attribute) and isinstance(work.value, ast.Name)
        and work.value.id == "self" and (owner := source.class_of(call))
    ):  # fmt: skip
        return f"{source.module}.{source.symbol(owner)}.{work.attr}"
    return ""


def _pools(source: Source) -> set[str]:
    """The names that are given a pool in this file."""
    found: set[str] = set()
    for each in source.nodes(ast.Assign):
        if _makes(source, each.value):
            found.update(source.dotted(one) for one in each.targets)
    for note in source.nodes(ast.AnnAssign):
        if note.value is not None and _makes(source, note.value):
            found.add(source.dotted(note.target))
    for entered in source.nodes(ast.With):
        for item in entered.items:
            if item.optional_vars is not None and _makes(source, item.context_expr):
                found.add(source.dotted(item.optional_vars))
    return found


def _makes(source: Source, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and source.called(value) in _POOLS


def _is_pool(source: Source, func: ast.Attribute, pools: set[str]) -> Confidence | None:
    owner = source.dotted(func.value)
    if func.attr == "run_in_executor":
        return Confidence.MEDIUM
    if owner in pools:
        return Confidence.HIGH
    last = owner.rpartition(".")[2].lower().removesuffix("()")
    spelt = last.endswith(("executor", "thread_pool", "threadpool"))
    return Confidence.MEDIUM if spelt and func.attr == "submit" else None


def _held(source: Source, call: ast.Call) -> str:
    """What becomes of the future; "" when somebody may ask it."""
    holder = source.parent(call)
    if isinstance(holder, ast.Expr):
        return "the result is dropped"
    around = source.function(call)
    if around is None:
        return ""
    if isinstance(holder, ast.Assign) and isinstance(holder.targets[0], ast.Name):
        name = holder.targets[0].id
        return "" if _is_read(around, name) else f"`{name}` is never read"
    kept = _listed(source, holder)
    if kept and _waited(source, around, kept):
        return f"`{kept}` are only waited for, their results never asked"
    return ""


def _is_read(around: Function, name: str) -> bool:
    return any(
        isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load)
        for one in walk(around)
    ) or any(isinstance(one, (ast.Global, ast.Nonlocal)) for one in walk(around))


def _listed(source: Source, holder: ast.AST | None) -> str:
    """The list that the futures are kept in: by a comprehension or by append."""
    if isinstance(holder, ast.ListComp):
        assigned = source.parent(holder)
        if isinstance(assigned, ast.Assign) and isinstance(assigned.targets[0], ast.Name):
            return assigned.targets[0].id
    if (
        isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute)
        and holder.func.attr == "append" and isinstance(holder.func.value, ast.Name)
    ):  # fmt: skip
        return holder.func.value.id
    return ""


def _waited(source: Source, around: Function, name: str) -> bool:
    """Whether the list is used for nothing but waiting, and nothing asks for a result."""
    for one in walk(around):
        if isinstance(one, ast.Attribute) and one.attr in _LOOKS:
            return False
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load):
            user = source.parent(one)
            if isinstance(user, ast.Attribute) and user.attr in ("append", "clear"):
                continue
            if not _waits(source, user):
                return False
    return True


def _waits(source: Source, user: ast.AST | None) -> bool:
    if not isinstance(user, ast.Call):
        return False
    if source.called(user) == "len":
        return True
    return source.called(user).rpartition(".")[2] in ("wait", "as_completed") and isinstance(
        source.parent(user), (ast.Expr, ast.For)
    )
