"""A failure is told to a log level that nobody reads, and the program goes on."""

from __future__ import annotations

from audits.silent.callers import known
from audits.silent.judged import HandlerRule
from busctl.audit import Example, Finding, Project, Severity


class UnseenLog(HandlerRule):
    """A failure is told to a log level that nobody reads, and the program goes on."""

    code = "SF004"
    name = "unseen-log"
    severity = Severity.WARNING
    summary = (
        "A failure is logged below the level at which logs are kept, and the program carries on"
    )
    why = (
        "A debug line is written where nobody has debug switched on. What the program does "
        "afterwards differs from what it was asked for, and no record says so."
    )
    remedy = "Log it at warning or above with the exception, count it, or raise it."
    BAD = (
        """\
import logging
logger = logging.getLogger(__name__)

async def stored_headers(database, user):
    try:
        return await database.fetch_headers(user)
    except Exception as error:
        logger.debug("header lookup failed for %s: %s", user, error)
        return {}
""",
        """\
import logging
logger = logging.getLogger(__name__)

class Usage:
    def additional(self, model):
        try:
            config = self.provider.config_of(model)
            return config.additional_costs(model)
        except Exception as e:
            logger.debug(f"Error calculating additional costs: {e}")
        return None
""",
        """\
import logging
log = logging.getLogger("daemon")

class Daemon:
    def _debug(self, text):
        log.debug("daemon: %s", text)

    async def poll(self):
        while True:
            try:
                self.state = await self.provider.state()
            except Exception as error:
                self._debug(f"could not poll the provider: {error}")
            await self.pause()
""",
        """\
import logging
logging.basicConfig(level=logging.WARNING)
log = logging.getLogger(__name__)

async def judge(watcher, envelope):
    try:
        await watcher.analyse(envelope)
    except Exception:
        log.info("analysis failed")
""",
        """\
import sys
from loguru import logger

logger.remove()
logger.add(sys.stderr, level="INFO")

async def stored_headers(database, user):
    try:
        return await database.fetch_headers(user)
    except Exception as error:
        logger.debug(f"header lookup failed for {user}: {error}")
        return {}
""",
    )
    GOOD = (
        """\
import logging
logger = logging.getLogger(__name__)

async def stored_headers(database, user):
    try:
        return await database.fetch_headers(user)
    except Exception:
        logger.warning("header lookup failed for %s", user, exc_info=True)
        return {}
""",
        """\
import logging
logger = logging.getLogger(__name__)

async def close(connection):
    try:
        await connection.close()
    except Exception:
        logger.debug("close failed", exc_info=True)
""",
        """\
import logging
logger = logging.getLogger(__name__)

def create_table(session):
    try:
        session.execute("create table message (id uuid)")
    except Exception:
        logger.debug("the table exists already")
""",
        """\
import logging
log = logging.getLogger(__name__)

class Watcher:
    def _complain(self, error):
        log.error("watcher: %s", error)

    async def observe(self, envelope):
        try:
            await self.analyse(envelope)
        except Exception:
            log.debug("analysis failed")
            self._complain(envelope.id)
""",
        """\
from loguru import logger

async def stored_headers(database, user):
    try:
        return await database.fetch_headers(user)
    except Exception as error:
        logger.debug(f"header lookup failed for {user}: {error}")
        return {}
""",
        Example(
            """\
from loguru import logger

class Watcher:
    async def observe(self, envelope):
        try:
            self.state = await self.analyse(envelope)
        except Exception as error:
            logger.debug(f"analysis failed: {error}")
""",
            others={
                "main.py": """\
import sys
from loguru import logger

def main():
    level = "DEBUG"
    if "--quiet" in sys.argv:
        level = "INFO"
    logger.remove()
    logger.configure(handlers=[{"sink": sys.stdout, "level": level}])
"""
            },
        ),
        """\
import json
import logging
import requests
logger = logging.getLogger(__name__)

def send(url, payload, targets):
    for target in targets:
        reply = requests.post(url, json={**payload, "to": target}, timeout=5)
        if reply.status_code != 200:
            reason = reply.reason
            try:
                reason = json.loads(reply.content).get("message", reason)
            except (TypeError, ValueError):
                logger.debug("failed to parse the reply")
            logger.warning("failed to send to %s: %s", target, reason)
""",
        """\
import json
import logging
import requests
logger = logging.getLogger(__name__)

def post(session, url, payload):
    reply = requests.post(url, json=payload, timeout=5)
    try:
        content = json.loads(reply.content)
    except ValueError:
        content = {}
        logger.debug("failed to parse the reply")
    if reply.status_code != 200:
        logger.warning("failed to post: %s", reply.status_code)
        return False
    logger.debug("the reply: %s", content)
    return True
""",
    )

    def settle(self, finding: Finding, project: Project) -> Finding | None:
        if finding.asks["loguru"] and project.once(known).loguru_debugs:
            return None  # loguru writes debug lines unless it is told not to
        return super().settle(finding, project)
