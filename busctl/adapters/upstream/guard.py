"""Ends the programs of upstream servers when this process has died: whoever kills it with SIGKILL
leaves no orphans, nor what npx, uvx or a shell has started in turn.

Every upstream has a process group of its own. A shell beside us holds their numbers and reads from
a pipe; the kernel closes that pipe with the process that holds its other end, however it died.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process

log = logging.getLogger("busctl.upstream")

GRACE_SECS = 2
"""Between asking the orphans to end and killing them."""
_SCRIPT = f"""
trap '' HUP INT TERM
groups=
while read -r line; do
  number=${{line#?}}
  kept=
  for each in $groups; do [ "$each" = "$number" ] || kept="$kept $each"; done
  groups=$kept
  case $line in +*) groups="$groups $number";; esac
done
[ -n "$groups" ] || exit 0
for each in $groups; do kill -TERM "-$each"; done
sleep {GRACE_SECS}
for each in $groups; do kill -KILL "-$each"; done
"""


class Guard:
    """Knows the process groups of this process's upstreams. Started with the first of them."""

    def __init__(self) -> None:
        self._shell: Process | None = None
        self._groups: set[int] = set()
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the shell, unless it runs; one that somebody has ended is started anew."""
        async with self._starting:
            if self._shell is not None and self._shell.returncode is None:
                return
            # A session of its own: a Ctrl-C meant for us must not reach it first.
            self._shell = await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", _SCRIPT, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
                cwd="/", env={"PATH": os.defpath}, start_new_session=True,
            )  # fmt: skip
            for group in self._groups:
                self._tell(f"+{group}")

    def hold(self, group: int) -> None:
        """End this process group when we have died."""
        self._groups.add(group)
        self._tell(f"+{group}")

    def release(self, group: int) -> None:
        """The group has ended: its number may be another's soon."""
        self._groups.discard(group)
        self._tell(f"-{group}")

    async def stop(self) -> None:
        """End the shell, and with it whatever group is held still."""
        if self._shell is None:
            return
        assert self._shell.stdin is not None  # noqa: S101  # started with a pipe
        self._shell.stdin.close()
        await self._shell.wait()

    def _tell(self, line: str) -> None:
        if self._shell is None or self._shell.stdin is None or self._shell.returncode is not None:
            return
        self._shell.stdin.write(line.encode() + b"\n")


def end_group(group: int, number: int) -> None:
    """Send a signal to every process of a group; does nothing when there is none left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_alive(group: int) -> bool:
    """Whether the group has a process still."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


TERM, KILL = signal.SIGTERM, signal.SIGKILL
