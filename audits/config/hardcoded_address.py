"""CF002: a host or port that is bound or connected to, fixed in the source."""

from __future__ import annotations

from audits.config.hardcoded_rule import HardcodedRule, where
from audits.config.literals import Hardcoded
from audits.config.words import Kind
from busctl.audit import Severity, Source


class HardcodedAddress(HardcodedRule):
    code = "CF002"
    name = "hardcoded-address"
    severity = Severity.WARNING
    kind = Kind.ADDRESS
    summary = "A host or port in the source is bound or connected to"
    why = (
        "Two programs cannot have one port, and a service moves: a second instance, a container "
        "or another machine then needs an edited source."
    )
    remedy = "Take host and port from settings, the environment or the command line."

    def told(self, source: Source, found: Hardcoded) -> str:
        value = source.segment(found.place.node)
        return (
            f"The address {value} is fixed {where(source, found)}: a second instance or another "
            "host cannot be used without editing the source."
        )

    GOOD = (
        """
import os
import uvicorn

def main(app) -> None:
    uvicorn.run(app, host=os.getenv("HOST", "127.0.0.1"), port=int(os.getenv("PORT", "8765")))
""",
        """
def default_port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)

def is_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
""",
        """
import socket

def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 53))
        return probe.getsockname()[0]

def own_private_address(host: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 58162))
        return probe.getsockname()[0]
""",
        """
import asyncio

async def asked(started):
    return await asyncio.open_connection("127.0.0.1", started["port"])
""",
        """
connection_args_example = dict(host="127.0.0.1", port=1433, user="reader")
""",
        """
import uvicorn

def serve(app, host: str = "127.0.0.1", port: int = 8765) -> None:
    uvicorn.run(app, host=host, port=port)
""",
    )
    BAD = (
        """
import websockets

async def serve(handler):
    async with websockets.serve(handler, "localhost", 8765):
        await handler.closed()
""",
        """
import uvicorn

def main(app, settings) -> None:
    uvicorn.run(app, host=settings.host, port=8765)
""",
        """
PORT = 8765

def main(server, settings) -> None:
    server.run(settings.host, PORT)
""",
        """
import socket

def connect() -> socket.socket:
    return socket.create_connection(("10.0.0.5", 5432))
""",
    )
