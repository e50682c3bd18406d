"""requirements.lock: what pyproject.toml asks for, every file by hash, no word of where it lies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.lock_extras import named_twice

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9.-]+)(?P<extras>\[[a-z0-9,-]+\])?==(?P<version>[^ ;]+)"
    r"(?P<rest>(?:.*\\\n)+.*)$",
    re.M,
)


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


def test_what_has_an_extra_is_there_by_both_names() -> None:
    """For the pips that come with Python 3.11: see lock_extras.py."""
    entries = list(ENTRY.finditer(LOCK))
    bare = {entry["name"]: entry["rest"] for entry in entries if not entry["extras"]}
    extras = [entry for entry in entries if entry["extras"]]
    assert "pydantic" in {entry["name"] for entry in extras}
    assert all(bare[entry["name"]] == entry["rest"] for entry in extras)
    assert named_twice(LOCK) == LOCK
    assert named_twice("a[b]==1 \\\n    --hash=x\n") == (
        "a==1 \\\n    --hash=x\na[b]==1 \\\n    --hash=x\n"
    )


def test_no_host_and_no_path() -> None:
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|@ ", LOCK)
