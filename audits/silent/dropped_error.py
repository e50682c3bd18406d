"""A broad `except` drops whatever went wrong."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class DroppedError(HandlerRule):
    """A broad `except` drops whatever went wrong."""

    code = "SF001"
    name = "dropped-error"
    severity = Severity.WARNING
    summary = (
        "A bare or broad except drops the error and the program goes on as if nothing happened"
    )
    why = (
        "Whatever failed, expected or not, leaves no trace: the caller gets a half-made result, "
        "and the operator has nothing to search for."
    )
    remedy = (
        "Catch the types that are expected and handle them; let the rest rise, or log it at "
        "warning or above with the exception."
    )
    BAD = (
        """\
from work import step

def run():
    try:
        step()
    except:
        pass
""",
        """\
class Observer:
    async def watch(self, payload):
        try:
            self.rules.evaluate(payload)
            self.findings = await self.model.load_findings(payload)
        except Exception:
            pass
""",
        """\
def connect(registry, provider):
    try:
        tools = provider.list_tools()
        registry.tools = tools
    except:
        pass
    return registry
""",
    )
    GOOD = (
        """\
def devices():
    try:
        import torch
        return torch.cuda.device_count()
    except Exception:
        return 0
""",
        """\
class Client:
    async def close(self):
        try:
            await self.socket.close()
        except Exception:
            pass
""",
        """\
try:
    import uvloop
except ImportError:
    uvloop = None
""",
        """\
import logging
log = logging.getLogger(__name__)

def evaluate(rules, payload):
    try:
        rules.evaluate(payload)
    except Exception:
        log.exception("rules failed on %d bytes", len(payload))
""",
        """\
import webbrowser

def open_dashboard(url):
    print(url)
    try:
        webbrowser.open(url)
    except Exception:
        pass
""",
        """\
import asyncio

async def stop(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
""",
    )
