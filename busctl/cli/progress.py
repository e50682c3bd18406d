"""A progress bar for what moves many bytes: on stderr, only on a terminal, only over 1 MB."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_FROM_BYTES = 1_000_000
TITLE_CHARS = 24


class Bar:
    """`with Bar("put f") as bar: bar.add(n)`; `bar.total` in bytes, None while unknown.

    rich is loaded when the first bar is drawn, so that small payloads do not wait for it.
    """

    def __init__(self, title: str, total: int | None = None, *, wanted: bool = True) -> None:
        # The end of a long path says more than its beginning.
        self.title = title if len(title) <= TITLE_CHARS else f"…{title[1 - TITLE_CHARS :]}"
        self.total = total
        self.done = 0
        self._wanted = wanted and sys.stderr.isatty()
        self._drawn: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn is not None:
            self._drawn[0].stop()

    def add(self, size: int) -> None:
        """`size` more bytes are through. Safe to call from a thread."""
        self.done += size
        if not self._wanted:
            return
        if self._drawn is None and max(self.total or 0, self.done) > SHOWN_FROM_BYTES:
            self._drawn = self._draw()
        if self._drawn is not None:
            progress, task = self._drawn
            progress.update(task, completed=self.done, total=self.total)

    def _draw(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=16), DownloadColumn(),
            TransferSpeedColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        task = progress.add_task(escape(self.title), total=self.total)
        progress.start()
        return progress, task
