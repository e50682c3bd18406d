"""A loop leaves out what fails, and its result does not show it."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class SkippedItem(HandlerRule):
    """A loop leaves out what fails, and its result does not show it."""

    code = "SF007"
    name = "skipped-item"
    severity = Severity.WARNING
    summary = "A loop skips the items that fail, unseen"
    why = (
        "The result looks complete and is not: one file, one row, one user less. Whoever counts "
        "on it has no way to see that something is missing."
    )
    remedy = (
        "Collect what failed and return or log it at warning or above; stop where one failure "
        "means that the rest is wrong too."
    )
    BAD = (
        """\
def load_envelopes(store, ids):
    found = []
    for each in ids:
        try:
            found.append(store.load(each))
        except Exception:
            continue
    return found
""",
        """\
async def backfill(database, users):
    for user in users:
        try:
            profile = await database.fetch_profile(user)
            user.attach(profile)
        except Exception:
            pass
""",
    )
    GOOD = (
        """\
def load_envelopes(store, ids):
    found, failed = [], []
    for each in ids:
        try:
            found.append(store.load(each))
        except Exception:
            failed.append(each)
    return found, failed
""",
        """\
import logging
log = logging.getLogger(__name__)

def load_envelopes(store, ids):
    for each in ids:
        try:
            yield store.load(each)
        except OSError:
            log.warning("envelope %s could not be read", each)
            continue
""",
        """\
def first_working(codecs, blob):
    for codec in codecs:
        try:
            return codec.decode(blob)
        except ValueError:
            continue
    raise ValueError("no codec reads it")
""",
        """\
import os
import signal

def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
""",
    )
