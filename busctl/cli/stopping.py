"""When something that serves is to end: told by a signal, or by whoever started it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from busctl.cli.running import ending_signals
from busctl.core.errors import ConfigurationError

log = logging.getLogger("busctl.serve")


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM, SIGHUP or SIGINT; the second ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def told(number: int) -> None:
        # A closed terminal sends it twice: by the kernel and by its shell.
        if stop.is_set() and number != signal.SIGHUP:
            os._exit(128 + number)
        stop.set()

    for number in (*ending_signals(), signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    return stop


def stop_on_eof(stop: asyncio.Event) -> None:
    """Set `stop` when nobody holds the other end of standard input any more: the kernel closes it
    for a parent that was killed. What is written there is passed over."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            log.info("standard input ended")
            stop.set()

    try:
        loop.add_reader(stdin, readable)
    except PermissionError as error:  # epoll takes no files
        raise ConfigurationError(
            "--until-eof needs a pipe as standard input.", remedy="Leave it out."
        ) from error
