"""What the conditions share: a server that looks like Supabase's."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conditions import hosted as hosts
from tests.conditions.hosted import Hosted

_numbers = itertools.count()


@pytest.fixture(scope="session")
def hosted() -> Iterator[Hosted]:
    with tempfile.TemporaryDirectory(prefix="busctl-hosted-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with hosts.running(Path(name)) as server:
            yield server


@pytest.fixture
def project(hosted: Hosted) -> str:
    """The DSN of `postgres` for a project of its own, without schema bus."""
    return hosted.project(f"project_{next(_numbers)}")
