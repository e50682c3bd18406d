"""A request that may wait for ever: `requests` and `urllib` have no timeout of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.clients import VERBS, sent
from audits.names import calls_of, is_test
from busctl.audit import Confidence, Finding, Rule, Source

_DIRECT = {*(f"requests.{verb}" for verb in VERBS), "urllib.request.urlopen"}
_SESSIONS = {"requests.Session", "requests.session", "requests.sessions.Session"}
_AT = {"urllib.request.urlopen": 2}
"""Where the timeout stands when it is given without its name."""


class RequestWithoutTimeout(Rule):
    code = "AS008"
    name = "request-without-timeout"
    family = "async"
    summary = "A request without a timeout, by a library that has none of its own."
    why = (
        "A peer that accepts the connection and never answers holds this thread for ever: no"
        " error, no log, and whoever waits for the result sees only that nothing happens."
    )
    remedy = "Pass timeout=, from a setting. (httpx and aiohttp have one of their own.)"
    GOOD = (
        "import requests\n\ndef rows(url):\n    return requests.get(url, timeout=5)\n",
        "import httpx\n\ndef rows(url):\n    return httpx.get(url)\n",
        "import requests\n\ndef rows(url, **options):\n    return requests.get(url, **options)\n",
        "import socket\nimport urllib.request\n\nsocket.setdefaulttimeout(10)\n\n"
        "def rows(url):\n    return urllib.request.urlopen(url).read()\n",
        "import requests\n\ndef rows(session, url):\n    return session.get(url)\n",
    )
    BAD = (
        "import requests\n\ndef rows(url):\n    return requests.get(url)\n",
        "from urllib.request import urlopen\n\ndef rows(url):\n    return urlopen(url).read()\n",
        "import requests\n\ndef rows(url):\n    session = requests.Session()\n"
        "    return session.get(url)\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown or "setdefaulttimeout" in source.text:
            return
        for call in calls_of(source, (*VERBS, "urlopen")):
            name = source.called(call)
            if _is_bounded(call, name):
                continue
            if name in _DIRECT or _of_session(source, call):
                yield self._found(source, call, name)

    def _found(self, source: Source, call: ast.Call, name: str) -> Finding:
        where = source.symbol(call) or "the module"
        return self.finding(
            source, call,
            f"`{name}()` has no timeout: a peer that never answers holds {where} for ever, and"
            " nothing tells anybody.",
            confidence=Confidence.MEDIUM if name in _DIRECT else Confidence.LOW,
            evidence=("the library waits without end unless it is told",),
        )  # fmt: skip


def _is_bounded(call: ast.Call, name: str) -> bool:
    return any(word.arg in ("timeout", None) for word in call.keywords) or (
        name in _AT and len(call.args) > _AT[name]
    )


def _of_session(source: Source, call: ast.Call) -> bool:
    """A session that the file makes and that nothing mounts an adapter on."""
    made = sent(source, call)
    client = made.client if made else None
    return (
        client is not None and source.called(client) in _SESSIONS and ".mount(" not in source.text
    )  # fmt: skip
