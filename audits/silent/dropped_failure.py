"""A named error of something outside is dropped."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class DroppedFailure(HandlerRule):
    """A named error of something outside is dropped."""

    code = "SF002"
    name = "dropped-failure"
    severity = Severity.WARNING
    summary = "An except for a failure of disk, network or database drops it"
    why = (
        "The type was named, so somebody knew that this fails; yet what should have been there is "
        "missing, and neither the caller nor the operator is told."
    )
    remedy = (
        "Raise an error of your own from it, or report it at warning or above; where it is "
        "harmless, say why in the handler."
    )
    BAD = (
        """\
class Host:
    def refresh_budget(self):
        try:
            self.limits = self.client.fetch_limits()
            self.budget = self.client.fetch_budget()
        except OSError:
            pass
""",
        """\
import httpx

async def load_prices(table, client):
    try:
        answer = await client.get("/prices")
        table.replace(answer.json())
    except httpx.HTTPError:
        pass
""",
    )
    GOOD = (
        """\
import os

def forget(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
""",
        """\
import queue

def drain(waiting):
    found = []
    try:
        while True:
            found.append(waiting.get_nowait())
    except queue.Empty:
        pass
    return found
""",
        """\
def load_prices(table, client):
    try:
        table.prices = client.fetch_prices()
    except OSError as error:
        table.error = error
""",
        """\
from websockets.exceptions import ConnectionClosed

async def push(peer, frame):
    try:
        await peer.send(frame)
    except ConnectionClosed:
        return
""",
    )
