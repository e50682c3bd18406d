"""Where a class brings a stub and a real method of one name together, and which of them wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.audit import Project
from busctl.audit.classes import generates_fields
from busctl.audit.hierarchy import Hierarchy, InconsistentOrder, may_define, may_enforce


@dataclass(frozen=True, slots=True)
class Meeting:
    """A stub and a real method of one name from two branches of one class's bases."""

    method: str
    stub: str
    real: str
    kind: str
    doubtful: str = ""
    """Why the stub could be meant, where something speaks for it."""


def hierarchy(project: Project) -> Hierarchy:
    """The project's classes, once a run: `project.once(hierarchy)`."""
    return Hierarchy(project)


def order_of(classes: Hierarchy, identity: str) -> tuple[str, ...] | None:
    """The C3 order; None where it cannot be told or Python would refuse the class."""
    try:
        return classes.order(identity)
    except InconsistentOrder:
        return None


def combining(classes: Hierarchy) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The project's classes with more than one base, outside of tests, and their order."""
    for identity, facts in classes.classes.items():
        if len(facts["bases"]) > 1 and not facts["test"]:
            order = order_of(classes, identity)
            if order is not None:
                yield identity, order


def hidden_reals(classes: Hierarchy, identity: str, order: Sequence[str]) -> Iterator[Meeting]:
    """The stubs that win over a real method of a later base that they do not override."""
    for name, providers in _providers(classes, order).items():
        first = providers[0]
        if first == identity or not _is_stub(classes, order, first, name):
            continue
        if not _is_decided(order, first, name):
            continue
        if _not_in_vain(classes, order, name):
            continue
        before = order_of(classes, first) or ()
        if _is_generated(classes, order[: order.index(first)], name):
            continue
        real = _real_after(classes, order, first, before, name)
        if real and _always_overridden(classes, identity, name):
            continue
        if real and not _inherited(classes, identity, first, real, name):
            yield Meeting(name, first, real, _member(classes, first, name)["stub"],
                          _doubt(classes, identity, order, first, before, name))  # fmt: skip


def hidden_stubs(classes: Hierarchy, identity: str, order: Sequence[str]) -> Iterator[Meeting]:
    """The stubs of a later base that can never run in this class, because a real method of an
    earlier one, which is no override of it, wins."""
    for name, providers in _providers(classes, order).items():
        first = providers[0]
        if first == identity or not _is_real(classes, first, name):
            continue
        before = order_of(classes, first) or ()
        for later in providers[1:]:
            if later in before or not _is_stub(classes, order, later, name):
                continue
            if _reached(classes, order, name, later):
                continue
            if not _inherited(classes, identity, first, later, name):
                yield Meeting(name, later, first, _member(classes, later, name)["stub"])


def called(identity: str) -> str:
    """A class as people name it."""
    return identity.lstrip("!").rpartition(".")[2]


def shown(order: Sequence[str]) -> str:
    """A C3 order, to be read."""
    return " → ".join("an unknown base" if one.startswith("?") else called(one) for one in order)


# --- looking at one name -------------------------------------------------------------------------


def _is_decided(order: Sequence[str], first: str, name: str) -> bool:
    """Whether no base from outside could have the method before the first one that is seen."""
    return not any(
        each[0] == "?" or (each[0] == "!" and may_define(each, name))
        for each in order[: order.index(first)]
    )


def _providers(classes: Hierarchy, order: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in order:
        for name in classes.classes.get(each, {}).get("members", ()):
            if not name.startswith("__") or name.endswith("__"):
                found.setdefault(name, []).append(each)
    return found


def _member(classes: Hierarchy, identity: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = classes.classes.get(identity, {}).get("members", {}).get(name, {})
    return found


def _is_stub(classes: Hierarchy, order: Sequence[str], identity: str, name: str) -> bool:
    member = _member(classes, identity, name)
    if member.get("kind") != "method" or not member["stub"] or name in _ANSWERS:
        return False
    # ABCMeta refuses to make an instance while an abstract method wins: that is loud. Without it
    # the mark has no effect.
    return not member["abstract"] or not _is_enforced(classes, order)


def _is_enforced(classes: Hierarchy, order: Sequence[str]) -> bool:
    """Whether the metaclass checks abstract methods, or could, for all that is known."""
    return any(
        may_enforce(each)
        if each not in classes.classes
        else any(classes.classes[each][flag] for flag in ("abc", "protocol", "dynamic"))
        for each in order
    )


_GENERATED = {
    "__init__", "__repr__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__setattr__",
    "__delattr__",
}  # fmt: skip
_ANSWERS = {"__slots__", "__hash__", "__class_getitem__", "__init_subclass__"}


def _is_real(classes: Hierarchy, identity: str, name: str) -> bool:
    member = _member(classes, identity, name)
    return member.get("kind") == "method" and not member["stub"] and not member["abstract"]


def _real_after(
    classes: Hierarchy, order: Sequence[str], first: str, before: Sequence[str], name: str
) -> str:
    wanted = "value" if _member(classes, first, name)["property"] else "function"
    for later in order[order.index(first) + 1 :]:
        if later in before:
            continue
        gives = _member(classes, later, name).get("gives")
        if _is_real(classes, later, name) or gives in {wanted, "function"}:
            return later
    return ""


def _is_generated(classes: Hierarchy, before: Sequence[str], name: str) -> bool:
    """Whether a class in front of the stub has the method from its decorator."""
    return name in _GENERATED and any(
        generates_fields(decorator)
        for each in before
        for decorator in classes.classes.get(each, {}).get("decorators", ())
    )


def _not_in_vain(classes: Hierarchy, order: Sequence[str], name: str) -> bool:
    """Something else gives instances this attribute: the stub is not what callers get."""
    for each in order:
        facts = classes.classes.get(each)
        if facts is None:
            continue
        if name in facts["assigned"] or {f"{each}.{name}", f"{each}.*"} & classes.patched:
            return True
        if {"__getattribute__"} & {*facts["members"]}:
            return True
    return False


def _inherited(classes: Hierarchy, identity: str, one: str, other: str, name: str) -> bool:
    """A base brings the two together already: it is said there."""
    for base in classes.bases(identity):
        order = order_of(classes, base) or ()
        if one in order and other in order:
            return True
    return False


def _always_overridden(classes: Hierarchy, identity: str, name: str) -> bool:
    """A base of others, each of which has the method itself: the stub never runs."""
    below = [order_of(classes, each) or () for each in classes.below(identity)]
    return bool(below) and all(
        any(_is_real(classes, each, name) for each in order[: order.index(identity)])
        for order in below
        if identity in order
    )


def _reached(classes: Hierarchy, order: Sequence[str], name: str, stub: str) -> bool:
    """A cooperative end: what comes before calls `super()`, and the stub answers it."""
    for each in order:
        if each == stub:
            return False
        if _member(classes, each, name).get("super"):
            return True
    return False


def _doubt(
    classes: Hierarchy, identity: str, order: Sequence[str], first: str, before: Sequence[str],
    name: str,
) -> str:  # fmt: skip
    facts = classes.classes[first]
    if classes.classes[identity]["on_purpose"]:
        return "purpose"
    if facts["on_purpose"] or _member(classes, first, name)["on_purpose"]:
        return "purpose"
    if any(_is_real(classes, each, name) for each in before):
        return "overrides"
    if any(classes.classes.get(each, {}).get("dynamic") for each in order):
        return "metaclass"
    if _unknown_decorator(classes.classes[identity]["decorators"]):
        return "decorator"
    return ""


def _unknown_decorator(decorators: Sequence[str]) -> bool:
    known = {"dataclass", "dataclasses.dataclass", "final", "typing.final", "runtime_checkable"}
    return any(each not in known for each in decorators)
