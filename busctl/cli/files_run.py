"""What `busctl files` does, and how it tells of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from busctl.adapters.clock import SystemClock
from busctl.adapters.file_reading import RootedFiles
from busctl.adapters.postgres.files import PostgresCopies, PostgresTexts
from busctl.cli.file_hosts import file_hosts, ingestion
from busctl.cli.rendering import counted, printable, show_size, show_time
from busctl.cli.running import emit_json, say
from busctl.connect import Bus, open_store
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError, FileRefused
from busctl.core.files.copies import Placed
from busctl.core.files.manifest import Done, Entry, manifest_json, refused
from busctl.core.files.plan import FileTerms
from busctl.core.principal import OPERATOR
from busctl.ops.files import purging
from busctl.ops.files.ingesting import Target

Text = tuple[str, str, Any]
"""Owner, source and message of a text."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Asking:
    """Whether a person is asked before something is removed."""

    yes: bool
    dry_run: bool

    def ask(self, count: int) -> None:
        """Raises ConfigurationError when nobody can be asked, or says no."""
        if self.yes or self.dry_run or not count:
            return
        if not sys.stdin.isatty():
            raise ConfigurationError(
                "Nothing was removed: there is no terminal to ask on.",
                remedy="Say --yes, or --dry-run to see what would go.",
            )
        if not typer.confirm(f"Remove {counted(count, 'file')} for good?", err=True):
            raise ConfigurationError("Nothing was removed.", remedy="")


async def listed(settings: Settings, provider: str | None, *, remote: bool) -> list[Placed]:
    async with _copies(settings) as copies:
        if not remote:
            return await purging.known_copies(copies, provider)
        async with file_hosts(settings, SystemClock(), provider) as hosts:
            return await purging.compared(copies, hosts.files)


async def looked_up(settings: Settings, what: str) -> tuple[list[Placed], Sequence[Text]]:
    """Copies and texts of a file, by its id, its digest or its path."""
    digest = await asyncio.to_thread(_digest_of, what, settings.file_max_bytes)
    async with open_store(settings) as store:
        known = await purging.known_copies(PostgresCopies(store), None)
        found = [one for one in known if _is_meant(one, what, digest)]
        digest = digest or next((one.copy.key.sha256 for one in found if one.copy), None)
        texts = [] if digest is None else await PostgresTexts(store).all_of(digest)
        return found, texts


async def uploaded(settings: Settings, paths: Sequence[Path], provider: str) -> list[Entry]:
    """The lines of the manifest; `paths` are whole, without links. Raises ToolFailed."""
    # The roots bind those who call the daemon; who runs this command reads what they may read.
    roots = sorted({str(path.parent) for path in paths})
    entries = []
    async with (
        Bus.connect(settings) as bus,
        file_hosts(settings, bus.clock, provider) as hosts,
    ):
        ingesting = ingestion(bus, roots, f"files:{os.getpid()}")
        account = hosts.accounts[provider]
        terms = FileTerms.of(account.profile)
        room = account.profile.context_tokens(account.profile.default_model)
        for path in paths:
            target = Target(terms, hosts.files.get(provider), OPERATOR.name, room)
            try:
                entries.append((await ingesting.ingest(str(path), target)).entry)
            except FileRefused as error:
                entries.append(refused(str(path), error.reason, str(error)))
    return entries


async def purged(
    settings: Settings, provider: str | None, asking: Asking, *, everything: bool,
    ids: Collection[str],
) -> list[Placed]:  # fmt: skip
    """What was removed, or would be. Raises ConfigurationError for ids that are nowhere."""
    async with (
        _copies(settings) as copies,
        file_hosts(settings, SystemClock(), provider) as hosts,
    ):
        chosen = await purging.chosen(copies, hosts.files, everything=everything, ids=ids)
        if missing := set(ids) - {one.file_id for one in chosen}:
            raise ConfigurationError(
                f"No provider that was asked has {', '.join(sorted(missing))}.",
                remedy="`busctl files ls --remote` shows what there is.",
            )
        asking.ask(len(chosen))
        if asking.dry_run:
            return chosen
        return [one async for one in purging.purge(copies, hosts.files, chosen)]


# --- telling --------------------------------------------------------------------------------------


def show_list(placed: Sequence[Placed], *, as_json: bool) -> None:
    if as_json:
        emit_json({"files": [shape_of(one) for one in placed]})
        return
    for one in placed:
        _print(one)


def show_one(placed: Sequence[Placed], texts: Sequence[Text], what: str, *, as_json: bool) -> None:
    if as_json:
        told = [
            {"owner": owner, "source": source, "transaction_id": str(named)}
            for owner, source, named in texts
        ]
        emit_json({"files": [shape_of(one) for one in placed], "texts": told})
    else:
        for one in placed:
            _print(one)
        for owner, source, named in texts:
            print("text", printable(source), owner, named, sep="\t")
    if not (placed or texts):
        say(f"Nothing is known of {printable(what)}.")
        raise typer.Exit(1)


def show_manifest(entries: Sequence[Entry], *, as_json: bool) -> None:
    """All lines; the exit code is 1 when a file was refused."""
    if as_json:
        emit_json({"files": manifest_json(entries)})
    else:
        _print_manifest(entries)
    if any(entry.done is Done.REFUSED for entry in entries):
        raise typer.Exit(1)


def _print_manifest(entries: Sequence[Entry]) -> None:
    for entry in entries:
        if entry.done is Done.REFUSED:
            say(f"busctl: {entry.why}")
        size = "-" if entry.size is None else show_size(entry.size)
        print(
            entry.done.value, size, printable(entry.name), entry.file_id or "-",
            entry.text_id or "-", sep="\t",
        )  # fmt: skip


def show_purge(placed: Sequence[Placed], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        emit_json({"dry_run": dry_run, "files": [shape_of(one) for one in placed]})
        return
    for one in placed:
        _print(one)
    done = "would be removed" if dry_run else "removed"
    say(f"{counted(len(placed), 'file')} {done}.")


def shape_of(one: Placed) -> dict[str, Any]:
    """The JSON shape of a copy, or of a file that is not ours."""
    shape: dict[str, Any] = {
        "provider": one.provider, "file_id": one.file_id, "standing": one.standing.value,
        "name": one.name, "size": one.size,
    }  # fmt: skip
    if one.copy is None:
        return {**shape, "purpose": one.ref.purpose if one.ref else None}
    copy = one.copy
    return {
        **shape, "sha256": copy.key.sha256.hex(), "account": copy.key.account,
        "purpose": copy.key.purpose, "uploaded_at": copy.uploaded_at.isoformat(),
        "seen_at": copy.seen_at.isoformat(),
        "expires_at": copy.expires_at.isoformat() if copy.expires_at else None,
    }  # fmt: skip


def _print(one: Placed) -> None:
    uploaded = show_time(one.copy.uploaded_at) if one.copy else "-"
    size = "-" if one.size is None else show_size(one.size)
    print(
        one.provider, one.file_id, one.standing.value, size, printable(one.name), uploaded,
        sep="\t",
    )  # fmt: skip


@asynccontextmanager
async def _copies(settings: Settings) -> AsyncIterator[PostgresCopies]:
    async with open_store(settings) as store:
        yield PostgresCopies(store)


def _digest_of(what: str, most: int) -> bytes | None:
    if _DIGEST.fullmatch(what):
        return bytes.fromhex(what)
    path = Path(what).resolve()
    if not path.is_file():
        return None
    file = RootedFiles([str(path.parent)], most).read(str(path), keep=False)
    file.content.close()
    return bytes.fromhex(file.sha256)


def _is_meant(one: Placed, what: str, digest: bytes | None) -> bool:
    if one.file_id == what:
        return True
    return digest is not None and one.copy is not None and one.copy.key.sha256 == digest
