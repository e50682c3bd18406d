"""busctl as a user runs it: a process of its own, told the database and the authority."""

from __future__ import annotations

import subprocess
import sys

from tests.conditions.hosted import PASSWORD, Hosted


def busctl(hosted: Hosted, dsn: str, *words: str, code: int = 0, **environment: str) -> str:
    """What it printed on both streams; fails unless it ended with `code` or shows the password."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "busctl", *words], capture_output=True, text=True, cwd="/",
        env={"DATABASE_URL": dsn, "HOME": "/nonexistent",
             "BUSCTL_SSLROOTCERT": str(hosted.authority.root), **environment},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert PASSWORD not in said
    return said
