"""Programs from npm, at the versions and hashes of a package-lock.json beside the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from filelock import FileLock


def installed(manifest: Path) -> Path:
    """The node_modules of that manifest, installed once into a cache outside the repository."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = sha256((manifest / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = caches / "busctl-tests" / f"{manifest.name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "node_modules" / ".package-lock.json").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(manifest / name, folder)
            assert shutil.which("npm"), "npm is missing: install nodejs and npm (as .ci/run does)"
            done = subprocess.run(
                ["npm", "install", "--no-fund", "--no-audit", "--ignore-scripts"], cwd=folder,
                capture_output=True, text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    return folder / "node_modules"
