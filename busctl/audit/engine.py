"""What the engine itself finds, as rules that can be explained; nothing runs them."""

from __future__ import annotations

from busctl.audit.model import Severity
from busctl.audit.rule import Rule


class UnreadableFile(Rule):
    code = "AU001"
    name = "unreadable-file"
    family = "engine"
    severity = Severity.ERROR
    summary = "A file or a folder that cannot be read, or a file that is no Python."
    why = "Nothing in it was looked at: what is lost there is not told."
    remedy = "Correct it, or leave it out with `exclude`."


class UnusedAllowance(Rule):
    code = "AU002"
    name = "unused-allowance"
    family = "engine"
    severity = Severity.WARNING
    summary = "A comment allows a finding that is not there."
    why = "It would hide the next fault on its line."
    remedy = "Take the comment out."


class ReasonlessAllowance(Rule):
    code = "AU003"
    name = "reasonless-allowance"
    family = "engine"
    severity = Severity.WARNING
    summary = "A comment allows a finding without a reason: it allows nothing."
    why = "Whoever reads it later cannot tell whether the loss is still acceptable."
    remedy = "Write after the bracket why the loss is acceptable."


class BrokenFix(Rule):
    code = "AU004"
    name = "broken-fix"
    family = "engine"
    severity = Severity.ERROR
    summary = "The fixes of a file together give one that is no Python any more."
    why = "None of them was applied: the file is as it was."
    remedy = "Fix one rule at a time with --select, or by hand, and report the rule."


RULES: tuple[Rule, ...] = (
    UnreadableFile(), UnusedAllowance(), ReasonlessAllowance(), BrokenFix(),
)  # fmt: skip
