"""A failure is turned into a default that callers take for an answer."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Example, Severity


class FailureAsAnswer(HandlerRule):
    """A failure is turned into a default that callers take for an answer."""

    code = "SF003"
    name = "failure-as-answer"
    severity = Severity.WARNING
    summary = "An except returns or assigns a default that callers cannot tell from a real answer"
    why = (
        "An empty list, a zero or None that stands for a failed query reads like a true answer: a "
        "bill of nothing, no messages waiting, no such user. Whoever asked decides on it and "
        "cannot know."
    )
    remedy = (
        "Let the error rise, or return something callers must look at. A default belongs to what "
        "is absent, not to what failed."
    )
    BAD = (
        """\
def total(rows):
    try:
        return sum(float(row["amount"]) for row in rows)
    except Exception:
        return 0
""",
        """\
def read_blob(decode, path):
    try:
        return decode(path)
    except:
        return []
""",
        """\
import json

class Subscriptions:
    def load(self):
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}

    def save(self, found):
        self.path.write_text(json.dumps(found))

    def subscribe(self, name, url):
        found = self.load()
        found[name] = url
        self.save(found)
""",
        """\
class Store:
    async def pending(self, session_id):
        try:
            rows = await self.pool.fetch("select * from message where session = $1", session_id)
            return [self.envelope(row) for row in rows]
        except Exception:
            return []
""",
        """\
def usage_cost(model, usage):
    try:
        price = price_of(model)
        return price.total(usage)
    except Exception:
        return 0.0
""",
        """\
import sqlite3

def count_messages(connection):
    try:
        return connection.execute("select count(*) from message").fetchone()[0]
    except sqlite3.Error:
        return 0
""",
        """\
import json

def tool_call(block):
    try:
        arguments = json.loads(block.arguments)
    except json.JSONDecodeError:
        arguments = {}
    return {"name": block.name, "arguments": arguments}
""",
    )
    GOOD = (
        """\
import json

class Subscriptions:
    def load(self):
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}

    def subscribe(self, name, url):
        found = self.load()
        found[name] = url
        self.path.write_text(json.dumps(found))
""",
        """\
def find_tool(tools, name):
    try:
        return tools[name]
    except KeyError:
        return None
""",
        """\
from datetime import date

def parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
""",
        """\
def is_port_free(port):
    import socket
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False
""",
        """\
class Store:
    async def pending(self, session_id):
        try:
            return await self.pool.fetch("select 1")
        except Exception as error:
            raise StoreUnavailable(session_id) from error
""",
        """\
async def call_tool(host, name, arguments):
    try:
        return await host.call(name, arguments)
    except Exception as error:
        return {"error": str(error)}
""",
        """\
def load(path):
    config = None
    try:
        config = read_config(path)
    except OSError:
        config = None
    if config is None:
        raise SystemExit(f"no configuration at {path}")
    return config
""",
        """\
import logging
import requests
from json import loads
logger = logging.getLogger(__name__)

def upload(method, url, payload, files):
    reply = method(url, data=payload, files=files, timeout=5)
    try:
        content = loads(reply.content) or {}
    except (TypeError, ValueError):
        content = {}
    place = content.get("data", {}).get("url")
    if not place:
        logger.warning("the upload gave no place")
        return None
    return place
""",
        """\
import logging
import requests
from json import loads
logger = logging.getLogger(__name__)

def token(url, payload):
    reply = requests.post(url, data=payload, timeout=5)
    try:
        content = loads(reply.content)
    except ValueError:
        content = {}
    code = content.get("code", 0) if content else -1
    if code != 0:
        logger.warning("no token: %s", code)
        return None
    return content["token"]
""",
        Example(
            """\
def length(text):
    try:
        return measured(text)
    except ValueError:
        return 0
""",
            path="pack/memory/notes.py",
        ),
        Example(
            """\
class Monitor:
    def seen(self, event):
        try:
            return self.adapter.feed(event)
        except Exception:
            return None
""",
            path="pack/monitoring.py",
        ),
    )
