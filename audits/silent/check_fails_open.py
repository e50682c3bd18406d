"""A check of permission, validity or a limit lets through when it could not be made."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class CheckFailsOpen(HandlerRule):
    """A check of permission, validity or a limit lets through when it could not be made."""

    code = "SF005"
    name = "check-fails-open"
    severity = Severity.ERROR
    summary = "A check of permission, validity or a limit lets through when it fails itself"
    why = (
        "When the token store, the rate limiter or the budget is out of order, everybody is let "
        "in and nobody is charged, exactly when it matters. Neither the operator nor the one who "
        "is protected by the check learns of it."
    )
    remedy = (
        "Refuse when the check cannot be made, or raise; where letting through is meant, log it "
        "at error with the exception."
    )
    BAD = (
        """\
import logging
from policy import Blocked, raise_if_blocked
log = logging.getLogger(__name__)

def attach(path):
    try:
        raise_if_blocked(path)
    except Blocked as error:
        log.warning("not attached: %s", error)
        return None
    except Exception:
        pass
    return path.read_bytes()
""",
        """\
class Limiter:
    async def allow_request(self, client):
        try:
            used = await self.redis.incr(f"used:{client}")
            return used <= self.limit
        except Exception:
            return True
""",
        """\
import logging
logger = logging.getLogger(__name__)

def check_token_scope(store, token, scope):
    try:
        if scope not in store.scopes(token):
            raise PermissionError(scope)
    except Exception as error:
        logger.debug("scope check: %s", error)
""",
        """\
def verify_signature(key, body, signature):
    try:
        return key.verify(body, signature)
    except Exception:
        return True
""",
        """\
import redis

class Budget:
    def is_within_budget(self, user):
        try:
            return float(self.redis.get(f"spent:{user}")) < self.ceiling
        except redis.RedisError:
            return True
""",
        """\
class Sessions:
    def is_token_revoked(self, token):
        try:
            return self.database.fetch_revocation(token) is not None
        except Exception:
            return False
""",
    )
    GOOD = (
        """\
import logging
from policy import Blocked, raise_if_blocked
log = logging.getLogger(__name__)

def attach(path):
    try:
        raise_if_blocked(path)
    except Blocked as error:
        log.warning("not attached: %s", error)
        return None
    except Exception as error:
        log.error("could not be checked, not attached: %s", error)
        return None
    return path.read_bytes()
""",
        """\
class Limiter:
    async def allow_request(self, client):
        try:
            used = await self.redis.incr(f"used:{client}")
            return used <= self.limit
        except OSError:
            return False
""",
        """\
def verify_signature(key, body, signature):
    try:
        key.verify(body, signature)
        return True
    except ValueError:
        return False
""",
        """\
from urllib.parse import urlparse

def is_blocked_address(uri):
    try:
        parsed = urlparse(uri)
    except ValueError:
        return True
    return parsed.scheme == "javascript"
""",
        """\
import logging
log = logging.getLogger(__name__)

def check_token_scope(store, token, scope):
    try:
        if scope not in store.scopes(token):
            raise PermissionError(scope)
    except OSError as error:
        log.error("scopes could not be read: %s", error)
        raise
""",
    )
