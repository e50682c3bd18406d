"""requirements.lock: what pyproject.toml asks for, every file by hash, no word of where it lies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;]+)(?P<rest>(?:.*\\\n)+.*)$", re.M)


def test_every_requirement_is_locked_at_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    locked = {entry["name"]: entry["version"] for entry in ENTRY.finditer(LOCK)}
    for line in wanted:
        requirement = Requirement(line)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{line}: run make lock"
        assert requirement.specifier.contains(version), f"{line}, locked at {version}"


def test_every_entry_has_hashes() -> None:
    entries = list(ENTRY.finditer(LOCK))
    assert len(entries) == len(re.findall(r"^[a-z0-9]", LOCK, re.M))
    for entry in entries:
        assert "--hash=sha256:" in entry["rest"], entry["name"]


def test_no_host_and_no_path() -> None:
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|@ ", LOCK)
