"""An async function that blocks the loop through a plain function of the project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audits.asynchrony.reach import NEEDS, Reach, reached
from busctl.audit import Confidence, Example, Finding, Project, Rule, Severity, Span


class BlockingThroughCalls(Rule):
    code = "AS002"
    name = "blocking-through-calls"
    family = "async"
    severity = Severity.WARNING
    summary = "An async function calls a plain function that blocks."
    why = (
        "The call looks harmless where it stands, but the function it leads to waits on the loop's"
        " own thread: every other request, heartbeat and timeout stands still meanwhile."
    )
    remedy = (
        "await asyncio.to_thread(the_function, …), or make the functions on the way async down to"
        " the call that waits."
    )
    needs = NEEDS
    GOOD = (
        "import subprocess\nimport sys\n\ndef opened(path):\n    if sys.platform == 'win32':\n"
        "        subprocess.check_output(['start', path])\n\nasync def handle(path):\n"
        "    opened(path)\n",
        "import asyncio\nimport requests\n\ndef rows(url):\n    return requests.get(url)\n\n"
        "async def handle(url):\n    return await asyncio.to_thread(rows, url)\n",
        "import time\n\ndef wait():\n    time.sleep(5)\n\ndef main():\n    wait()\n",
        Example(
            "from store import Store\n\nasync def handle(row):\n    await Store().put(row)\n",
            others={"store.py": "class Store:\n    async def put(self, row):\n        pass\n"},
        ),
    )
    BAD = (
        "import requests\n\ndef rows(url):\n    return requests.get(url, timeout=5).json()\n\n"
        "async def handle(url):\n    return rows(url)\n",
        Example(
            "from app.tools import version\n\nasync def handle(request):\n    return version()\n",
            path="app/server.py",
            others={
                "app/tools.py": "import subprocess\n\ndef version():\n    return described('.')\n\n"
                "def described(path):\n    return subprocess.check_output(['git', '-C', path])\n"
            },
        ),
    )

    def check_project(self, project: Project) -> Iterator[Finding]:
        search = reached(project)
        for path, facts in sorted(project.facts(Reach).items()):
            by_target: dict[str, list[list[Any]]] = {}
            for entry in facts["enters"]:
                by_target.setdefault(entry[0], []).append(entry)
            for named, entries in by_target.items():
                if way := search.path(named):
                    yield self._found(path, entries, way)

    def _found(self, path: str, entries: list[list[Any]], way: tuple[str, ...]) -> Finding:
        """One for all calls of that function in the file: one cause is one fault."""
        named, symbol, line, column, end_line, end_column = entries[0]
        *functions, blocking, waits_for = way
        shown = " → ".join([*(_short(one) for one in functions), blocking])
        others = sorted({entry[1] for entry in entries} - {symbol})
        return Finding(
            code=self.code, name=self.name, path=path,
            span=Span(line, column, end_line, end_column),
            message=f"`{named.rpartition('.')[2]}()` leads to `{blocking}()`, which waits for"
            f" {waits_for}: `async def {symbol.rpartition('.')[2]}` holds the event loop for"
            " everyone until it is back.",
            severity=self.severity,
            confidence=Confidence.HIGH if len(functions) <= 2 else Confidence.MEDIUM,
            remedy=self.remedy, symbol=symbol, anchor=shown,
            evidence=(shown, *([f"also called in {', '.join(others)}"] if others else [])),
        )  # fmt: skip


def _short(name: str) -> str:
    """`Class.method` or `module.function`."""
    return ".".join(name.split(".")[-2:])
