"""CF005: a path that depends on one machine's set-up, fixed in the source."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Severity, Source


class HardcodedPath(HardcodedRule):
    code = "CF005"
    name = "hardcoded-path"
    severity = Severity.WARNING
    kind = Kind.PATH
    summary = "Files are kept at a path of one machine's set-up"
    why = (
        "Another user, container or system has no such folder, or shares it with others: what is "
        "written there is lost, refused or read by somebody else."
    )
    remedy = "Take the folder from a setting, an environment variable, platformdirs or tempfile."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        return (
            f"{value[:80]} is fixed {where(source, found)}: another user or machine has no such "
            "place or shares it, and the operator cannot name a better one."
        )

    GOOD = (
        """
def packed(archive, number):
    path = f"/tmp/skill-{number}.tar"
    with open(path, "wb") as file:
        file.write(archive)
    return path
""",
        """
import os
from pathlib import Path

SPOOL = Path(os.environ.get("SPOOL_DIR", "/var/lib/app/spool"))

def kept() -> list[Path]:
    return list(SPOOL.iterdir())
""",
        """
def memory() -> str:
    with open("/proc/meminfo") as file:
        return file.read()

def is_empty(name: str) -> bool:
    return name == "/dev/null" or name.startswith("/tmp/")
""",
        """
def add_options(parser) -> None:
    parser.add_argument("--pid-file", default="/tmp/server.pid")
""",
    )
    BAD = (
        """
def remember(session: str) -> None:
    with open("/tmp/sessions.json", "a") as file:
        file.write(session)
""",
        """
from pathlib import Path

SPOOL_DIR = Path("/var/lib/app/spool")

def kept() -> list[Path]:
    return list(SPOOL_DIR.iterdir())
""",
        """
import os

def unlocked() -> None:
    lock_file = "/root/.cache/extensions/lock"
    if os.path.exists(lock_file):
        os.remove(lock_file)
""",
    )
