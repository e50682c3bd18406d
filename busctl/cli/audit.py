"""`busctl audit`: what code loses without a word."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.audit.rule import Rule

FAMILIES = ("silent", "config", "truncation", "async", "inheritance", "sql")


class Default(TyperGroup):
    """`busctl audit PATH` is `busctl audit run PATH`: anything that is no sub-command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


class Format(StrEnum):
    """The forms of the result."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    MARKDOWN = "markdown"


class Confidence(StrEnum):
    """How sure a finding must be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class GraphFormat(StrEnum):
    """The forms of a map."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


app = typer.Typer(
    cls=Default,
    help="Find what code loses without a word: errors that vanish, settings that cannot be set, "
    "answers that are cut. `busctl audit PATH` is short for `busctl audit run PATH`.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Paths = Annotated[
    list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and folders. Default: .")
]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="LIST", help="Only these rules: codes (also their beginnings), names, "
                 "families, or ALL (also those that are off by default)."),
]  # fmt: skip
Ignore = Annotated[list[str] | None, typer.Option(metavar="LIST", help="Not these rules.")]
MinConfidence = Annotated[
    Confidence | None, typer.Option(help="Leave out what is less sure. Default: low.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Form of the result.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write it here; the summary goes to stderr.")
]
Statistics = Annotated[bool, typer.Option("--statistics", help="Count by rule, nothing more.")]
DiffBase = Annotated[
    str | None,
    typer.Option(metavar="REV", help="Only what was not there in this git revision."),
]
Baseline = Annotated[
    Path | None, typer.Option(help="Only what is not in this file of known findings.")
]
Update = Annotated[
    bool, typer.Option("--update-baseline", help="Write what is found now to the baseline.")
]
Fix = Annotated[bool, typer.Option("--fix", help="Mend what can be mended without a question.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show what --fix would change.")]
Watch = Annotated[bool, typer.Option("--watch", help="Look again whenever a file changes.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Look at every file again.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes. Default: one a core.")]


@app.command("run")
def run(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    min_confidence: MinConfidence = None,
    form: FormatOption = Format.TEXT,
    output: Output = None,
    statistics: Statistics = False,
    diff_base: DiffBase = None,
    baseline: Baseline = None,
    update_baseline: Update = False,
    fix: Fix = False,
    diff: Diff = False,
    watch: Watch = False,
    no_cache: NoCache = False,
    jobs: Jobs = None,
    as_json: options.Json = False,
) -> None:
    """Look at code with all rules. Nothing that is looked at is imported or run.

    Takes what git would keep below the paths (.gitignore is respected; a file given by name is
    always looked at) and settings from [tool.busctl.audit] in the project's pyproject.toml.
    `# busctl: allow[CODE] reason` on its line accepts a finding.

    Exit 0 without findings, 1 with any, 2 for a wrong option, 3 if nothing could be looked at.

    --fix with --format, --output or --statistics reports what is left after it.

    --json is --format json: findings (code, name, family, path, relative_path, line, column,
    end_line, end_column, message, severity, confidence, evidence, remedy, symbol, fingerprint),
    checked, not_looked_at, allowed, known.

    \b
    Examples:
      busctl audit
      busctl audit src --min-confidence high
      busctl audit --diff-base origin/main --format github
      busctl audit --baseline audit.json --update-baseline
      busctl audit --select SF,CF003 --statistics
    """
    from busctl.cli.audit_run import Wanted, audit_and_show

    audit_and_show(Wanted(
        paths=tuple(paths or [Path()]), family=None, select=_listed(select),
        ignore=_listed(ignore), min_confidence=min_confidence,
        form="json" if as_json else form.value, output=output, statistics=statistics,
        diff_base=diff_base, baseline=baseline, update_baseline=update_baseline, fix=fix,
        diff=diff, watch=watch, use_cache=not no_cache, jobs=jobs,
    ))  # fmt: skip


def _family(name: str) -> None:
    """The sub-command of one family."""

    def look(
        paths: Paths = None,
        min_confidence: MinConfidence = None,
        form: FormatOption = Format.TEXT,
        output: Output = None,
        statistics: Statistics = False,
        no_cache: NoCache = False,
        jobs: Jobs = None,
        as_json: options.Json = False,
    ) -> None:
        from busctl.cli.audit_run import Wanted, audit_and_show

        audit_and_show(Wanted(
            paths=tuple(paths or [Path()]), family=name, min_confidence=min_confidence,
            form="json" if as_json else form.value, output=output, statistics=statistics,
            use_cache=not no_cache, jobs=jobs,
        ))  # fmt: skip

    look.__doc__ = f"""{_SAID[name]}

    As `busctl audit run`, with the rules of this family alone.

    \b
    Examples:
      busctl audit {name} src
      busctl audit {name} --min-confidence high --json
    """
    app.command(name)(look)


_SAID = {
    "silent": "Errors that vanish: dropped, defaulted, logged where nobody looks, never awaited.",
    "config": "Settings that cannot be set, and those that code and documents disagree about.",
    "truncation": "Where an answer is cut or changed on its way out.",
    "async": "Blocking calls in async code, and other waits that need not be.",
    "inheritance": "A stub that wins the method resolution order over the real method.",
    "sql": "SQL that fails at its first call, opens a hole or loses bytes.",
}

for _name in FAMILIES:
    _family(_name)


@app.command("explain")
def explain(
    code: Annotated[str, typer.Argument(help="Code or name of a rule.")],
    as_json: options.Json = False,
) -> None:
    """What a rule looks for, why, and what to do instead.

    \b
    Examples:
      busctl audit explain SF001
      busctl audit explain hardcoded-timeout --json
    """
    from busctl.cli.audit_run import rule_called, rule_shape, rule_text
    from busctl.cli.running import emit_json

    rule = rule_called(code)
    if as_json:
        emit_json(rule_shape(rule))
    else:
        print(rule_text(rule))


@app.command("rules")
def rules(
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    as_json: options.Json = False,
) -> None:
    """List the installed rules, those of other packages too.

    \b
    Examples:
      busctl audit rules
      busctl audit rules --family silent --json
    """
    from busctl.cli.audit_run import installed, rule_shape
    from busctl.cli.running import emit_json

    found: list[Rule] = [rule for rule in installed() if family in (None, rule.family)]
    if as_json:
        emit_json({"rules": [rule_shape(rule) for rule in found]})
        return
    for rule in found:
        off = "" if rule.default else " (off by default)"
        print(f"{rule.code}  {rule.family:<12} {rule.severity:<8} {rule.name}{off}")
        print(f"       {rule.summary}")


@app.command("map")
def map_(
    paths: Paths = None,
    entry: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Begin at this function (the end of its qualified name is enough). "
            "Default: every tool, route and websocket handler.",
        ),
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Calls followed from there.")] = 8,
    form: Annotated[GraphFormat, typer.Option("--format", "-f", help="Form.")] = GraphFormat.TEXT,
    as_json: options.Json = False,
) -> None:
    """Draw the hops of a call path, and where on each a payload may change.

    Marked are serialising, parsing, encoding, decoding, slicing, compressing, sending, receiving
    and storing, each with its line. Exit 1 when nothing is found to begin at.

    --json prints: version, entries, hops (name, path, line, points), calls (caller, callee, line),
    cut_off.

    \b
    Examples:
      busctl audit map src
      busctl audit map src --entry Daemon.handle --format mermaid
    """
    from busctl.cli.audit_run import draw

    chosen = GraphFormat.JSON if as_json else form
    draw(tuple(paths or [Path()]), entry, depth, chosen.value)


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """Options that take lists can be repeated and joined by commas."""
    return tuple(each.strip() for one in values or [] for each in one.split(",") if each.strip())
