"""`busctl export` and `import`: messages with their bytes to and from one archive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from datetime import timedelta

    from busctl.core.configuration.settings import Settings
    from busctl.core.errors import ArchiveError
    from busctl.ops.archive import Exported, Problem, Selection
    from busctl.ops.archive_importing import Imported

STANDARD = "-"


def export(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="The archive to write; - is stdout.")
    ],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Only these messages.")
    ] = None,
    message_type: selecting.Type = None,
    tool: selecting.Tool = None,
    session: selecting.Session = None,
    request: selecting.Request = None,
    owner: selecting.Owner = None,
    since: selecting.Since = None,
    until: selecting.Until = None,
    status: selecting.WithStatus = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Write messages with their bytes, labels and times to one archive.

    All messages, those that the filters of `busctl ls` select, or the ids given; ones past their
    time too, while they are still there. The archive is a plain tar: messages/ID.json and
    messages/ID.payload (the raw bytes), SHA256SUMS, index.json. FILE appears only whole; until
    then FILE.partial grows, and after an interruption the same command goes on from there. A
    message that cannot be read is named and left out (exit 1). --json prints exported, resumed
    (were in FILE.partial already), failed, payload_bytes, archive_bytes, path, problems.

    \b
    Examples:
      busctl export week.tar --since 7d
      busctl export answers.tar 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl export - --tool search | zstd > search.tar.zst
    """
    from busctl.cli.running import emit_json, run, say, settings_for
    from busctl.core.errors import ConfigurationError

    typed = {
        "type": message_type.value if message_type else None, "tool": tool, "session": session,
        "request": request, "owner": owner, "since": since, "until": until,
        "status": status.value if status else None,
    }  # fmt: skip
    typed = {name: value for name, value in typed.items() if value is not None}
    if ids and typed:
        raise ConfigurationError("Give ids or filters, not both.")
    if file == STANDARD and as_json:
        raise ConfigurationError("--json needs a FILE: standard output carries the archive.")
    selection = _selection(
        ids or [], typed, message_type=message_type, tool=tool, session=session, request=request,
        owner=owner, since=since, until=until, status=status,
    )  # fmt: skip
    problems: list[Problem] = []
    work = _exported(settings_for(env_file, sets), file, selection, _teller(problems, as_json))
    try:
        done = run(work)
    except KeyboardInterrupt:
        if file != STANDARD:
            say(f"{file}.partial keeps what is whole: the same command goes on from there.")
        raise
    if as_json:
        emit_json({**_counts(done), "path": file, "problems": _problems(problems)})
    else:
        _tell_export(done, file)
    if done.failed:
        raise typer.Exit(1)


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The archive; - is stdin.")],
    ttl: Annotated[
        str | None, typer.Option(help="New time to live for each message, from now: 48h, 7d.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Verify the archive only; no store is needed.")
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Store the messages of an archive under their own ids, with their labels and times.

    What is there already is left alone, so that an interrupted import is simply run again.
    Every entry is checked while it is read; damage is named with its entry and offset. Messages
    past their time are named and not stored, unless --ttl gives them a new one; ids older than
    MESSAGE_BUS_HORIZON_HOURS have no place in the store at all. The exit code is 1 if anything
    was not imported. --json prints imported, already, expired, beyond_horizon, failed, verified
    (with --dry-run), payload_bytes, problems and error (why it ended early, else null).

    \b
    Examples:
      busctl import week.tar
      busctl import week.tar --dry-run
      zstd -dc search.tar.zst | busctl import - --ttl 48h
    """
    from busctl.cli.running import emit_json, report_error, run, settings_for
    from busctl.core.durations import parse_duration

    duration = parse_duration(ttl, "--ttl") if ttl is not None else None
    settings = None if dry_run else settings_for(env_file, sets)
    problems: list[Problem] = []
    done, fault = run(_imported(settings, file, duration, _teller(problems, as_json)))
    if as_json:
        error = _error_shape(fault) if fault else None
        emit_json({**_counts(done), "problems": _problems(problems), "error": error})
    else:
        _tell_import(done, dry_run=dry_run)
    if fault is not None:
        report_error(fault, as_json=as_json)
    if fault is not None or done.failed or done.expired or done.beyond_horizon:
        raise typer.Exit(1)


def _selection(ids: list[str], typed: dict[str, Any], **filters: Any) -> Selection:
    from busctl.core.ids import parse_id
    from busctl.ops.archive import Selection

    wanted = tuple(sorted({parse_id(text) for text in ids}))
    if wanted:
        typed = {"ids": [str(one) for one in wanted]}
    return Selection(typed=typed, ids=wanted, filter=selecting.wanted(**filters))


async def _exported(
    settings: Settings, file: str, selection: Selection, tell: Callable[[Problem], None]
) -> Exported:
    from busctl.cli.progress import Bar
    from busctl.cli.streams import standard_output
    from busctl.connect import Bus
    from busctl.ops.archive import export_file, export_stream

    target = _target(file)
    with Bar(file) as bar, _writing(file):
        async with Bus.connect(settings) as bus:
            if file != STANDARD:
                return await export_file(bus, target, selection, tell=tell, moved=bar.add)
            with standard_output() as out:
                return await export_stream(bus, out, selection, tell=tell, moved=bar.add)


def _writing(file: str) -> AbstractContextManager[None]:
    from busctl.cli.targets import writing

    remedy = "Free space and correct the permissions"
    if file == STANDARD:
        return writing(
            "The archive was not written to standard output",
            remedy=f"{remedy}, then export again.",
        )
    return writing(
        f"The archive {file} was not written",
        remedy=f"{remedy}; {file}.partial keeps what is whole: the same command goes on from "
        "there.",
    )


async def _imported(
    settings: Settings | None,
    file: str,
    ttl: timedelta | None,
    tell: Callable[[Problem], None],
) -> tuple[Imported, ArchiveError | None]:
    from busctl.cli.progress import Bar
    from busctl.cli.streams import source
    from busctl.connect import Bus
    from busctl.ops.archive_importing import import_archive, verify_archive
    from busctl.ops.sealing import size_of_file

    with Bar(file) as bar, source(file, bar.add) as opened:
        bar.total = size_of_file(opened) or None
        if settings is None:
            return await verify_archive(opened, tell=tell)
        async with Bus.connect(settings) as bus:
            return await import_archive(bus, opened, ttl=ttl, tell=tell)


def _target(file: str) -> Path:
    """The file to write; a link is followed, not replaced."""
    import sys

    from busctl.cli.targets import check_target
    from busctl.core.errors import ConfigurationError

    if file == STANDARD:
        if sys.stdout.isatty():
            raise ConfigurationError(
                "An archive is binary, and standard output is a terminal.",
                remedy="Name a FILE, or use a pipe.",
            )
        return Path(file)
    path = Path(file)
    check_target(path)
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{file} is no regular file.", remedy="Use - and a pipe.")
    return path.resolve() if path.is_symlink() else path


def _teller(problems: list[Problem], as_json: bool) -> Callable[[Problem], None]:
    """Problems are told as they come; with --json they are kept for the end."""
    from busctl.cli.running import report_error

    def tell(problem: Problem) -> None:
        if as_json:
            problems.append(problem)
        else:
            report_error(problem.error, as_json=False)

    return tell


def _counts(done: Exported | Imported) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(done)


def _problems(problems: list[Problem]) -> list[dict[str, Any]]:
    return [
        {"transaction_id": str(one.transaction_id), **_error_shape(one.error)} for one in problems
    ]


def _error_shape(error: Any) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "remedy": error.remedy or None}


def _tell_export(done: Exported, file: str) -> None:
    from busctl.cli.rendering import counted, show_size
    from busctl.cli.running import say

    where = "standard output" if file == STANDARD else file
    parts = [f"{counted(done.exported, 'message')} exported ({show_size(done.payload_bytes)})"]
    if done.resumed:
        parts.append(f"{done.resumed:,} were there from before")
    if done.failed:
        parts.append(f"{done.failed:,} could not be read and are not in it")
    say(f"{where}: {', '.join(parts)}; the archive has {show_size(done.archive_bytes)}.")


def _tell_import(done: Imported, *, dry_run: bool) -> None:
    from busctl.cli.rendering import counted, show_size
    from busctl.cli.running import say

    if dry_run:
        whole = f"{counted(done.verified, 'message')} verified ({show_size(done.payload_bytes)})"
        say(f"{whole}, {done.failed:,} damaged; nothing was stored.")
        return
    say(
        f"{counted(done.imported, 'message')} imported ({show_size(done.payload_bytes)}), "
        f"{done.already:,} there already, {done.expired:,} past their time, "
        f"{done.beyond_horizon:,} beyond the horizon, {done.failed:,} failed."
    )
