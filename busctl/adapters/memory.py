"""How much memory processes take: Linux's /proc, None elsewhere."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

INTERVAL_SECONDS = 0.002


class Watch:
    """Samples this process and some server backends while its block runs.

    `client` and `backend` are peaks above the beginning in bytes: for this process its resident
    set, for backends their private (anonymous) memory, since pages of the shared buffers that a
    backend touches count as resident too. `backend` is the largest of them. None: not to be seen.
    """

    def __init__(self, backend_pids: Iterable[int]) -> None:
        self.client: int | None = None
        self.backend: int | None = None
        self._backends = [pid for pid in backend_pids if _is_backend(pid)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._base: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        self.client = self._above("client", _bytes_of("self", "VmRSS"), self.client)
        for pid in self._backends:
            self.backend = self._above(f"{pid}", _bytes_of(f"{pid}", "RssAnon"), self.backend)

    def _above(self, name: str, now: int | None, peak: int | None) -> int | None:
        if now is None:
            return peak
        return max(peak or 0, now - self._base.setdefault(name, now))


def _is_backend(pid: int) -> bool:
    """Whether that number is a PostgreSQL backend of this machine, not another machine's."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("postgres")
    except OSError:  # no such process here, or no /proc
        return False


def _bytes_of(process: str, field: str) -> int | None:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:  # it has ended, or there is no /proc
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
