"""The rule pages: `python -m tests.audits.rule_pages` writes docs/rules/ from the rules themselves.

One page a rule of this project, and an index by family. `make docs` runs it, and
test_rule_pages.py holds the pages to what the rules say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from busctl.audit import Example, Rule
from busctl.audit.registry import rules

RULES = Path(__file__).parents[2] / "docs" / "rules"
OURS = "audits."
DEFAULT_PATH = Example("").path
LANGUAGES = {".py": "python", ".pyi": "python", ".sql": "sql", ".toml": "toml", ".md": "markdown"}
_CODE = re.compile(r"(`[^`]*`)")


def pages() -> dict[str, str]:
    """File name to Markdown text, for every rule that this project ships."""
    ours = [rule for rule in rules() if type(rule).__module__.startswith(OURS)]
    found = {f"{rule.code}.md": "\n".join(_page(rule)).rstrip() + "\n" for rule in ours}
    found["README.md"] = "\n".join(_index(ours)).rstrip() + "\n"
    return found


# --- the index ---------------------------------------------------------------------------------


def _index(ours: Iterable[Rule]) -> Iterator[str]:
    yield from ("# Rules", "", "Written by `make docs` from the rules themselves; their examples")
    yield from ("are tests. [Auditing](../auditing.md) says how to work with them.", "")
    by_family = sorted(ours, key=lambda rule: (rule.family, rule.code))
    for family, some in groupby(by_family, key=lambda rule: rule.family):
        yield from (f"## {family}", "", "| code | name | severity | what |", "|---|---|---|---|")
        for rule in some:
            off = "" if rule.default else " Only when selected."
            yield (
                f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity.value} "
                f"| {_cell(rule.summary.rstrip('.'))}.{off} |"
            )
        yield ""


# --- one page ----------------------------------------------------------------------------------


def _page(rule: Rule) -> Iterator[str]:
    yield from (f"# {rule.code} {rule.name}", "", f"{_prose(rule.summary.rstrip('.'))}.", "")
    yield from (f"Family [{rule.family}](README.md#{rule.family}), {_traits(rule)}.", "")
    yield from ("## Why", "", _prose(rule.why), "")
    yield from ("## Bad", "", *_examples(rule.BAD))
    yield from ("## Good", "", *_examples(rule.GOOD))
    yield from ("## Instead", "", _prose(rule.remedy), "")
    yield from ("## Accepting one", "", *_accepting(rule))


def _accepting(rule: Rule) -> Iterator[str]:
    if ".py" in rule.suffixes:
        yield from ("Where the loss is acceptable, say why beside it:", "")
        yield from ("```python", f"# busctl: allow[{rule.code}] why it may be lost", "```")
    else:
        yield "These files take no allowances: name the path under `per-path`, or use a baseline"
        yield "([auditing](../auditing.md#settings))."


def _traits(rule: Rule) -> str:
    traits = [f"severity {rule.severity.value}"]
    if type(rule).fix is not Rule.fix:
        traits.append("`--fix` can mend it")
    if not rule.default:
        traits.append(f"run only when selected (`--select {rule.code}`)")
    return ", ".join(traits)


def _examples(examples: Iterable[Example | str]) -> Iterator[str]:
    """Each file of each example; a path is named where there is more than one, or it matters."""
    for example in examples:
        shown = Example(example) if isinstance(example, str) else example
        files = {shown.path: shown.text, **shown.others}
        for path, text in files.items():
            if len(files) > 1 or path != DEFAULT_PATH:
                yield from (f"`{path}`:", "")
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", text))])
            language = LANGUAGES.get(Path(path).suffix, "text")
            yield from (f"{fence}{language}", *text.strip("\n").splitlines(), fence, "")


def _prose(text: str) -> str:
    """A rule's words as Markdown: `code` stays code, nothing else becomes markup."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(
        part if part.startswith("`") and len(part) > 1 else re.sub(r"([\\*_\[\]<>])", r"\\\1", part)
        for part in parts
    )


def _cell(text: str) -> str:
    return _prose(text).replace("|", r"\|")


def write() -> None:
    RULES.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for path in RULES.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (RULES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
