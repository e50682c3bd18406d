"""A retry loop ends after its last attempt as if it had succeeded."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class RetryGivesUp(HandlerRule):
    """A retry loop ends after its last attempt as if it had succeeded."""

    code = "SF008"
    name = "retry-gives-up"
    severity = Severity.WARNING
    summary = "After the last attempt the error is dropped and the function just ends"
    why = (
        "While attempts are left, silence is fine. After the last one the work is not done, the "
        "function returns as usual, and the caller believes it is."
    )
    remedy = "Raise the last error when no attempt is left."
    BAD = (
        """\
import time

def fetch_page(client, url):
    for attempt in range(3):
        try:
            return client.fetch(url)
        except Exception:
            time.sleep(2 ** attempt)
""",
        """\
import asyncio

async def connect_provider(provider):
    attempts = 5
    while attempts:
        try:
            await provider.connect()
            break
        except Exception:
            attempts -= 1
            await asyncio.sleep(1)
""",
    )
    GOOD = (
        """\
import time

def fetch_page(client, url):
    for attempt in range(3):
        try:
            return client.fetch(url)
        except OSError:
            time.sleep(2 ** attempt)
    raise RuntimeError(f"{url}: three attempts failed")
""",
        """\
import time

def fetch_page(client, url):
    for attempt in range(3):
        try:
            return client.fetch(url)
        except OSError:
            if attempt == 2:
                raise
            time.sleep(2 ** attempt)
""",
        """\
import time

def fetch_page(client, url):
    last = None
    for attempt in range(3):
        try:
            return client.fetch(url)
        except OSError as error:
            last = error
            time.sleep(1)
    raise RuntimeError(url) from last
""",
    )
