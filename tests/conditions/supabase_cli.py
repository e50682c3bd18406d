"""The real Supabase command line, from npm, at the version and hashes of npm/package-lock.json."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conditions import npm_programs
from tests.conditions.hosted import PASSWORD, Hosted

MANIFEST = Path(__file__).parent / "npm"
VERSION: str = json.loads((MANIFEST / "package.json").read_text())["dependencies"]["supabase"]


def installed() -> Path:
    """Its program."""
    return npm_programs.installed(MANIFEST) / ".bin" / "supabase"


@dataclass(frozen=True, slots=True)
class SupabaseCli:
    """The program in a project's folder, without an account or telemetry."""

    program: Path
    folder: Path
    server: Hosted

    def run(self, *words: str, code: int = 0) -> str:
        """What it printed on both streams; fails unless it ended with `code`."""
        done = subprocess.run(
            [self.program, *words, "--agent", "no"], cwd=self.folder, capture_output=True,
            text=True, stdin=subprocess.DEVNULL, timeout=100,
            env={"HOME": str(self.folder), "PATH": os.environ["PATH"], "DO_NOT_TRACK": "1",
                 "SUPABASE_TELEMETRY_DISABLED": "1"},
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def on(self, database: str, *words: str, code: int = 0) -> str:
        """The same against a database of the server, as its owner."""
        url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.server.port}/{database}"
        return self.run(*words, f"--remote={url}", code=code)
