"""Running rules over small texts, as the engine runs them over files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from busctl.audit import Example, Finding, Rule
from busctl.audit.examining import conclude, examine


def audited(
    files: Mapping[str, str], rules: Sequence[Rule], texts: Mapping[str, str] | None = None
) -> list[Finding]:
    """The findings in these files (text by path); `texts` are .env files, documents and so on."""
    return conclude([examine(path, text, rules) for path, text in files.items()], rules, texts)


def findings_of(rule: Rule, example: Example | str) -> list[Finding]:
    """What a rule finds in an example and the other files of its project."""
    shown = Example(example) if isinstance(example, str) else example
    files = {shown.path: shown.text, **shown.others}
    code = {path: text for path, text in files.items() if path.endswith(rule.suffixes)}
    return [one for one in audited(code, [rule], files) if one.code == rule.code]
