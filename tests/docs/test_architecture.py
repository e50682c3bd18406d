"""docs/architecture.md names every op, close code, error code and header that the code has."""

from __future__ import annotations

import re

from busctl.core import protocol
from busctl.core.protocol import Close
from tests.docs.examples import DOCS

PAGE = (DOCS / "architecture.md").read_text("utf-8")
SOURCES = DOCS.parent / "busctl"


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]


def test_every_op_of_a_client_is_in_the_table() -> None:
    told = re.findall(r"^\| `(\w+)", section("Wire protocol"), re.MULTILINE)
    assert set(protocol._READERS) <= set(told)


def test_the_ops_of_the_daemon_are_in_the_text() -> None:
    sent = set()
    for path in (SOURCES / "ops" / "serve").glob("*.py"):
        sent |= set(re.findall(r"(?:send|encode)\(\s*\"(\w+)\",", path.read_text("utf-8")))
    assert len(sent) > 5
    assert not {op for op in sent if f"`{op}" not in section("Wire protocol")}


def test_every_close_code_is_in_the_table() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)}
    # A client's own goodbyes, which the daemon never says.
    assert told == set(map(int, Close)) - {Close.NORMAL, Close.GOING_AWAY}


def test_every_header_of_a_redemption_is_in_the_table() -> None:
    source = (SOURCES / "adapters" / "asgi" / "redemption.py").read_text("utf-8")
    sent = set(re.findall(r'"([A-Z][a-z]*(?:-[A-Z][a-z]+)+|ETag|Vary)"', source))
    assert {"X-Busctl-Checksum", "Repr-Digest"} < sent
    missing = {name for name in sent if name not in section("HTTP")}
    assert missing <= {"Content-Disposition", "X-Content-Type-Options"}  # told as what they do
