"""What was to be stored or sent is lost when that fails."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Example, Severity


class LostWrite(HandlerRule):
    """What was to be stored or sent is lost when that fails."""

    code = "SF010"
    name = "lost-write"
    severity = Severity.ERROR
    summary = "An except around a save, commit or send drops its failure"
    why = (
        "The failure of the write is the loss of the answer: the caller goes on as if it were "
        "stored, the reader finds nothing, and no log says when it happened."
    )
    remedy = (
        "Let it rise, queue it for another attempt, or report it at error with the id of what was "
        "lost."
    )
    BAD = (
        """\
class Bus:
    async def put(self, payload):
        try:
            await self.store.insert(payload)
        except Exception:
            pass
        return payload.id
""",
        """\
import sqlite3

def save_answer(connection, answer):
    try:
        connection.execute("insert into answer values (?)", (answer,))
        connection.commit()
    except sqlite3.Error:
        return None
""",
        """\
import logging
log = logging.getLogger(__name__)

async def mark_alerted(database, alert):
    try:
        await database.update(alert.id, alerted=True)
    except Exception:
        log.debug("failed to mark %s", alert.id)
""",
        """\
class Vectors:
    def reset(self):
        try:
            self.client.delete_all(self.collection)
        except Exception:
            pass
""",
        """\
async def announce_claim(redis, claim):
    try:
        await redis.publish("claims", claim.id)
    except Exception:
        return
""",
    )
    GOOD = (
        # The row is there already: what was wanted holds.
        """\
def set_default(conn, table, key, limit):
    try:
        conn.execute(table.insert().values(key=key, limit=limit))
    except IntegrityError:
        pass
    return conn.execute(table.select(key))
""",
        """\
class Bus:
    async def put(self, payload):
        try:
            await self.store.insert(payload)
        except Exception:
            self.spool.append(payload)
            self.failures += 1
        return payload.id
""",
        """\
import sqlite3

def save_answer(connection, answer):
    try:
        connection.execute("insert into answer values (?)", (answer,))
        connection.commit()
    except sqlite3.Error:
        connection.rollback()
        raise
""",
        """\
async def refuse(peer, error):
    try:
        await peer.send(str(error))
        await peer.close(1011)
    except Exception:
        pass
""",
        """\
class Metrics:
    def sample(self, value):
        try:
            self.statsd.gauge("queue", value)
        except OSError:
            pass
""",
        """\
class PageCache:
    def write_cache(self, page):
        try:
            self.cache_file.write_text(page)
        except OSError:
            pass
""",
        Example(
            """\
from pack.settings_file import load_settings, write_settings

def _entry(variant, now):
    return {"variant": variant, "at": now.isoformat()}

def record(user, variant, now):
    try:
        config = load_settings()
        config[user] = _entry(variant, now)
        write_settings(config)
    except Exception:
        return
""",
            path="pack/record.py",
            others={
                "pack/settings_file.py": """\
import json
import logging
import os
logger = logging.getLogger(__name__)

def _path():
    return os.path.join(os.path.expanduser("~"), "settings.json")

def load_settings():
    try:
        with open(_path()) as file:
            return json.load(file)
    except Exception as error:
        logger.warning("the settings could not be read: %s", error)
        return {}

def write_settings(config):
    path = _path()
    try:
        with open(path, "w") as file:
            json.dump(config, file)
    except Exception as error:
        try:
            os.unlink(path)
        except OSError:
            pass
        logger.warning("the settings could not be written: %s", error)
"""
            },
        ),
        """\
import logging
logger = logging.getLogger(__name__)

def forget(store, row):
    try:
        left = [each for each in row.links if each != row.owner]
        try:
            store.update(row.id, left)
        except Exception:
            logger.warning("the entity %s could not be updated", row.id)
    except Exception as error:
        logger.debug("cleanup error: %s", error)
""",
    )
