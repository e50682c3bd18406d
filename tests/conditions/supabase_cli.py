"""The real Supabase command line, from npm, at the version and hashes of npm/package-lock.json."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tests.conditions.hosted import PASSWORD, Hosted

MANIFEST = Path(__file__).parent / "npm"
VERSION: str = json.loads((MANIFEST / "package.json").read_text())["dependencies"]["supabase"]


def installed() -> Path:
    """Its program, installed once into a cache outside the repository."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "busctl-tests" / f"supabase-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(MANIFEST / name, folder)
            assert shutil.which("npm"), "npm is missing: install nodejs and npm (as .ci/run does)"
            done = subprocess.run(
                ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts"], cwd=folder,
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    return folder / "node_modules" / ".bin" / "supabase"


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
