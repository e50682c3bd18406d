"""An upstream server that is a program: in a group of its own, ended with all it started."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping

from busctl.adapters.upstream.guard import KILL, TERM, Guard, end_group, is_alive
from busctl.core.configuration.settings import PREFIXES, known_names
from busctl.core.errors import UpstreamFailed
from busctl.core.mcp.upstream import Command

NEEDED = (
    "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""What a program gets of our environment: what it needs to be found, to print and to reach the
network, and no secret of ours."""
NEEDED_PREFIXES = ("LC_", "XDG_", "npm_config_", "UV_", "PIP_")
LIMIT_BYTES = 256 * 1024
CLOSING_SECS = 2.0
"""How long a server may take to end by itself once its standard input is closed."""
TERM_SECS = 2.0
KILL_SECS = 2.0
LOOK_SECS = 0.05


def environment(command: Command, environ: Mapping[str, str]) -> dict[str, str]:
    """What the program gets: ours where it inherits, else what every program needs; its own
    variables over both."""
    ours = known_names()
    if command.inherits:
        kept = {
            name: value
            for name, value in environ.items()
            if name not in ours and not name.startswith(PREFIXES)
        }
    else:
        kept = {
            name: value
            for name, value in environ.items()
            if name in NEEDED or name.startswith(NEEDED_PREFIXES)
        }
    return {**kept, **command.env}


async def start(name: str, command: Command, guard: Guard) -> Process:
    """The running program, with pipes. Raises UpstreamFailed."""
    await guard.start()
    try:
        process = await asyncio.create_subprocess_exec(
            command.command, *command.args, stdin=PIPE, stdout=PIPE, stderr=PIPE,
            env=environment(command, os.environ), cwd=command.cwd, start_new_session=True,
            limit=LIMIT_BYTES,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        missing = command.cwd is not None and not os.path.isdir(command.cwd)  # noqa: PTH112, ASYNC240  # one stat before a start
        what = f"the folder {command.cwd}" if missing else command.command
        raise UpstreamFailed(
            f"The upstream {name!r} cannot be started: {what}: {why}.",
            remedy="Check its command, its cwd, and the PATH of this process.",
        ) from error
    guard.hold(process.pid)
    return process


async def ended(process: Process, look_secs: float) -> int:
    """Wait for the end of the program alone, whose pipes a child of it may hold; its status."""
    while (code := process.returncode) is None:  # noqa: ASYNC110  # asyncio tells with the pipes' end
        await asyncio.sleep(look_secs)
    return code


async def end(process: Process, guard: Guard) -> None:
    """End a program and all of its group: by closing its input, then SIGTERM, then SIGKILL."""
    group = process.pid
    if process.stdin is not None:
        process.stdin.close()
    if not await _gone(process, CLOSING_SECS):
        end_group(group, TERM)
        await _gone(process, TERM_SECS)
    # Its children too, which may outlive it.
    end_group(group, KILL)
    await _gone(process, KILL_SECS)
    guard.release(group)
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()  # pipes that a process outside of the group may hold open


async def _gone(process: Process, seconds: float) -> bool:
    """Whether the program and its group have ended within the time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while process.returncode is None or is_alive(process.pid):
        if asyncio.get_running_loop().time() > deadline:
            return False
        # Waiting for the process would wait for its pipes too, which a child of it may hold.
        await asyncio.sleep(LOOK_SECS)
    return True
