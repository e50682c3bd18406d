"""A call that stops the event loop, right in an async function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from audits.asynchrony.blocking import DISK, LASTS, before_serving, blocks, enters_loop, weight
from audits.names import calls_of, is_test
from busctl.audit import Finding, Rule, Severity, Source


class BlockingCall(Rule):
    code = "AS001"
    name = "blocking-call"
    family = "async"
    severity = Severity.WARNING
    summary = "A blocking call in an async function."
    why = (
        "While it waits nothing else runs: every other request, heartbeat and timeout of the"
        " process stands still, and those who wait see only that it is slow or gone."
    )
    remedy = (
        "Use the async counterpart (asyncio.sleep, an async client, create_subprocess_exec), or"
        " await asyncio.to_thread(call, …)."
    )
    GOOD = (
        "import argparse\nimport asyncio\nimport time\n\nasync def main():\n    time.sleep(1)\n\n"
        "asyncio.run(main())\n",
        "import asyncio\n\nasync def poll():\n    await asyncio.sleep(1)\n",
        "import asyncio\nimport time\n\nasync def poll():\n    def wait():\n"
        "        time.sleep(1)\n    await asyncio.to_thread(wait)\n",
        "import asyncio\nimport subprocess\n\nasync def build(path):\n"
        "    await asyncio.to_thread(subprocess.run, ['make', path], check=True)\n",
        "import httpx\n\nasync def rows(url):\n    async with httpx.AsyncClient() as client:\n"
        "        return (await client.get(url)).json()\n",
    )
    BAD = (
        "import time\n\nasync def poll():\n    time.sleep(1)\n",
        "import requests\n\nasync def rows(url):\n    return requests.get(url, timeout=5).json()\n",
        "import requests\n\nclass Api:\n    def __init__(self):\n"
        "        self.session = requests.Session()\n\n    async def rows(self, url):\n"
        "        return self.session.get(url)\n",
        "import subprocess\n\nasync def version():\n"
        "    return subprocess.check_output(['git', 'describe'])\n",
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if is_test(source) or source.is_shown or "async def" not in source.text:
            return
        for call in calls_of(source, LASTS):
            found = blocks(source, call)
            around = enters_loop(source, call) if found else None
            if found and around and not before_serving(source, call, around):
                yield self._found(source, call, around, *found)

    def _found(
        self, source: Source, call: ast.Call, around: ast.AsyncFunctionDef, name: str, waits: str
    ) -> Finding:
        return self.finding(
            source, call,
            f"`{name}()` waits for {waits} inside `async def {around.name}`: until it is back the"
            " whole event loop stands still for everyone else.",
            confidence=weight(name, waits),
            severity=Severity.NOTE if waits == DISK else Severity.WARNING,
            evidence=(f"{name} blocks its thread, for {waits}",),
        )  # fmt: skip
