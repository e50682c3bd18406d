"""`busctl audit`: look at code, say what is lost in it, and what is new since a baseline or a
revision."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from busctl.audit import baseline, revision
from busctl.audit.calls import CallFacts
from busctl.audit.choosing import Options, OptionsError, choose, kept, options_in
from busctl.audit.classes import ClassFacts
from busctl.audit.comments import lines_of
from busctl.audit.discovery import CODE, Found, discover, is_text, root_of
from busctl.audit.map import CallMap, NoSuchEntry, call_map
from busctl.audit.model import Confidence
from busctl.audit.outcome import Outcome
from busctl.audit.registry import RulePackError, rules
from busctl.audit.rule import Rule
from busctl.audit.running import Run, Step, cores, decoded, facts_of, run
from busctl.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; None leaves it to `[tool.busctl.audit]`. `cache` is a file."""

    paths: tuple[Path, ...]
    family: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    min_confidence: Confidence | None = None
    baseline: Path | None = None
    update_baseline: bool = False
    diff_base: str | None = None
    jobs: int | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Audited:
    """An outcome, the folder that its paths are relative to, and what the baseline no longer
    needs."""

    outcome: Outcome
    root: Path
    gone: int = 0
    baseline: Path | None = None


def audit(request: Request, begin: Callable[[int], Step]) -> Audited:
    """Look at the files. `begin` is told how many there are and gives what is told of each step.

    Raises ConfigurationError for an option, a path, a baseline or a revision that is none.
    """
    try:
        return _audit(request, begin)
    except (OptionsError, RulePackError) as error:
        remedy = "`busctl audit run -h` shows the options, `busctl audit rules` the rules."
        raise _wrong(error, remedy) from error


def _wrong(error: Exception, remedy: str) -> ConfigurationError:
    text = str(error)
    return ConfigurationError(f"{text[:1].upper()}{text[1:]}.", remedy=remedy)


def _check(paths: Sequence[Path]) -> None:
    for path in paths:
        try:
            is_there = path.is_file() or path.is_dir()
        except OSError as error:
            raise OptionsError(
                f"the path {path} cannot be read: {error.strerror or error}"
            ) from error
        if not is_there:
            why = "is neither a file nor a folder" if path.exists() else "is not there"
            raise OptionsError(f"the path {path} {why}")


def mapped(paths: tuple[Path, ...], entry: str | None, depth: int) -> CallMap:
    """The hops of a call path, from `entry` or from every tool, route and handler. Raises
    ConfigurationError for a path or a function that is not there."""
    try:
        _check(paths)
        root = root_of(paths)
        found = discover(paths, root, options_in(root).exclude)
    except OptionsError as error:
        raise _wrong(error, "Name a file or a folder, and correct pyproject.toml.") from error
    # One process: a class made for the purpose cannot be sent to another one.
    project, _ = facts_of(found, (CallFacts, ClassFacts), jobs=1, step=lambda _: None)
    try:
        return call_map(project, entry, depth)
    except NoSuchEntry as error:
        raise ConfigurationError(
            str(error), remedy="Give the end of a qualified name, such as Class.method."
        ) from error


def _audit(request: Request, begin: Callable[[int], Step]) -> Audited:
    _check(request.paths)
    root = root_of(request.paths)
    options = _over(options_in(root), request)
    chosen = choose(rules(), options.select, options.ignore, request.family)
    found = discover(request.paths, root, options.exclude)
    jobs = request.jobs or cores()
    done = run(found, chosen, cache=request.cache, jobs=jobs, step=begin(len(found.code)))
    findings = kept(done.findings, options, rules())
    if request.diff_base is not None:
        before = _at(request.diff_base, found, request, chosen, jobs)
        renamed = revision.renamed_since(root, request.diff_base)
        findings = list(
            revision.new_since(findings, kept(before.findings, options, rules()), renamed)
        )
    outcome = Outcome(
        findings=tuple(findings), checked=done.checked, not_looked_at=done.not_looked_at,
        allowed=done.allowed, rules=tuple(chosen), sources=_lines_below(root),
        root=root.as_posix(), cwd=Path.cwd().as_posix(), checkout=_in_checkout(root),
    )  # fmt: skip
    return _against_baseline(outcome, found, options, request)


def _in_checkout(root: Path) -> str:
    """Where the project lies in the repository that holds it, and perhaps others."""
    for each in (root, *root.parents):
        if (each / ".git").exists():
            return "" if each == root else root.relative_to(each).as_posix()
    return ""


def _over(options: Options, request: Request) -> Options:
    """Flags over the table."""
    return replace(
        options,
        select=request.select or options.select,
        ignore=(*options.ignore, *request.ignore),
        min_confidence=request.min_confidence or options.min_confidence,
    )


def _at(name: str, found: Found, request: Request, chosen: Sequence[Rule], jobs: int) -> Run:
    """The same files as they were in a revision. They are laid out in a folder of their own: what
    has not changed since is known by its content."""
    with tempfile.TemporaryDirectory(prefix="busctl-audit-") as folder:
        root = Path(folder)
        code: list[str] = []
        texts: list[str] = []
        below = [path.resolve().relative_to(found.root).as_posix() for path in request.paths]
        for path, content in revision.files_at(found.root, name, _is_wanted):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            if path.endswith(CODE) and any(_is_below(path, one) for one in below):
                code.append(path)
            elif is_text(target.name):
                texts.append(path)
        then = Found(root, tuple(sorted(code)), tuple(sorted(texts)), found.whole)
        return run(then, chosen, cache=request.cache, jobs=jobs, step=lambda _: None)


def _is_wanted(path: str) -> bool:
    return path.endswith(CODE) or is_text(path.rpartition("/")[2])


def _is_below(path: str, folder: str) -> bool:
    return folder == "." or path == folder or path.startswith(f"{folder}/")


def _against_baseline(
    outcome: Outcome, found: Found, options: Options, request: Request
) -> Audited:
    root = found.root
    file = request.baseline or (root / options.baseline if options.baseline else None)
    if file is None:
        if request.update_baseline:
            raise OptionsError("--update-baseline needs --baseline FILE or `baseline` in the table")
        return Audited(outcome, root)
    known = () if request.update_baseline and not file.exists() else baseline.read(file)
    paths, codes = {*found.code}, {rule.code for rule in outcome.rules}

    def looked_at(one: baseline.Known) -> bool:
        return one.path in paths and one.code in codes

    if request.update_baseline:
        after = baseline.updated(outcome.findings, known, looked_at)
        baseline.write(file, after)
        told = replace(outcome, findings=(), suppressed_by_baseline=len(after))
        return Audited(told, root, baseline=file)
    new, old, gone = baseline.split(outcome.findings, known, looked_at)
    told = replace(outcome, findings=new, suppressed_by_baseline=len(old))
    return Audited(told, root, len(gone), file)


def _lines_below(root: Path) -> Callable[[str], Sequence[str]]:
    """Lines of the files for excerpts, the last one that was asked for kept."""
    held: dict[str, Sequence[str]] = {}

    def lines(path: str) -> Sequence[str]:
        if path not in held:
            held.clear()
            try:
                held[path] = lines_of(decoded((root / path).read_bytes()))
            except (OSError, SyntaxError, ValueError, LookupError):
                held[path] = ()  # unreadable, which is a finding of its own: nothing to show
        return held[path]

    return lines
