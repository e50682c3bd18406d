"""docs/operations.md: its commands work, their output is what it shows, its tables are whole."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from busctl.adapters import embedded
from busctl.core import errors
from busctl.core.configuration.settings import known_names
from busctl.core.errors import BusctlError
from tests.conftest import make_database
from tests.docs import examples
from tests.docs.examples import Ran

PAGE = "operations.md"
PROBLEM = re.compile(r"problem\(\s*\d{3},\s*\"([A-Z_]+)\"")
ROW = re.compile(r"^\| `([A-Z_]+)` \|([^|]+)\|([^|]+)\|$", re.MULTILINE)

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture(scope="module")
def ended(server15: embedded.Server) -> Iterator[dict[str, Ran]]:
    """Every example of the page, run once: on an embedded store, or on PostgreSQL 15."""
    import asyncio

    dsn = asyncio.run(make_database(server15, "docs_operations", migrated=False))
    with examples.played(PAGE, dsn) as ended:
        yield ended


@pytest.mark.parametrize("name", examples.runs(PAGE))
def test_the_example_works(ended: dict[str, Ran], name: str) -> None:
    examples.check_works(ended, name)


@pytest.mark.parametrize("name", examples.outputs(PAGE))
def test_it_prints_what_is_shown(ended: dict[str, Ran], name: str) -> None:
    examples.check_prints(ended, PAGE, name)


def test_every_command_is_run_or_says_why_not() -> None:
    assert not examples.unexplained(PAGE)


def test_the_settings_files_name_settings() -> None:
    files = [each for each in examples.blocks(PAGE) if each.language == "ini"]
    names = {line.partition("=")[0] for each in files for line in each.text.splitlines()
             if not line.startswith("#")}  # fmt: skip
    assert names and names <= known_names().keys()


def test_every_error_is_in_the_table() -> None:
    rows = {code: (meaning.strip(), remedy.strip()) for code, meaning, remedy in table()}
    over_http = set(PROBLEM.findall(sources("busctl/adapters/asgi")))
    assert rows.keys() == named() | over_http
    assert all(meaning and remedy for meaning, remedy in rows.values())
    assert list(rows) == sorted(rows)


def test_every_metric_is_in_the_table() -> None:
    exposed = set(re.findall(r'"(busctl_[a-z_]+)"', sources("busctl/adapters/metrics.py")))
    told = {name.removesuffix("_total") for name in re.findall(r"`(busctl_[a-z_]+)", text())}
    assert told - {"busctl_bench"} == exposed - {"busctl_build_info"}


def named() -> set[str]:
    """The codes of all named errors; BusctlError's own is never shown."""
    kinds = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    return {
        each.code for each in kinds if issubclass(each, BusctlError) and each is not BusctlError
    } - {BusctlError.code}


def table() -> list[tuple[str, str, str]]:
    return ROW.findall(text())


def text() -> str:
    return (examples.DOCS / PAGE).read_text("utf-8")


def sources(place: str) -> str:
    path = examples.DOCS.parent / place
    files = [path] if path.is_file() else sorted(path.glob("*.py"))
    return "\n".join(each.read_text("utf-8") for each in files)
