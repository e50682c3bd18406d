"""What a finding says: what is lost at this place, and who cannot learn of it."""

from __future__ import annotations

from audits.silent import category
from audits.silent.case import Case

_LOST = {
    category.DROPS_ALL: "whatever goes wrong in {what} is dropped",
    category.DROPS_TYPED: "a failure of {what} ({caught}) is dropped",
    category.DEFAULT: "when {what} fails, {instead} and the failure looks like an answer",
    category.QUIET_LOG: "when {what} fails, only a {level} log line says so, and {goes}",
    category.FAILS_OPEN: "when {what} fails, the check lets through: {instead}",
    category.IGNORES_SETTING: "a malformed {asked} is ignored: {instead}",
    category.SKIPS: "an item on which {what} fails is left out",
    category.GIVES_UP: "after the last attempt at {what} the error is dropped",
    category.SUPPRESSES: "{caught} out of {what} is suppressed",
    category.LOSES_WRITE: "when {what} fails, what it was to store or send is lost{quietly}",
    category.EATS_CANCEL: "a cancellation that arrives during {what} is swallowed with {caught}",
}
_KEPT_FROM = {
    category.FAILS_OPEN: "whoever relies on {name} takes it for a permission",
    category.IGNORES_SETTING: "who set it is never told",
    category.SKIPS: "the result of {name} does not show that something is missing",
    category.EATS_CANCEL: "who cancelled waits for a task that goes on",
    category.QUIET_LOG: "neither the caller of {name} nor the operator learns of it",
    category.LOSES_WRITE: "the caller of {name} takes it for done",
}


def message(case: Case, code: str) -> str:
    """One sentence for one place."""
    lost, kept = _LOST[code], _KEPT_FROM.get(code, "the caller of {name} cannot learn of it")
    main = case.work.main
    values = {
        "what": f"`{main}()`" if main else "the body",
        "caught": f"`{case.caught}`" if case.one.types else "everything",
        "instead": _instead(case),
        "goes": _instead(case),
        "level": case.reaction.level.name.lower(),
        "asked": f"`{case.asked}`" if case.asked else "setting",
        "quietly": ", told only by a debug log" if case.debugged else "",
        "name": f"`{case.setting.name}`" if case.setting.name else "this module",
    }
    said = f"{lost}; {kept}.".format(**values)
    return said[0].upper() + said[1:]


def _instead(case: Case) -> str:
    effect = case.reaction.effect
    if effect == "return":
        return f"`{case.default}` is returned"
    if effect == "assign":
        return f"`{case.default}` takes its place"
    return "the program goes on" if effect not in ("continue", "break") else "the loop goes on"
