"""The judge of all rules on hardcoded values: which literals of a file ought to be configuration.

It goes from a literal to its place (places.py), from the place's name and the call around it to
what the literal means (words.py, values.py, peers.py), and leaves out what can be had otherwise
already: a default, a fallback, something that is set elsewhere (scopes.py). A module constant is
only asked about; constants.py settles it when every file's uses are known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from audits.config import addresses, bounds, identities, times
from audits.config.places import Place, place_of
from audits.config.scopes import is_looked_at, is_operated, scope_of
from audits.config.values import has_key_shape, is_address, is_authorization, is_model, joined
from audits.config.verdict import Verdict
from audits.config.words import Kind, kind_of
from busctl.audit import Source


@dataclass(frozen=True, slots=True)
class Hardcoded:
    """A literal that ought to be configuration, so far as its file shows. `asks` names the
    constant whose uses decide, with those of which it must have one."""

    place: Place
    verdict: Verdict
    asks: dict[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=2)
def hardcoded(source: Source) -> tuple[Hardcoded, ...]:
    """Every such literal of a file, in the order of the text; read once for all rules."""
    return tuple(_found(source)) if is_looked_at(source) else ()


def _found(source: Source) -> Iterator[Hardcoded]:
    seen: set[ast.expr] = set()
    told: set[tuple[Kind, int, str, int]] = set()
    for constant in source.nodes(ast.Constant):
        value = constant.value
        if isinstance(value, str):
            if not (3 < len(value) <= 4000 or (value and _is_begun(source, constant))):
                continue
        elif type(value) not in (int, float):
            continue
        place = place_of(source, constant)
        if place is None or place.node in seen:
            continue
        seen.add(place.node)
        verdict = (
            _text(source, place, joined(place.node) or value) if isinstance(value, str)
            else _number(source, place)
        )  # fmt: skip
        if verdict is None or not is_operated(source, place):
            continue
        # Timeout(5, connect=2) is one decision.
        key = (verdict.kind, id(place.holder), place.name, place.node.lineno)
        if key not in told:
            told.add(key)
            yield Hardcoded(place, verdict, _asks(source, place, verdict))


def _is_begun(source: Source, constant: ast.Constant) -> bool:
    """Whether a text goes on behind a plus: "sk-" + "4f…"."""
    around = source.parent(constant)
    return isinstance(around, ast.BinOp) and around.left is constant


def _asks(source: Source, place: Place, verdict: Verdict) -> dict[str, Any]:
    if not verdict.for_uses:
        return {}
    module = "." if scope_of(source, place) == "class" else source.module
    return {"module": module, "name": place.name, "uses": sorted(verdict.for_uses)}


def _number(source: Source, place: Place) -> Verdict | None:
    if isinstance(place.node, ast.Tuple) and not place.name:
        return None
    return (
        times.judged(source, place)
        or bounds.judged(source, place)
        or addresses.judged_port(source, place)
    )


def _text(source: Source, place: Place, text: str) -> Verdict | None:
    if "://" in text:
        found = identities.judged_credential(source, place, text)
        return found or addresses.judged_url(source, place, text)
    if text[0] == "/" or text[1:3] in (":\\", ":/"):
        return addresses.judged_path(source, place, text)
    if is_model(text):
        return identities.judged_model(source, place, text)
    if kind_of(place.name) is Kind.CREDENTIAL or has_key_shape(text) or is_authorization(text):
        return identities.judged_credential(source, place, text)
    return addresses.judged_host(source, place, text) if is_address(text) else None
