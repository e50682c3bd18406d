"""`busctl demo`: see a large tool answer come back by its id, byte for byte."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from busctl.ops.demo import Called, Redeemed

SEED = 2026


def demo(
    size: Annotated[
        str, typer.Option("--size", metavar="SIZE", help="Size of the answer: 10MB, 64KiB, 1000.")
    ] = "10MB",
) -> None:
    """Start a daemon with its own PostgreSQL, and redeem a large tool answer by its id.

    Everything is in a folder of its own for temporary files, which is removed at the end; your
    settings and your store are not touched. Exit 1 if a byte is not what it should be.

    \b
    Examples:
      busctl demo
      busctl demo --size 100MB
    """
    from busctl.cli.running import run
    from busctl.core.sizes import parse_size

    wanted = parse_size(size)
    with _folder() as folder:
        fine = run(_until_told(_demo(folder, wanted)))
    if not fine:
        raise typer.Exit(1)


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's unprivileged user can pass through."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="busctl-demo-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def _until_told(work: Coroutine[Any, Any, bool]) -> bool:
    """SIGTERM ends the demonstration as Ctrl-C does: with everything stopped and removed."""
    import asyncio
    import signal

    from busctl.core.errors import BusctlError

    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # this is a task
            raise
        raise BusctlError("The demonstration was told to stop.") from None


async def _demo(folder: Path, size: int) -> bool:
    from urllib.parse import urlsplit

    from busctl.adapters.clock import SystemClock
    from busctl.adapters.daemon_process import running_daemon
    from busctl.adapters.http_redemption import HttpRedemption
    from busctl.adapters.websocket import BusClient
    from busctl.core.sizes import show_size
    from busctl.ops import demo as op

    clock = SystemClock()
    environment = {
        "BUSCTL_STORE_DIR": str(folder / "store"),
        "BUSCTL_STATE_DIR": str(folder / "state"),
        "MESSAGE_BUS_MAX_PAYLOAD_MB": str(max(100, size / 1_000_000)),
    }
    typer.echo(f"A tool answer of {show_size(size)} through busctl, by its transaction id.\n")
    began = clock.monotonic()
    async with running_daemon(folder, environment) as daemon:
        _step(
            1,
            "start",
            f"PostgreSQL and a daemon on port {urlsplit(daemon.url).port}",
            clock.monotonic() - began,
        )
        token = (folder / "state" / "token").read_text("ascii").strip()
        arguments = op.arguments_of(size, SEED)
        async with BusClient.connect(daemon.url, token) as client:
            called = await op.call(client, clock, arguments)
            _tell_call(called, size)
            wanted = op.expected(size, SEED)
            fetched = await op.redeem(client.fetch, clock, called.claim, wanted)
            _tell_redeemed(3, "fetch", "the WebSocket, by id", fetched)
        async with HttpRedemption.connect(daemon.url, token) as http:
            got = await op.redeem(http.get, clock, called.claim, wanted)
            _tell_redeemed(
                4, "get", f"HTTP, /messages/{str(called.claim.transaction_id)[:8]}…", got
            )
    return _verdict([fetched, got])


def _step(number: int, name: str, what: str, seconds: float) -> None:
    typer.echo(f"  {number}  {name:6} {what:56} {seconds:7.3f} s")


def _tell_call(called: Called, size: int) -> None:
    claim = called.claim
    _step(2, "call", f"generate(size_bytes={size}, kind=json, seed={SEED})", called.seconds)
    typer.echo(f"            came back   a claim check: {called.frame_bytes:,} bytes of frames")
    typer.echo(f"            id          {claim.transaction_id}")
    typer.echo(f"            size        {claim.payload_size_bytes:,} bytes")
    typer.echo(f"            sha256      {claim.checksum}")


def _tell_redeemed(number: int, name: str, way: str, redeemed: Redeemed) -> None:
    _step(number, name, f"{redeemed.size:,} bytes over {way}", redeemed.seconds)


def _verdict(all_redeemed: list[Redeemed]) -> bool:
    wrong = [each.differs_at for each in all_redeemed if each.differs_at is not None]
    if wrong:
        typer.echo(f"\nNOT identical: the first byte that differs is number {min(wrong):,}.")
        return False
    typer.echo("\nIdentical: every byte is what the same generator makes in this process.")
    return True
