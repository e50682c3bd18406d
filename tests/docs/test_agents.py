"""docs/agents.md: every recipe works, and every JSON document shown has the shape that comes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.docs import examples
from tests.docs.examples import Ran

PAGE = "agents.md"

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture(scope="module")
def ended() -> Iterator[dict[str, Ran]]:
    """Every recipe of the page, run once on an embedded store of its own."""
    with examples.played(PAGE) as ended:
        yield ended


@pytest.mark.parametrize("name", examples.runs(PAGE))
def test_the_recipe_works(ended: dict[str, Ran], name: str) -> None:
    examples.check_works(ended, name)


@pytest.mark.parametrize("name", examples.outputs(PAGE))
def test_it_prints_what_is_shown(ended: dict[str, Ran], name: str) -> None:
    examples.check_prints(ended, PAGE, name)


def test_every_command_is_run() -> None:
    assert not examples.unexplained(PAGE)
    assert not [each for each in examples.blocks(PAGE) if each.kind == "not run"]


def test_a_shape_that_differs_is_found() -> None:
    """The comparison itself: a missing key, another type, a key too many."""
    block = examples.Block("output", "x", "json", '{"a": 1, "b": [{"c": "text"}], "d": null}')
    assert not examples.differences(block, '{"a": 2.5, "b": [], "d": "any"}')
    for other in ({"a": 1, "b": []}, {"a": "1", "b": [], "d": 1}, {"a": True, "b": [], "d": 1}):
        assert examples.differences(block, json.dumps(other))
    assert examples.differences(block, '{"a": 1, "b": [{"c": 1}], "d": null}') == ["$.b[0].c"]


def test_a_text_that_differs_is_found() -> None:
    block = examples.Block("output", "x", "text", "stored 1.2 MB in 3 files\n…\nfine\n")
    assert not examples.differences(block, "stored 300 KB in 17 files\nand more\nfine\n")
    assert examples.differences(block, "stored 300 KB in 17 folders\nfine\n")
    assert examples.differences(block, "stored 300 KB in 17 files\nfine\nbut\n")
