"""What the kernel says about a process by its number: /proc, or `ps` where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PROC = Path("/proc")


def alive(pid: int) -> bool:
    """Whether there is such a process; a zombie is dead."""
    return pid > 0 and _state(pid) not in ("", "Z", "X")


def command_line(pid: int) -> list[bytes]:
    """The words of a live process's command line; none for a zombie or no process."""
    if not alive(pid):
        return []
    if not _has_proc():
        return _ask_ps(pid, "command=").split()
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def folder_of(pid: int) -> Path | None:
    """The working folder of a process; None where it cannot be seen."""
    try:
        return (_PROC / str(pid) / "cwd").resolve(strict=True)
    except OSError:
        return None


def _state(pid: int) -> str:
    """One letter, as in proc(5) and ps(1); empty when there is no such process."""
    if not _has_proc():
        return _ask_ps(pid, "stat=").decode("ascii", "replace").strip()[:1]
    try:
        return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _ask_ps(pid: int, column: str) -> bytes:
    asked = ["ps", "-o", column, "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, check=False).stdout
