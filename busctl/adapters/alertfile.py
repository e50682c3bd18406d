"""The AlertBook port in a file of this machine, for as long as the store is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from busctl.adapters import healthfile
from busctl.core.errors import FileFailed, LockHeld
from busctl.core.operating.alert import Alert, Notice
from busctl.core.operating.alert_json import alert_shape, notice_shape, read_alert, read_notice

FOLDER = "alerts"
LOCK_SECS = 10.0
KEPT = 200
"""Notices that the file keeps, the newest ones."""
Contents = tuple[list[Alert], list[Notice]]


class AlertFile:
    """Implements `busctl.ports.AlertBook`. Processes of one machine may share it; each store has
    one of its own, as it has a spool: `key` names the store."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / FOLDER / f"{key}.json"

    async def turn(
        self, step: Callable[[Sequence[Alert]], tuple[Sequence[Alert], Sequence[Notice]]]
    ) -> Sequence[Notice]:
        return await asyncio.to_thread(self._turn, step)

    def _turn(
        self, step: Callable[[Sequence[Alert]], tuple[Sequence[Alert], Sequence[Notice]]]
    ) -> Sequence[Notice]:
        with self._locked():
            alerts, notices = self._read()
            after, fresh = step(alerts)
            self._write(after, [*notices, *fresh])
            return fresh

    async def claim(self) -> Sequence[Notice]:
        def attempt() -> Sequence[Notice]:
            with self._locked():
                alerts, notices = self._read()
                tried = [
                    one if one.done else replace(one, attempts=one.attempts + 1) for one in notices
                ]
                self._write(alerts, tried)
                return [one for one in tried if not one.done]

        return await asyncio.to_thread(attempt)

    async def settle(self, notice: Notice) -> None:
        def write() -> None:
            with self._locked():
                alerts, notices = self._read()
                known = [notice if one.notice == notice.notice else one for one in notices]
                self._write(alerts, known)

        await asyncio.to_thread(write)

    async def alerts(self) -> Sequence[Alert]:
        return (await asyncio.to_thread(self._read))[0]

    async def notices(self, limit: int) -> Sequence[Notice]:
        return (await asyncio.to_thread(self._read))[1][::-1][:limit]

    async def undelivered(self) -> Sequence[Notice]:
        _, notices = await asyncio.to_thread(self._read)
        return [one for one in notices if not one.done and one.attempts]

    async def take(self) -> Contents:
        """Everything in it; the file is removed: what it holds goes into the store."""

        def take() -> Contents:
            if not self.path.exists():
                return [], []
            with self._locked():
                contents = self._read()
                self.path.unlink(missing_ok=True)
                return contents

        return await asyncio.to_thread(take)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=LOCK_SECS):
                yield
        except Timeout as error:
            raise LockHeld(f"{self.path} is in use by another process.") from error
        except OSError as error:
            raise FileFailed(f"{self.path} cannot be written: {error.strerror}.") from error

    def _read(self) -> Contents:
        try:
            shape: dict[str, Any] = json.loads(self.path.read_bytes())
            return (
                [read_alert(one) for one in shape["alerts"]],
                [read_notice(one) for one in shape["notices"]],
            )
        except FileNotFoundError:
            return [], []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileFailed(
                f"{self.path} cannot be read: {error!r}.",
                remedy="Remove it: what it says of alerts is lost, nothing else.",
            ) from error

    def _write(self, alerts: Sequence[Alert], notices: Sequence[Notice]) -> None:
        healthfile.replace_json(self.path, {
            "alerts": [alert_shape(one) for one in alerts],
            "notices": [notice_shape(one) for one in notices[-KEPT:]],
        })  # fmt: skip
