"""A malformed setting is replaced by a default without a word."""

from __future__ import annotations

from audits.silent.judged import HandlerRule
from busctl.audit import Severity


class MalformedSetting(HandlerRule):
    """A malformed setting is replaced by a default without a word."""

    code = "SF006"
    name = "malformed-setting"
    severity = Severity.WARNING
    summary = "A malformed environment value, setting or option is silently replaced by a default"
    why = (
        "The operator set a limit, a lifetime or a list, mistyped it, and the program runs with "
        "another one. Nothing says so until the default does harm."
    )
    remedy = (
        "Refuse to start, or warn with the name and the value that was ignored. A default belongs "
        "to a setting that is absent."
    )
    BAD = (
        """\
import os

def ports():
    raw = os.getenv("PORTS", "")
    try:
        return [int(part) for part in raw.split(",")]
    except ValueError:
        return []
""",
        """\
import os

def max_tokens():
    'The limit of an answer; falls back to the model itself.'
    raw = os.environ.get("MAX_TOKENS")
    found = None
    if raw:
        try:
            found = int(raw)
        except (ValueError, TypeError):
            found = None
    return found
""",
        """\
import os

try:
    POOL_SIZE = int(os.environ.get("POOL_SIZE", "4"))
except ValueError:
    POOL_SIZE = 4
""",
        """\
import json
import os

def allowed_origins():
    raw = os.environ.get("ALLOWED_ORIGINS", "[]")
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        return []
""",
        """\
import os

def env_float(name, default):
    try:
        return float(os.getenv(name, default))
    except (TypeError, ValueError):
        return default
""",
        """\
def apply_settings(current, data):
    if "ttl" in data:
        try:
            ttl = int(data["ttl"])
            current.set_int("ttl", ttl * 60)
        except ValueError:
            pass
""",
    )
    GOOD = (
        """\
import base64

def user_of(environ):
    name = None
    try:
        name = base64.b64decode(environ["HTTP_AUTHORIZATION"]).decode()
    except ValueError:
        raise PermissionError("no user in the header") from None
    return name
""",
        """\
import os

POOL_SIZE = int(os.environ.get("POOL_SIZE", "4"))
""",
        """\
import os
import sys

try:
    POOL_SIZE = int(os.environ.get("POOL_SIZE", "4"))
except ValueError:
    sys.exit("POOL_SIZE is not a number")
""",
        """\
import logging
import os
log = logging.getLogger(__name__)

def env_float(name, default):
    try:
        return float(os.getenv(name, default))
    except ValueError:
        log.warning("%s is not a number: %s is used", name, default)
        return default
""",
        """\
import os

def home():
    try:
        return os.environ["BUS_HOME"]
    except KeyError:
        return "/var/lib/bus"
""",
    )
