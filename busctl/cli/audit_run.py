"""What `busctl audit` does: a request, the run with its bar, the form, the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from busctl.audit.engine import RULES as ENGINE
from busctl.audit.formats import FORMATS
from busctl.audit.formats import text as text_format
from busctl.audit.model import Confidence
from busctl.audit.outcome import Outcome, statistics
from busctl.audit.registry import RulePackError, rules
from busctl.audit.rule import Example, Rule
from busctl.cli.running import say
from busctl.core.errors import ConfigurationError, FileFailed
from busctl.ops.audit import Audited, Request, audit, mapped

NOTHING_LOOKED_AT = 3
WATCH_SECONDS = 1.0
_COLOURS = {
    "path": "1", "code": "1", "error": "31;1", "warning": "33;1", "note": "36", "faint": "2",
    "caret": "31", "label": "2", "good": "32",
}  # fmt: skip


class NotWritten(FileFailed):
    """What was found is not told: 1 would say that it was."""

    exit_code = NOTHING_LOOKED_AT


@dataclass(frozen=True, slots=True)
class Wanted:
    """The command line."""

    paths: tuple[Path, ...]
    family: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    min_confidence: str | None = None
    form: str = "text"
    output: Path | None = None
    statistics: bool = False
    diff_base: str | None = None
    baseline: Path | None = None
    update_baseline: bool = False
    fix: bool = False
    diff: bool = False
    watch: bool = False
    use_cache: bool = True
    jobs: int | None = None

    def request(self) -> Request:
        least = Confidence(self.min_confidence) if self.min_confidence else None
        return Request(
            paths=self.paths, family=self.family, select=self.select, ignore=self.ignore,
            min_confidence=least, baseline=self.baseline, update_baseline=self.update_baseline,
            diff_base=self.diff_base, jobs=self.jobs, cache=_cache() if self.use_cache else None,
        )  # fmt: skip


def audit_and_show(wanted: Wanted) -> None:
    """Audit, show, and leave with the exit code."""
    _refuse_what_does_not_go_together(wanted)
    if wanted.watch:
        _watch(wanted)
    audited = audit(wanted.request(), _bar)
    if wanted.fix or wanted.diff:
        from busctl.cli.audit_fix import fix_and_show

        code = fix_and_show(audited, only_show=wanted.diff)
        if wanted.form == "text" and wanted.output is None and not wanted.statistics:
            raise typer.Exit(code)
        audited = audit(wanted.request(), _bar)  # what is left, where it is now
    _show(audited, wanted)
    raise typer.Exit(_code(audited.outcome))


def _refuse_what_does_not_go_together(wanted: Wanted) -> None:
    """What would be passed over without a word. Raises ConfigurationError."""
    fixing = "--diff" if wanted.diff else "--fix" if wanted.fix else None
    reports = wanted.form != "text" or wanted.output is not None or wanted.statistics
    output = wanted.output
    if wanted.statistics and wanted.form not in ("text", "json"):
        why = f"--statistics has no form {wanted.form}: it is text or json"
    elif wanted.diff and reports:
        why = "--diff prints a patch and nothing else: no --format, --output or --statistics"
    elif fixing and wanted.update_baseline:
        why = f"{fixing} and --update-baseline are two runs"
    elif wanted.watch and (fixing or wanted.update_baseline):
        why = f"--watch only looks: no {fixing or '--update-baseline'}"
    elif output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        why = f"--output {output} cannot be written: " + (
            "it is a folder" if output.is_dir() else "there is no such folder"
        )
    else:
        return
    raise ConfigurationError(f"{why}.", remedy="`busctl audit run -h` shows the options.")


def _code(outcome: Outcome) -> int:
    if not outcome.checked:
        return NOTHING_LOOKED_AT
    return 1 if outcome.findings else 0


def _show(audited: Audited, wanted: Wanted) -> None:
    outcome = audited.outcome
    if wanted.update_baseline:
        say(f"{outcome.suppressed_by_baseline:,} findings are now known in {audited.baseline}.")
        return
    if wanted.output is not None:
        try:
            wanted.output.write_text(_rendered(outcome, wanted, None), encoding="utf-8")
        except OSError as error:
            raise NotWritten(
                f"{wanted.output} could not be written: {error.strerror or error}."
            ) from error
        say("\n".join(text_format.summary(outcome)))
    else:
        paint = _paint if _has_colours() else None
        sys.stdout.write(_rendered(outcome, wanted, paint))
    if audited.gone:
        say(f"{audited.gone:,} known findings are gone: --update-baseline forgets them.")
    if not outcome.checked:
        say("busctl: nothing was looked at: no Python or SQL file there can be read.")


def _rendered(outcome: Outcome, wanted: Wanted, paint: text_format.Paint | None) -> str:
    if wanted.statistics:
        return _counted(outcome, wanted.form, paint)
    if wanted.form == "text":
        return text_format.render(outcome, paint)
    return FORMATS[wanted.form](outcome)


def _counted(outcome: Outcome, form: str, paint: text_format.Paint | None) -> str:
    if form == "json":
        import json

        counts = [
            {"code": one.code, "name": one.name, "severity": one.severity, "count": one.count}
            for one in statistics(outcome)
        ]
        return json.dumps({"version": 1, "statistics": counts, "checked": outcome.checked}) + "\n"
    return text_format.counts(outcome, paint)


def _has_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _paint(style: str, text: str) -> str:
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m"


def _bar(files: int) -> Callable[[int], None]:
    """A bar on a terminal for what takes long."""
    if not sys.stderr.isatty() or files < 200:
        return lambda _: None
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task("audit", total=files)
    progress.start()
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress.advance(task, count)
        if done >= files:
            progress.stop()

    return step


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("busctl")) / "audit.sqlite"


def _watch(wanted: Wanted) -> None:
    """Show again whenever something changes, until Ctrl-C. What is wrong at the first look ends it;
    later it is somebody in the midst of writing."""
    seen: object = None
    while True:
        state = _state(wanted.paths)
        if state != seen:
            if sys.stdout.isatty():
                sys.stdout.write("\x1b[2J\x1b[H")
            try:
                _show(audit(wanted.request(), _bar), wanted)
            except ConfigurationError as error:
                if seen is None:
                    raise
                say(f"busctl: {error}")
            seen = state
            sys.stdout.flush()
            say("busctl: watching for changes, Ctrl-C ends.")
        time.sleep(WATCH_SECONDS)


def _state(paths: tuple[Path, ...]) -> object:
    """What changes when a file does."""
    from busctl.audit.discovery import discover, root_of

    root = root_of(paths)
    try:
        found = discover(paths, root)
    except FileNotFoundError as error:
        return str(error)  # what was asked for is gone, and may come back
    return [_seen(root / name) for name in (*found.code, *found.texts)]


def _seen(file: Path) -> object:
    try:
        status = file.stat()
    except OSError:
        return file  # gone since it was listed
    return file, status.st_mtime_ns, status.st_size


def draw(paths: tuple[Path, ...], entry: str | None, depth: int, form: str) -> None:
    """Print the map; exit 1 when there is nothing to draw."""
    from busctl.audit import map as maps

    found = mapped(paths, entry, depth)
    render = {
        "text": maps.render_text, "json": maps.render_json, "mermaid": maps.render_mermaid,
    }[form]  # fmt: skip
    print(render(found).rstrip("\n"))
    if not found.entries:
        say("busctl: no tool, route or handler found; give --entry a function.")
        raise typer.Exit(1)


# --- rules -------------------------------------------------------------------------------------


def installed() -> tuple[Rule, ...]:
    """The rules. Raises ConfigurationError when a rule pack cannot be loaded."""
    try:
        return rules()
    except RulePackError as error:
        raise ConfigurationError(
            f"{error}.", remedy="Uninstall or update the package that brings it."
        ) from error


def rule_called(name: str) -> Rule:
    """By code or name. Raises ConfigurationError."""
    for rule in (*installed(), *ENGINE):
        if name.upper() == rule.code or name == rule.name:
            return rule
    raise ConfigurationError(
        f"No rule is called {name!r}.", remedy="`busctl audit rules` lists them."
    )


def rule_shape(rule: Rule) -> dict[str, Any]:
    """The JSON shape of a rule."""
    return {
        "code": rule.code, "name": rule.name, "family": rule.family, "severity": rule.severity,
        "summary": rule.summary, "why": rule.why, "remedy": rule.remedy, "default": rule.default,
        "bad": [_text_of(one) for one in rule.BAD], "good": [_text_of(one) for one in rule.GOOD],
    }  # fmt: skip


def rule_text(rule: Rule) -> str:
    """A rule for people."""
    parts = [
        f"{rule.code} {rule.name} ({rule.family}, {rule.severity})", rule.summary, rule.why,
        f"Instead: {rule.remedy}",
    ]  # fmt: skip
    parts += [f"Bad:\n{_indented(one)}" for one in rule.BAD[:2]]
    parts += [f"Good:\n{_indented(one)}" for one in rule.GOOD[:2]]
    if rule.family != "engine":
        parts.append(f"Accept one with: # busctl: allow[{rule.code}] why it may be lost")
    return "\n\n".join(parts)


def _text_of(example: Example | str) -> str:
    return (example if isinstance(example, str) else example.text).strip("\n")


def _indented(example: Example | str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in _text_of(example).splitlines())
