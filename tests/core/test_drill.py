"""What a drill comes to: each way in which it can go wrong is found, and named by its id."""

from __future__ import annotations

from uuid import UUID

from busctl.core.operating.drill import Attempt, Kept, Outcome, Plan, add_up, plans

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def attempt(name: str, *ids: UUID, outcome: Outcome | None = Outcome.INTACT) -> Attempt:
    made = Attempt(Plan(name, "json", 10, 0), f"digest of {name}", outcome)
    made.acknowledged.update(ids)
    return made


def kept(known: UUID, name: str, *, path: str = "stored", fault: str = "") -> Kept:
    return Kept(known, name, "" if fault else f"digest of {name}", path, fault)


def test_what_adds_up_has_no_violation() -> None:
    refused = attempt("c", outcome=Outcome.NAMED)
    refused.code = "TIMEOUT"
    found = add_up(
        [attempt("a", ONE), attempt("b", TWO), refused],
        [kept(ONE, "a"), kept(TWO, "b", path="reconciled"), kept(THREE, "c")],
        [],
    )
    assert found.report.ok
    assert found.shape() == {
        "attempted": 3, "delivered_intact": 2, "named_errors": {"TIMEOUT": 1}, "acknowledged": 2,
        "stored": 1, "reconciled": 1, "waiting": 0, "stored_unacknowledged": 1, "repeats": 0,
        "damage_detected": 0, "duplicates": 0, "corrupted": 0, "lost": 0, "violations": [],
    }  # fmt: skip


def test_each_violation_names_its_message() -> None:
    wrong = attempt("wrong", ONE, outcome=Outcome.WRONG)
    cases = {
        "lost": (add_up([attempt("a", ONE)], [], []), str(ONE)),
        "wrong_bytes": (add_up([wrong], [kept(ONE, "wrong")], []), "wrong"),
        "unanswered": (add_up([attempt("a", outcome=None)], [], []), "a"),
        "damaged": (add_up([attempt("a", ONE)], [kept(ONE, "b")], []), str(ONE)),
        "duplicate": (
            add_up([attempt("a", ONE)], [kept(ONE, "a"), kept(TWO, "a")], []), f"{ONE}, {TWO}"
        ),
        "not_drained": (add_up([attempt("a", ONE)], [], [ONE]), str(ONE)),
    }  # fmt: skip
    for kind, (found, subject) in cases.items():
        assert [(one.kind, one.subject) for one in found.violations] == [(kind, subject)]
        assert not found.report.ok


def test_what_is_drained_while_it_is_looked_at_is_not_lost() -> None:
    """The spool is looked at before the store: it is found in both, and stays in neither list."""
    found = add_up([attempt("a", ONE)], [kept(ONE, "a", path="reconciled")], [ONE])
    assert found.report.ok and (found.waiting, found.reconciled) == (0, 1)


def test_unreadable_is_a_violation_only_where_it_was_acknowledged() -> None:
    unreadable = [kept(ONE, "a", fault="CORRUPT")]
    assert [one.kind for one in add_up([attempt("a", ONE)], unreadable, []).violations] == [
        "damaged"
    ]
    refused = attempt("a", outcome=Outcome.NAMED)
    assert add_up([refused], unreadable, []).report.ok


def test_other_bytes_are_a_violation_whoever_was_told() -> None:
    refused = attempt("a", outcome=Outcome.NAMED)
    other = Kept(ONE, "a", "another digest", "stored")
    assert [one.kind for one in add_up([refused], [other], []).violations] == ["damaged"]


def test_plans_are_the_same_for_the_same_seed() -> None:
    wanted = plans(200, 7, "drill", sizes=[5, 6])
    assert wanted == plans(200, 7, "drill", sizes=[5, 6])
    assert wanted != plans(200, 8, "drill", sizes=[5, 6])
    assert [one.size for one in wanted[:2]] == [5, 6]
    assert {one.size for one in wanted[2:]} == {1_000, 10_000, 100_000, 1_500_000, 10_000_000}
    assert len({one.request_id for one in wanted}) == len(wanted) == 200
