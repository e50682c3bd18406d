"""An HTTP answer that is used, or dropped, whatever its status says."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.clients import CHANGING, VERBS, Sent, sent
from audits.names import calls_of, is_test
from busctl.audit import Confidence, Finding, Function, Rule, Source, walk

_CHECKS = {
    "raise_for_status", "status_code", "status", "ok", "is_success", "is_error", "is_client_error",
    "is_server_error", "reason_phrase", "reason",
}  # fmt: skip
_BODY = {"json", "text", "content", "read", "iter_content", "iter_lines", "iter_bytes", "aread",
         "aiter_bytes", "aiter_lines", "aiter_text", "iter_text", "raw"}  # fmt: skip


class ResponseUnchecked(Rule):
    code = "SF027"
    name = "response-unchecked"
    family = "silent"
    summary = "An HTTP response is used or dropped without a look at its status."
    why = (
        "HTTP clients raise for a lost connection, not for a 401, 404 or 500: the error page is"
        " taken for the answer, or a refused change for a done one, and the caller is not told."
    )
    remedy = "Call response.raise_for_status(), or look at the status before the body."
    GOOD = (
        "import requests\n\ndef rows(url):\n    response = requests.get(url, timeout=5)\n"
        "    response.raise_for_status()\n    return response.json()\n",
        "import httpx\n\nasync def rows(url):\n    async with httpx.AsyncClient() as client:\n"
        "        response = await client.get(url)\n    if response.status_code == 404:\n"
        "        return []\n    return response.json()\n",
        "import httpx\n\nclass Api:\n    def __init__(self):\n        self.client = httpx.Client(\n"
        "            event_hooks={'response': [raise_on_error]})\n\n    def rows(self, url):\n"
        "        return self.client.get(url).json()\n",
        "import requests\n\ndef rows(url):\n    return parsed(requests.get(url, timeout=5))\n",
        "import requests\n\ndef rows(url):\n    data = requests.get(url, timeout=5).json()\n"
        "    if 'error' in data:\n        raise ValueError(data['error'])\n    return data\n",
    )
    BAD = (
        "import requests\n\ndef rows(url):\n    return requests.get(url, timeout=5).json()\n",
        "import httpx\n\nasync def notify(url, row):\n"
        "    async with httpx.AsyncClient() as client:\n"
        "        await client.post(url, json=row)\n",
        "import aiohttp\n\nasync def page(url):\n"
        "    async with aiohttp.ClientSession() as session:\n"
        "        async with session.get(url) as response:\n"
        "            return await response.text()\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown:
            return
        for call in calls_of(source, VERBS):
            made = sent(source, call)
            around = source.function(call) if made else None
            if (
                made and around and not _checks_itself(made.client)
                and (found := self._judged(source, call, made, around))
            ):  # fmt: skip
                yield found

    def _judged(
        self, source: Source, call: ast.Call, made: Sent, around: Function
    ) -> Finding | None:
        use = _use(source, call, around)
        where = source.symbol(call)
        if use == "dropped" and made.verb in CHANGING:
            return self.finding(
                source, call,
                f"A {made.verb.upper()} that is refused (401, 404, 500) counts as done: {where}"
                " drops the response, and the change is lost unseen.",
                # Nobody is left to be told when an object goes, or a session ends.
                confidence=Confidence.LOW if around.name in _LEAVING else Confidence.HIGH,
                evidence=("the response is dropped",),
            )  # fmt: skip
        if not use or use == "dropped" or _looks(around) or (use == "json" and _indexed(around)):
            return None
        return self.finding(
            source, call,
            f"{where} takes the body (`.{use}`) for the answer whatever the status: an error page"
            " becomes data, and the caller is not told that the request failed.",
            confidence=(
                Confidence.HIGH if use == "json" and _defaulted(around) else Confidence.MEDIUM
            ),
            evidence=(f".{use} read, no status, raise_for_status or error field looked at",),
        )  # fmt: skip


_LEAVING = {"__del__", "__exit__", "__aexit__", "close", "aclose", "logout", "disconnect"}


def _checks_itself(client: ast.Call | None) -> bool:
    """Whether the client was made to raise, or to tell a hook."""
    return client is not None and any(
        word.arg in ("event_hooks", "raise_for_status", "trace_configs") or word.arg is None
        for word in client.keywords
    )


def _use(source: Source, call: ast.Call, around: Function) -> str:
    """ "dropped", the body's attribute that is read, or "" when it may be looked at elsewhere."""
    if any(word.arg == "raise_for_status" for word in call.keywords):
        return ""
    holder = source.parent(call)
    if isinstance(holder, ast.Await):
        holder = source.parent(holder)
    if isinstance(holder, ast.Expr):
        return "dropped"
    if isinstance(holder, ast.Attribute):
        return holder.attr if holder.attr in _BODY else ""
    name = _kept(holder)
    return _read(source, around, name) if name else ""


def _kept(holder: ast.AST | None) -> str:
    kept: ast.expr | None = None
    if isinstance(holder, ast.Assign) and len(holder.targets) == 1:
        kept = holder.targets[0]
    elif isinstance(holder, ast.AnnAssign):
        kept = holder.target
    elif isinstance(holder, ast.withitem):
        kept = holder.optional_vars
    return kept.id if isinstance(kept, ast.Name) else ""


def _read(source: Source, around: Function, name: str) -> str:
    """The body's attribute, when the name is used for nothing but its attributes."""
    body = ""
    for one in walk(around):
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load):
            user = source.parent(one)
            if not isinstance(user, ast.Attribute):
                return ""
            if user.attr in _BODY and body in ("", "json"):
                body = user.attr
    return body


def _indexed(around: Function) -> bool:
    """Whether the function demands a field of the JSON: an error page then fails by KeyError."""
    bodies = {"json"}
    for one in walk(around):
        if isinstance(one, ast.Assign) and _is_json(one.value):
            bodies.update(kept.id for kept in one.targets if isinstance(kept, ast.Name))
        elif (
            isinstance(one, ast.Subscript) and isinstance(one.slice, ast.Constant)
            and (_is_json(one.value) or getattr(one.value, "id", "") in bodies)
        ):  # fmt: skip
            return True
    return False


def _defaulted(around: Function) -> bool:
    """Whether a field that an error page lacks is replaced: `.get('rows', [])`."""
    return any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "get"
        and len(one.args) == 2 and isinstance(one.args[0], ast.Constant)
        for one in walk(around)
    )  # fmt: skip


def _is_json(value: ast.expr) -> bool:
    if isinstance(value, ast.Await):
        value = value.value
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "json"
    )


def _looks(around: Function) -> bool:
    """Whether anything in the function asks for a status or for an error field of the answer."""
    for one in walk(around):
        if isinstance(one, ast.Attribute) and one.attr in _CHECKS:
            return True
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            text = one.value.lower()
            if len(text) < 30 and ("error" in text or text in ("status", "ok", "success")):
                return True
    return False
