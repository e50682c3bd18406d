"""`busctl verify`: read whole payloads and check every digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import typer

from busctl.cli import options
from busctl.cli.each import Ids

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.ops.verify import Verified


def verify(
    ids: Ids,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Read messages whole and check the SHA-256 of every chunk and of the payload.

    Looking does not count as a delivery. Each damaged chunk is a finding that names the message,
    the chunk and its bytes; so is an id that is missing, expired or denied. Exit 1 with findings.

    --json prints ok, checked, bytes, findings (kind, subject, message, remedy) and messages
    (transaction_id, ok, size, checksum).

    \b
    Examples:
      busctl verify 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f
      busctl ls --since 2h | cut -f1 | xargs busctl verify
    """
    from busctl.cli.findings import show_findings
    from busctl.cli.rendering import counted, show_size
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.ids import parse_id

    wanted = list(dict.fromkeys(parse_id(text) for text in ids))
    done = run(_verified(settings_for(env_file, sets), wanted, quiet=quiet or as_json))
    findings = [finding for one in done for finding in one.findings]
    if as_json:
        emit_json(_shape(done))
    else:
        show_findings(findings)
        if not quiet:
            total = show_size(sum(one.size for one in done))
            print(f"{counted(len(done), 'message')} of {total} read, "
                  f"{counted(len(findings), 'finding')}.")  # fmt: skip
    if findings:
        raise typer.Exit(1)


async def _verified(settings: Settings, wanted: list[UUID], *, quiet: bool) -> list[Verified]:
    from busctl.cli.progress import Bar
    from busctl.connect import Bus
    from busctl.ops.verify import verify as op

    async with Bus.connect(settings, hop="verify") as bus:
        with Bar("verify", wanted=not quiet) as bar:

            def count(piece: bytes) -> None:
                bar.add(len(piece))

            return [await op(bus, one, reader=lambda _: count) for one in wanted]


def _shape(done: list[Verified]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "ok": not any(one.findings for one in done), "checked": len(done),
        "bytes": sum(one.size for one in done),
        "findings": [asdict(finding) for one in done for finding in one.findings],
        "messages": [
            {"transaction_id": str(one.transaction_id), "ok": not one.findings,
             "size": one.size if one.claim else None,
             "checksum": one.claim.checksum if one.claim else None}
            for one in done
        ],
    }  # fmt: skip
