"""The limit on the size of files, where no small file system can be had; drills use both."""

from __future__ import annotations

import subprocess
from pathlib import Path

from busctl.adapters.small_disk import limit_files

LIMIT = 1 << 20
WRITES_TWICE = (
    "read go; head -c 3000000 /dev/zero >first; read go; head -c 3000000 /dev/zero >second"
)


def test_a_process_writes_no_larger_file_until_it_is_lifted(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", f"echo ready; {WRITES_TWICE}; echo done"], cwd=tmp_path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
    ) as shell:  # fmt: skip
        assert shell.stdin is not None and shell.stdout is not None
        assert shell.stdout.readline() == b"ready\n"
        limit_files(shell.pid, LIMIT)
        shell.stdin.write(b"go\n")
        while not (tmp_path / "first").exists() or (tmp_path / "first").stat().st_size < LIMIT:
            assert shell.poll() is None
        limit_files(shell.pid, None)
        shell.stdin.write(b"go\n")
        assert shell.stdout.readline() == b"done\n"
    assert (tmp_path / "first").stat().st_size == LIMIT
    assert (tmp_path / "second").stat().st_size == 3_000_000
