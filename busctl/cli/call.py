"""`busctl call`: call a tool of the daemon; its whole answer, verified, to standard output."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.adapters.websocket import BusClient
    from busctl.core.configuration.settings import Settings
    from busctl.core.replies import CallResult
    from busctl.ports import Tracer


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asked for."""

    tool: str
    pairs: list[str]
    given: dict[str, Any]
    request_id: str | None
    timeout: float | None
    traceparent: str | None


def call(
    tool: Annotated[str | None, typer.Argument(metavar="TOOL", help="Name of the tool.")] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE...", help="Its arguments: JSON where it is, else text."),
    ] = None,
    args_json: Annotated[
        str | None,
        typer.Option("--args-json", metavar="FILE|-", help="Read a JSON object of arguments."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write FILE, whole or not at all."),
    ] = None,
    list_tools: Annotated[bool, typer.Option("--list", help="List the tools instead.")] = False,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="The daemon, ws://host:port/ or wss://."),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="Session to call in.")
    ] = None,
    request_id: Annotated[
        str | None,
        typer.Option(
            "--request-id",
            metavar="ID",
            help="With --session: repeated, the call is not run again, its answer is given again.",
        ),
    ] = None,
    no_claims: Annotated[
        bool, typer.Option("--no-claims", help="Take the answer whole, never as a claim check.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Longest wait for the call."),
    ] = None,
    traceparent: Annotated[
        str | None,
        typer.Option("--traceparent", metavar="TEXT", help="Trace to join, as the W3C writes it."),
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Call a tool of a running daemon; its whole answer, verified, to standard output or a file.

    Large answers come as a claim check, which is redeemed at once. Progress is told on standard
    error of a terminal. --json prints transaction_id, size, checksum (SHA-256), content_type,
    request_id, session_id, route (claim or inline) and path (with -o) in place of the answer;
    `busctl get` redeems the id. An answer that is not whole by what its tool says (a language model
    at its limit) is told on standard error too, and by --json as incomplete. The token is
    BUSCTL_TOKEN, else the daemon's token file.

    Exit codes: 1 the tool or the answer failed, 2 wrong command line or token, 3 no daemon
    answered, --timeout is over, or it asks to call again later.

    \b
    Examples:
      busctl call --list
      busctl call echo text=hello
      busctl call generate size_bytes=10000000 kind=json seed=7 -o answer.json
      echo '{"text": "hello"}' | busctl call echo --args-json - --json
    """
    from busctl import __version__
    from busctl.adapters.tracing import Tracing
    from busctl.cli.running import run, settings_for
    from busctl.cli.targets import check_target

    settings = settings_for(env_file, sets)
    if list_tools:
        run(_list(settings, url, as_json=as_json))
        return
    wanted = _wanted(tool, arguments, args_json, request_id, timeout, traceparent)
    if output is not None:
        check_target(output)
    with Tracing("busctl-client", __version__) as tracing:
        run(
            _call(
                settings, url, session, wanted, output, claims=not no_claims, as_json=as_json,
                tracer=tracing.tracer,
            )
        )  # fmt: skip


def _wanted(
    tool: str | None,
    arguments: list[str] | None,
    args_json: str | None,
    request_id: str | None,
    timeout: float | None,
    traceparent: str | None,
) -> _Wanted:
    from busctl.core.errors import ConfigurationError

    if tool is None:
        raise ConfigurationError(
            "No tool is named.", remedy="Write `busctl call TOOL`, or `busctl call --list`."
        )
    given = {} if args_json is None else _read_object(args_json)
    return _Wanted(tool, arguments or [], given, request_id, timeout, traceparent)


def _read_object(name: str) -> dict[str, Any]:
    import sys

    from busctl.core.errors import ConfigurationError
    from busctl.core.tools.call_arguments import read_object

    told = "standard input" if name == "-" else name
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{told}: {error.strerror}.") from error
    return read_object(text, told)


async def _list(settings: Settings, url: str | None, *, as_json: bool) -> None:
    from busctl.adapters.websocket import BusClient
    from busctl.cli.running import emit_json
    from busctl.core.text import printable

    async with BusClient.connect(url, settings=settings) as client:
        tools = await client.list_tools()
    if as_json:
        shapes = [
            {"name": each.name, "description": each.description, "inputSchema": each.input_schema}
            for each in tools
        ]
        emit_json({"tools": shapes})
        return
    for each in tools:
        print(printable(f"{each.name}({_signature(each.input_schema)})"))
        if each.description:
            print(f"    {printable(each.description.splitlines()[0])}")


def _signature(schema: Any) -> str:
    """The arguments in one line; those that may be left out in brackets."""
    required = schema.get("required", [])
    return ", ".join(
        name if name in required else f"[{name}]" for name in schema.get("properties", {})
    )


async def _call(
    settings: Settings,
    url: str | None,
    session: str | None,
    wanted: _Wanted,
    output: Path | None,
    *,
    claims: bool,
    as_json: bool,
    tracer: Tracer,
) -> None:
    from busctl.adapters.websocket import BusClient
    from busctl.cli.running import emit_json, say
    from busctl.core.replies import left_out
    from busctl.core.text import printable
    from busctl.ops.replacing import replacing

    async with BusClient.connect(
        url, settings=settings, session_id=session, accepts_claims=claims, tracer=tracer
    ) as client:
        if output is None:
            result = await _result(client, wanted, None)
        else:
            with _writing(wanted.tool, output), replacing(output) as out:
                result = await _result(client, wanted, out)
    if result.incomplete:
        say(
            f"busctl call: {wanted.tool} says that its answer is not whole "
            f"({printable(result.incomplete)}); it is stored as it came, as "
            f"{result.transaction_id}."
        )
    if left := left_out(result.conversation):
        say(
            f"busctl call: {left:,} turns or files of the conversation were not sent to the model; "
            f"`busctl show {result.transaction_id}` names them, as left_out."
        )
    if as_json:
        emit_json(_shape(result, client.session_id, output))
    elif output is None:
        _print(result.payload)


def _writing(tool: str, output: Path) -> AbstractContextManager[None]:
    from busctl.cli.targets import writing

    return writing(
        f"The answer of {tool!r} was not written to {output}",
        remedy="Free space or name another file. If the answer came, it is stored: "
        f"`busctl ls --tool {tool}` has its id.",
    )


async def _result(client: BusClient, wanted: _Wanted, into: Any) -> CallResult:
    import sys

    from busctl.cli.running import say
    from busctl.core.text import printable
    from busctl.core.tools.call_arguments import read_pairs

    schema: Any = {}
    if wanted.pairs:
        tools = {each.name: each.input_schema for each in await client.list_tools()}
        schema = tools.get(wanted.tool, {})
    arguments = wanted.given | read_pairs(wanted.pairs, schema)

    def tell(note: str) -> None:
        say(f"{wanted.tool}: {printable(note)}")

    return await client.call(
        wanted.tool, arguments, request_id=wanted.request_id, timeout=wanted.timeout,
        on_progress=tell if sys.stderr.isatty() else None, into=into,
        traceparent=wanted.traceparent,
    )  # fmt: skip


def _shape(result: CallResult, session_id: str, output: Path | None) -> dict[str, Any]:
    shape = {
        "transaction_id": str(result.transaction_id),
        "size": result.size,
        "checksum": result.checksum,
        "content_type": result.content_type,
        "request_id": result.request_id,
        "session_id": session_id,
        "route": "inline" if result.claim is None else "claim",
    }
    if result.incomplete:
        shape["incomplete"] = result.incomplete
    if result.conversation:
        shape["conversation"] = dict(result.conversation)
    return shape if output is None else {**shape, "path": str(output)}


def _print(payload: bytes) -> None:
    import sys

    from busctl.cli.streams import standard_output
    from busctl.core.errors import ConfigurationError

    if sys.stdout.isatty() and b"\x00" in payload:
        raise ConfigurationError(
            "The answer is binary, and standard output is a terminal.",
            remedy="Use -o FILE or a pipe.",
        )
    with standard_output() as out:
        out.write(payload)
