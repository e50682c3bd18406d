"""Migrations as values: states, plans, exported files."""

from __future__ import annotations

import pytest

from busctl.core.errors import ConfigurationError, SchemaOutdated
from busctl.core.migration import (
    Migration,
    Recorded,
    State,
    check_version,
    standings,
    to_apply,
    to_undo,
)
from busctl.core.migration_export import exported

FIRST = Migration("20260101000000", "make_one", "create one", "drop one", "1" * 64)
SECOND = Migration("20260102000000", "make_two", "create two", "drop two", "2" * 64)
SHIPPED = (FIRST, SECOND)


def recorded(one: Migration, checksum: str | None = None) -> Recorded:
    return Recorded(one.version, one.name, checksum or one.checksum, "2026-01-03T00:00:00Z")


LATER = Recorded("20270101000000", "make_more", "3" * 64, "2027-01-03T00:00:00Z")


def test_states() -> None:
    rows = [recorded(FIRST, "0" * 64), LATER]
    assert [(one.version, one.state) for one in standings(SHIPPED, rows)] == [
        (FIRST.version, State.CHANGED), (SECOND.version, State.PENDING),
        (LATER.version, State.UNKNOWN),
    ]  # fmt: skip
    assert {one.state for one in standings(SHIPPED, map(recorded, SHIPPED))} == {State.APPLIED}


def test_what_up_applies() -> None:
    assert to_apply(SHIPPED, []) == [FIRST, SECOND]
    assert to_apply(SHIPPED, [recorded(SECOND)]) == [FIRST]
    with pytest.raises(SchemaOutdated, match="Upgrade busctl"):
        to_apply(SHIPPED, [LATER])


@pytest.mark.parametrize(
    ("target", "undone"),
    [("0", [SECOND, FIRST]), (FIRST.version, [SECOND]), (SECOND.version, [])],
)
def test_what_down_undoes(target: str, undone: list[Migration]) -> None:
    assert to_undo(SHIPPED, [recorded(FIRST), recorded(SECOND)], target) == undone


def test_down_refuses_what_it_does_not_know() -> None:
    for target in ("1", "", "20260103000000", SECOND.version):
        with pytest.raises(ConfigurationError):
            to_undo(SHIPPED, [recorded(FIRST)], target)
    with pytest.raises(SchemaOutdated, match="cannot undo"):
        to_undo(SHIPPED, [recorded(FIRST), LATER], "0")


def test_version_check_names_the_direction() -> None:
    check_version("2", "2")
    with pytest.raises(SchemaOutdated, match="migrate up"):
        check_version("1", "2")
    with pytest.raises(SchemaOutdated, match="Upgrade busctl"):
        check_version("3", "2")


@pytest.mark.parametrize(
    ("present", "stamps"),
    [
        ([], ["20260101000000", "20260101000001", "20260101000002"]),
        (["20251231235959_old.sql", "a.sql"], [f"2026010100000{n}" for n in range(3)]),
        (["20301231235959_new.sql"], ["20310101000000", "20310101000001", "20310101000002"]),
        (["20309999999999_odd.sql"], ["20310000000000", "20310000000001", "20310000000002"]),
    ],
)  # fmt: skip
def test_exported_names_are_newer_than_all_others(present: list[str], stamps: list[str]) -> None:
    names = ["make_one", "make_two", "make_partitions"]
    assert [name for name, _ in exported(SHIPPED, dict.fromkeys(present, ""))] == [
        f"{stamp}_busctl_{name}.sql" for stamp, name in zip(stamps, names, strict=True)
    ]


def test_export_recognises_its_own() -> None:
    files = exported([FIRST], {})
    there = {name: text.splitlines()[0] for name, text in files}
    assert exported([FIRST], there) == []
    ((name, text),) = exported(SHIPPED, there)
    assert name == "20260101000002_busctl_make_two.sql"
    assert SECOND.up in text
    assert SECOND.checksum in text


def test_export_refuses_beside_another_text_of_the_same_migration() -> None:
    there = {name: text.splitlines()[0] for name, text in exported([FIRST], {})}
    changed = Migration(FIRST.version, FIRST.name, "create other", "", "9" * 64)
    with pytest.raises(ConfigurationError, match=r"20260101000000_busctl_make_one\.sql"):
        exported([changed], there)
