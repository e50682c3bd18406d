"""What the rules on tasks, coroutines and the event loop see only across files and classes."""

from __future__ import annotations

from audits.asynchrony.blocking_through_calls import BlockingThroughCalls
from audits.silent.coroutine_not_awaited import CoroutineNotAwaited
from audits.silent.response_unchecked import ResponseUnchecked
from audits.silent.task_never_examined import TaskNeverExamined
from busctl.audit import Confidence
from tests.audits.examples import audited

BASE = """
import asyncio

class Flushing:
    def start(self):
        asyncio.create_task(self.forever())

    async def forever(self):
        while True:
            await asyncio.sleep(5)
            await self.flush()

    async def flush(self):
        pass
"""


def test_a_task_is_judged_with_the_overrides_of_its_own_class() -> None:
    loud = (
        "import asyncio\nfrom app.base import Flushing\n\nclass Loud(Flushing):\n"
        "    def start(self):\n        asyncio.create_task(self.forever())\n\n"
        "    async def flush(self):\n        await self.socket.send()\n"
    )
    careful = loud.replace("Loud", "Careful").replace(
        "        await self.socket.send()\n",
        "        try:\n            await self.socket.send()\n"
        "        except Exception:\n            log.exception('not flushed')\n",
    )
    files = {"app/base.py": BASE, "app/loud.py": loud, "app/careful.py": careful}

    found = audited(files, [TaskNeverExamined()])

    assert [(one.path, one.confidence) for one in found] == [("app/loud.py", Confidence.HIGH)]
    assert "forever lets its errors out (of flush)" in found[0].evidence


def test_a_coroutine_is_found_through_a_package_that_passes_it_on() -> None:
    files = {
        "app/__init__.py": "from app.store import save\n",
        "app/store.py": "async def save(row):\n    await insert(row)\n",
        "app/view.py": "import app\n\ndef handle(row):\n    app.save(row)\n",
    }

    (found,) = audited(files, [CoroutineNotAwaited()])

    assert (found.path, found.span.line) == ("app/view.py", 4)


def test_a_coroutine_is_found_below_a_folder_that_is_the_import_root() -> None:
    files = {
        "backend/app/store.py": "async def save(row):\n    await insert(row)\n",
        "backend/app/view.py": "from app.store import save\n\ndef handle(row):\n    save(row)\n",
    }

    assert [one.path for one in audited(files, [CoroutineNotAwaited()])] == ["backend/app/view.py"]


def test_a_plain_function_of_that_name_in_another_module_is_no_coroutine() -> None:
    files = {
        "app/store.py": "async def save(row):\n    await insert(row)\n",
        "app/disk.py": "def save(row):\n    write(row)\n",
        "app/view.py": "from app.disk import save\n\ndef handle(row):\n    save(row)\n",
    }

    assert audited(files, [CoroutineNotAwaited()]) == []


def test_one_blocking_cause_is_one_finding_and_names_all_who_call_it() -> None:
    files = {
        "app/net.py": "import requests\n\nclass Client:\n    def ask(self, url):\n"
        "        return requests.get(url)\n",
        "app/view.py": "from app.net import Client\n\nclass View(Client):\n"
        "    async def one(self, url):\n        return self.ask(url)\n\n"
        "    async def two(self, url):\n        return self.ask(url)\n",
    }

    (found,) = audited(files, [BlockingThroughCalls()])

    assert (found.path, found.span.line, found.symbol) == ("app/view.py", 5, "View.one")
    assert found.evidence == ("Client.ask → requests.get", "also called in View.two")


def test_a_blocking_call_that_runs_only_after_a_failure_is_left_alone() -> None:
    files = {
        "app/retry.py": "import time\n\ndef ask(url):\n    try:\n        return cached(url)\n"
        "    except OSError:\n        time.sleep(1)\n        raise\n",
        "app/view.py": "from app.retry import ask\n\nasync def one(url):\n    return ask(url)\n",
    }

    assert audited(files, [BlockingThroughCalls()]) == []


def test_a_task_that_expects_its_errors_is_less_sure_to_lose_one() -> None:
    task = (
        "import asyncio\n\nclass Message:\n    def later(self):\n"
        "        asyncio.create_task(self.drop())\n\n    async def drop(self):\n"
    )
    bare = "        await asyncio.sleep(5)\n        await self.http.delete(self.id)\n"
    guarded = (
        "        await asyncio.sleep(5)\n        try:\n"
        "            await self.http.delete(self.id)\n        except GoneError:\n            pass\n"
    )
    silent = [TaskNeverExamined()]
    (lost,) = audited({"a.py": task + bare}, silent)
    (less,) = audited({"a.py": task + guarded}, silent)
    assert (lost.confidence, less.confidence) == (Confidence.HIGH, Confidence.MEDIUM)


def test_a_session_that_ends_unseen_is_less_sure_to_matter() -> None:
    text = (
        "import requests\n\nclass Session:\n    def {}(self):\n"
        "        requests.post(self.url, timeout=5)\n"
    )
    silent = [ResponseUnchecked()]
    (ends,) = audited({"a.py": text.format("__del__")}, silent)
    (sends,) = audited({"a.py": text.format("send")}, silent)
    assert (ends.confidence, sends.confidence) == (Confidence.LOW, Confidence.HIGH)
