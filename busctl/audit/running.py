"""A whole run: the files through all cores, what is known from the cache, one list of findings."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import signal
import threading
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from busctl.audit.cache import Cache
from busctl.audit.discovery import Found
from busctl.audit.examining import Examined, conclude, examine, project_of, unreadable
from busctl.audit.model import Finding
from busctl.audit.project import Project
from busctl.audit.rule import Facts, Rule

CHUNK_FILES = 24
"""Files handed to a process at a time: few enough to share the work evenly, and to be stopped."""
ALONE_FILES = 40
"""So few files are done before other processes have begun."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run. `not_looked_at` gives path and why."""

    findings: tuple[Finding, ...]
    checked: int
    not_looked_at: tuple[tuple[str, str], ...]
    allowed: int


Step = Callable[[int], None]


def run(
    found: Found, rules: Sequence[Rule], *, cache: Path | None, jobs: int, step: Step
) -> Run:  # fmt: skip
    """Look at all files. `step` is told how many more are done; `cache` None keeps nothing."""
    with _uncollected(), Cache(cache, rules) as store:
        examined = list(_examined(found, rules, store, jobs, step))
        return _concluded(found, examined, rules)


def facts_of(
    found: Found, kinds: tuple[type[Facts], ...], *, jobs: int, step: Step
) -> tuple[Project, int]:
    """What these facts say of the project, without findings, and how many files were looked at."""

    class Asking(Rule):
        code = name = "AU000"
        needs = kinds

    rules = [Asking()]
    with _uncollected(), Cache(None, rules) as store:
        examined = list(_examined(found, rules, store, jobs, step))
    return project_of(examined), sum(one.looked_at for one in examined)


def _concluded(found: Found, examined: Sequence[Examined], rules: Sequence[Rule]) -> Run:
    texts = {name: text for name in found.texts if (text := _text_of(found.root / name))}
    allowed: list[Finding] = []
    findings = conclude(examined, rules, texts, allowed, whole=found.whole)
    missed = tuple(
        (one.path, one.findings[0].message if one.findings else "cannot be read")
        for one in sorted(examined, key=lambda each: each.path) if not one.looked_at
    )  # fmt: skip
    return Run(tuple(findings), len(examined) - len(missed), missed, len(allowed))


def _examined(
    found: Found, rules: Sequence[Rule], store: Cache, jobs: int, step: Step
) -> Iterator[Examined]:
    for name, error in found.missed:
        yield unreadable(name, error)
    keys: dict[str, bytes] = {}
    for name in found.code:
        content = _content_of(found.root / name)
        if isinstance(content, bytes):
            keys[name] = store.key(name, content)
        else:
            step(1)
            yield unreadable(name, content)
    known = store.known(list(keys.values()))
    step(len(known))
    yield from known.values()
    misses = [name for name, key in keys.items() if key not in known]
    for results in _looked_at(found.root, misses, rules, jobs):
        # By the content that was read then: a file may have changed since it was hashed here.
        store.keep((store.key(one.path, content), one) for one, content in results if one.looked_at)
        step(len(results))
        yield from (one for one, _ in results)


_Results = list[tuple[Examined, bytes]]


def _looked_at(
    root: Path, names: Sequence[str], rules: Sequence[Rule], jobs: int
) -> Iterator[_Results]:
    chunks = [names[at : at + CHUNK_FILES] for at in range(0, len(names), CHUNK_FILES)]
    if jobs == 1 or len(names) <= ALONE_FILES:
        for chunk in chunks:
            yield examine_all(root, chunk, rules)
        return
    left = set(names)
    try:
        for results in _in_processes(root, chunks, rules, jobs):
            left -= {one.path for one, _ in results}
            yield results
    except BrokenProcessPool:
        # Somebody killed a process, or a file did: that one is found, the others are looked at.
        for chunk in chunks:
            if left.issuperset(chunk):
                yield _alone(root, chunk, rules)


def _alone(root: Path, names: Sequence[str], rules: Sequence[Rule]) -> _Results:
    """These in a process of their own; if it dies, each in one of its own."""
    try:
        return [one for each in _in_processes(root, [names], rules, 1) for one in each]
    except BrokenProcessPool:
        if len(names) > 1:
            return [one for name in names for one in _alone(root, [name], rules)]
        return [(unreadable(names[0], ValueError("the process that read it was killed")), b"")]


def _in_processes(
    root: Path, chunks: Sequence[Sequence[str]], rules: Sequence[Rule], jobs: int
) -> Iterator[_Results]:
    """Raises BrokenProcessPool when a process dies."""
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(jobs, context, initializer=_end_with_parent) as pool:
        waiting: set[Future[_Results]] = set()
        try:
            for chunk in chunks:
                with _uninterrupted():
                    waiting.add(pool.submit(examine_all, root, chunk, rules))
                if len(waiting) >= 4 * jobs:
                    done = next(as_completed(waiting))
                    waiting.remove(done)
                    yield done.result()
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            # Stopped by hand, say: what has not begun must not begin.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """A process of ours that was killed leaves its workers waiting for work, for ever: each holds
    the queue open for the others."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits while workers may be forked: Python prints a traceback if it comes in the midst.
    They inherit that, so that a terminal's Ctrl-C, which reaches them all, is ours to answer."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def examine_all(root: Path, names: Iterable[str], rules: Sequence[Rule]) -> _Results:
    """Look at some files, with the content that each had."""
    with _uncollected():
        return [_examine_file(root, name, rules) for name in names]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Trees and facts are large webs of small objects without cycles that matter: looking for them
    in the middle of making them takes a third of the time. What is left of them at the end is set
    aside until the next run: the first look afterwards would go through all of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.unfreeze()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


def _examine_file(root: Path, name: str, rules: Sequence[Rule]) -> tuple[Examined, bytes]:
    content = _content_of(root / name)
    if not isinstance(content, bytes):
        return unreadable(name, content), b""
    try:
        text = decoded(content)
    except (SyntaxError, ValueError, LookupError) as error:
        return unreadable(name, error), content
    return examine(name, text, rules), content


def decoded(content: bytes) -> str:
    """The text of a Python file, by its byte order mark or coding comment, else UTF-8. Raises
    SyntaxError, LookupError or ValueError (a codec may raise any of them)."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding)


def _content_of(path: Path) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # gone since it was listed: then it documents nothing


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
