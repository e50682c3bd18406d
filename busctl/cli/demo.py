"""`busctl demo`: see a large tool answer come back by its id, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.ops.demo import Called, Redeemed

SEED = 2026
Tell = Callable[[str], None]


def demo(
    size: Annotated[
        str, typer.Option("--size", metavar="SIZE", help="Size of the answer: 10MB, 64KiB, 1000.")
    ] = "10MB",
    as_json: options.Json = False,
) -> None:
    """Start a daemon with its own PostgreSQL, and redeem a large tool answer by its id.

    Everything is in a folder of its own for temporary files, which is removed at the end; your
    settings and your store are not touched. Exit 1 if a byte is not what it should be.

    \b
    Examples:
      busctl demo
      busctl demo --size 100MB
      busctl demo --json
    """
    from busctl.cli.running import run
    from busctl.core.sizes import parse_size

    wanted = parse_size(size)
    with _folder() as folder:
        fine = run(_until_told(_demo(folder, wanted, as_json=as_json)))
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

    from busctl.cli.running import ending_signals
    from busctl.core.errors import BusctlError

    task = asyncio.ensure_future(work)
    for number in ending_signals():
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # this is a task
            raise
        raise BusctlError("The demonstration was told to stop.") from None


async def _demo(folder: Path, size: int, *, as_json: bool) -> bool:
    """Tell the story on stdout; with `as_json` on stderr, and its figures on stdout."""
    from urllib.parse import urlsplit

    from busctl.adapters.clock import SystemClock
    from busctl.adapters.daemon_process import running_daemon
    from busctl.adapters.http_redemption import HttpRedemption
    from busctl.adapters.websocket import BusClient
    from busctl.cli.running import emit_json
    from busctl.core.sizes import show_size
    from busctl.ops import demo as op

    clock = SystemClock()
    environment = {
        "BUSCTL_STORE_DIR": str(folder / "store"),
        "BUSCTL_STATE_DIR": str(folder / "state"),
        "MESSAGE_BUS_MAX_PAYLOAD_MB": str(max(100, size / 1_000_000)),
    }
    tell = partial(typer.echo, err=as_json)
    tell(f"A tool answer of {show_size(size)} through busctl, by its transaction id.\n")
    began = clock.monotonic()
    async with running_daemon(folder, environment) as daemon:
        _step(
            tell,
            1,
            "start",
            f"PostgreSQL and a daemon on port {urlsplit(daemon.url).port}",
            clock.monotonic() - began,
        )
        token = (folder / "state" / "token").read_text("ascii").strip()
        arguments = op.arguments_of(size, SEED)
        async with BusClient.connect(daemon.url, token) as client:
            called = await op.call(client, clock, arguments)
            _tell_call(tell, called, size)
            wanted = op.expected(size, SEED)
            fetched = await op.redeem(client.fetch, clock, called.claim, wanted)
            _tell_redeemed(tell, 3, "fetch", "the WebSocket, by id", fetched)
        async with HttpRedemption.connect(daemon.url, token) as http:
            got = await op.redeem(http.get, clock, called.claim, wanted)
            _tell_redeemed(
                tell, 4, "get", f"HTTP, /messages/{str(called.claim.transaction_id)[:8]}…", got
            )
    if as_json:
        emit_json(
            {
                **called.claim.as_json(),
                "frame_bytes": called.frame_bytes,
                "call_seconds": called.seconds,
                "fetch_seconds": fetched.seconds,
                "http_seconds": got.seconds,
                "identical": fetched.differs_at is None and got.differs_at is None,
            }
        )
    return _verdict(tell, [fetched, got])


def _step(tell: Tell, number: int, name: str, what: str, seconds: float) -> None:
    tell(f"  {number}  {name:6} {what:56} {seconds:7.3f} s")


def _tell_call(tell: Tell, called: Called, size: int) -> None:
    claim = called.claim
    _step(tell, 2, "call", f"generate(size_bytes={size}, kind=json, seed={SEED})", called.seconds)
    tell(f"            came back   a claim check: {called.frame_bytes:,} bytes of frames")
    tell(f"            id          {claim.transaction_id}")
    tell(f"            size        {claim.payload_size_bytes:,} bytes")
    tell(f"            sha256      {claim.checksum}")


def _tell_redeemed(tell: Tell, number: int, name: str, way: str, redeemed: Redeemed) -> None:
    _step(tell, number, name, f"{redeemed.size:,} bytes over {way}", redeemed.seconds)


def _verdict(tell: Tell, all_redeemed: list[Redeemed]) -> bool:
    wrong = [each.differs_at for each in all_redeemed if each.differs_at is not None]
    if wrong:
        tell(f"\nNOT identical: the first byte that differs is number {min(wrong):,}.")
        return False
    tell("\nIdentical: every byte is what the same generator makes in this process.")
    return True
