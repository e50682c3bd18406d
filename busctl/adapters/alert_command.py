"""Alerts to a command: the JSON document on its standard input, no shell."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from busctl.adapters import child
from busctl.core.errors import AlertUndelivered
from busctl.core.operating.alert import Notice
from busctl.core.operating.alert_json import told

TIMEOUT_SECS = 30.0
SAID_CHARS = 200
"""Of what a command wrote to standard error, so much is told."""


class AlertCommand:
    """Implements `busctl.ports.AlertSink`. `timeout` in seconds: then the command is killed."""

    name = "command"

    def __init__(self, command: Sequence[str], *, timeout: float = TIMEOUT_SECS) -> None:
        self._command = command
        self._timeout = timeout

    async def tell(self, notice: Notice) -> None:
        document = json.dumps(told(notice), ensure_ascii=False).encode()
        program = self._command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=DEVNULL, stderr=PIPE
            )
        except OSError as error:
            raise AlertUndelivered(f"{program} did not start: {error.strerror}.") from error
        said = await self._ended(process, document, program)
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            why = f": {lines[-1][:SAID_CHARS]}" if lines else ""
            raise AlertUndelivered(f"{program} ended with {process.returncode}{why}.")

    async def _ended(self, process: Process, document: bytes, program: str) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                _, said = await process.communicate(document)
                return said
        except TimeoutError as error:
            raise AlertUndelivered(
                f"{program} did not end within {self._timeout:g} s and was killed."
            ) from error
        finally:
            await child.end(process)
