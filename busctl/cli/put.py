"""`busctl put`: store a file or standard input; print its transaction id."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from busctl.cli import options
from busctl.core.envelope import MessageType

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import ClaimCheck, Labels


def put(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="What to store; - is stdin.")],
    message_type: Annotated[
        MessageType, typer.Option("--type", help="Kind of message.")
    ] = MessageType.TOOL_RESPONSE,
    tool: Annotated[str | None, typer.Option(help="Name of the tool that made it.")] = None,
    session: Annotated[str | None, typer.Option(help="Session it belongs to.")] = None,
    request: Annotated[str | None, typer.Option(help="Request it answers.")] = None,
    owner: Annotated[str, typer.Option(help="Principal that may redeem it.")] = "operator",
    content_type: Annotated[
        str | None,
        typer.Option(help="Media type. Default: by the file's name, else octet-stream."),
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="A JSON object kept with it.")
    ] = None,
    ttl: Annotated[
        str | None, typer.Option(help="Time to live: 90m, 48h, 2d. Default: MESSAGE_BUS_TTL_HOURS.")
    ] = None,
    transaction_id: Annotated[
        str | None,
        typer.Option("--id", help="Transaction id (UUIDv7), so that a retry is the same message."),
    ] = None,
    checksum: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Refuse other bytes than these.")
    ] = None,
    compression: Annotated[
        str | None, typer.Option(metavar="auto|none|gzip|zstd", help="How it is kept.")
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Store a file or standard input and print its transaction id.

    Reads in bounded memory, whatever the size. The id alone goes to stdout; --json prints the
    claim check: transaction_id, payload_size_bytes, checksum, compression, expires_at,
    message_type, content_type, preview. With --id the same bytes may be put again: they are
    stored once; other bytes under the same id are refused.

    \b
    Examples:
      busctl put answer.json
      ID=$(my-tool | busctl put - --tool my-tool --ttl 7d)
      busctl put report.pdf --owner alice --metadata '{"year": 2026}' --json
    """
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.durations import parse_duration
    from busctl.core.ids import parse_id

    settings = settings_for(env_file, sets, compression=compression)
    chosen: dict[str, Any] = {
        "transaction_id": parse_id(transaction_id) if transaction_id is not None else None,
        "ttl": parse_duration(ttl, "--ttl") if ttl is not None else None,
        "checksum": _digest(checksum) if checksum is not None else None,
    }
    labels = _labels(
        message_type=message_type, tool_name=tool, session_id=session, request_id=request,
        owner=owner, content_type=content_type or _guessed(file), metadata=_object(metadata),
    )  # fmt: skip
    claim = run(_stored(settings, file, labels, chosen))
    with _telling(claim.transaction_id):
        if as_json:
            emit_json(claim.as_json())
        else:
            print(claim.transaction_id)
        sys.stdout.flush()


def _telling(stored: UUID) -> AbstractContextManager[None]:
    """Where standard output takes nothing, the error is the only place that can name the id."""
    from busctl.cli.targets import writing

    return writing(
        f"Message {stored} is stored; that was not written to standard output",
        transaction_id=stored, remedy="Keep the id: `busctl get ID` redeems it.",
    )  # fmt: skip


async def _stored(
    settings: Settings, file: str, labels: Labels, chosen: dict[str, Any]
) -> ClaimCheck:
    from busctl.cli.progress import Bar
    from busctl.cli.streams import source
    from busctl.connect import Bus
    from busctl.ops.sealing import size_of_file

    with Bar(file) as bar, source(file, bar.add) as opened:
        # Devices say 0 and have no end.
        bar.total = size_of_file(opened) or None
        async with Bus.connect(settings) as bus:
            return await bus.put_file(opened, labels, **chosen)


def _labels(**values: Any) -> Labels:
    from busctl.core.envelope import Labels

    return Labels(**values)


def _guessed(file: str) -> str:
    import mimetypes

    kind, encoding = mimetypes.guess_type(file, strict=False)
    # A .json.gz holds gzip, not JSON.
    return kind if kind and not encoding else "application/octet-stream"


def _object(text: str | None) -> dict[str, Any]:
    from busctl.core.errors import ConfigurationError
    from busctl.core.jsontext import parse_json

    if text is None:
        return {}
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--metadata is not JSON: {error}.", remedy='Write an object: \'{"key": "value"}\'.'
        ) from error
    if not isinstance(value, dict):
        raise ConfigurationError(
            "--metadata is JSON, but no object.", remedy='Write an object: \'{"key": "value"}\'.'
        )
    return value


def _digest(text: str) -> str:
    import re

    from busctl.core.errors import ConfigurationError

    digest = text.strip().removeprefix("sha256:").lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigurationError(
            f"--checksum {text!r} is not a SHA-256.",
            remedy="Give its 64 hexadecimal digits, as sha256sum prints them.",
        )
    return digest
