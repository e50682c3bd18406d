"""The deployment that drills may break: PostgreSQL, daemon, spool and proxies of their own."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from busctl.adapters import embedded, small_disk
from busctl.adapters.clock import SkewedClock, SystemClock
from busctl.adapters.daemon_process import running_daemon
from busctl.adapters.fault_proxy import FaultProxy
from busctl.adapters.latency_proxy import Address
from busctl.adapters.pgbouncer import Pooler, program
from busctl.adapters.postgres.drilling import Saboteur
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.postgres.proxied import address_of, through
from busctl.adapters.postgres.tls import secured
from busctl.adapters.spool import FileSpool
from busctl.adapters.websocket import BusClient
from busctl.cli.drill_remains import beside
from busctl.connect import open_store
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Envelope, Labels, MessageType
from busctl.core.errors import BusctlError, ConfigurationError
from busctl.core.operating.drill import Kept
from busctl.ops.bus import Bus
from busctl.ops.drill import CannotDrill, Shape
from busctl.ops.drill.calling import TOOL
from busctl.ports import Filter

QUICK = {
    "BUSCTL_CONNECT_TIMEOUT_SECS": "2",
    "MESSAGE_BUS_WRITE_TIMEOUT_SECS": "2",
    "MESSAGE_BUS_READ_TIMEOUT_SECS": "2",
    "MESSAGE_BUS_CIRCUIT_BREAKER_THRESHOLD": "3",
    "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS": "1",
}
"""The daemon's settings in a drill: as usual, but for how long things take."""
DISK_BYTES = 700_000_000
PAGE = 1000
AT_ONCE = 4


class ThrowAway:
    """Implements `busctl.ops.drill.Deployment`; made by `throw_away`."""

    def __init__(
        self, folder: Path, shape: Shape, disk: Path | None, given: Settings | None
    ) -> None:
        """`given` names the database to play on; None: one of its own."""
        self._folder = folder
        self._shape = shape
        self._disk = disk
        self._home = (disk or folder) / "store"
        self._given = given
        self._token = secrets.token_urlsafe(24)
        self._daemons = 0
        self._daemon = AsyncExitStack()
        self._daemon_pid = 0
        self._pooler: Pooler | None = None
        self.dsn = ""
        self.inline_max_bytes = Settings().inline_max_bytes

    async def begin(self, stack: AsyncExitStack, seed: int) -> None:
        """Start everything; `stack` ends it."""
        if self._given is None:
            server = await asyncio.to_thread(embedded.start, self._home, keep=True)
            stack.push_async_callback(self._stop_postgres)
            self.dsn = server.dsn
        else:
            self.dsn = secured(self._given.database_dsn() or "", self._given.sslrootcert)
        async with await Migrator.connect(self.dsn) as migrator:
            await migrator.up()
        upstream = address_of(self.dsn)
        if self._shape.pooler:
            user = urlsplit(self.dsn).username or ""
            made = Pooler(self._folder / "pooler", upstream, user)
            self._pooler = await stack.enter_async_context(made)
            upstream = self._pooler.address
        self.store_line = await stack.enter_async_context(
            FaultProxy(upstream, "postgres", seed=seed, prefix=beside(self._folder.parent))
        )
        self._saboteur = await stack.enter_async_context(Saboteur(self.dsn))
        if self._given is not None:
            await self._refuse_foreign_messages()
        settings = self._settings()
        store = await stack.enter_async_context(open_store(settings))
        self._bus = Bus(store, settings, SystemClock(), hop="drill")
        stack.push_async_callback(self._bus.deliveries.close)
        stack.push_async_callback(self._stop_daemon)
        await self.start_daemon()
        place = Address("127.0.0.1", self._port)
        self.client_line = await stack.enter_async_context(
            FaultProxy(place, "websocket", seed=seed)
        )

    def _settings(self) -> Settings:
        """Of our own look at the store: straight to it."""
        return Settings(database_url=self.dsn)

    async def _refuse_foreign_messages(self) -> None:
        foreign = await self._saboteur.foreign_messages()
        if foreign:
            raise ConfigurationError(
                f"The database of DATABASE_URL holds {foreign:,} messages that no drill made: it "
                "is not one to be thrown away.",
                remedy="Name another database in DATABASE_URL, or play without --configured.",
            )

    # --- PostgreSQL ------------------------------------------------------------------------

    async def kill_postgres(self) -> None:
        found = await asyncio.to_thread(embedded.status, self._home)
        if found.pid:
            os.kill(found.pid, signal.SIGKILL)

    async def start_postgres(self) -> None:
        await asyncio.to_thread(embedded.start, self._home, keep=True)

    async def _stop_postgres(self) -> None:
        await asyncio.to_thread(embedded.stop, self._home, force=True)

    async def end_session(self, pid: int) -> None:
        await self._saboteur.end_session(pid)

    async def read_only(self, wanted: bool) -> None:
        await self._saboteur.read_only(wanted)

    async def take_slots(self) -> int:
        return await self._saboteur.take_slots()

    async def free_slots(self) -> None:
        await self._saboteur.free_slots()

    async def fill_disk(self) -> str:
        if self._disk is not None:
            taken = await asyncio.to_thread(small_disk.fill, self._disk)
            return f"a tmpfs of {DISK_BYTES:,} bytes, its last {taken:,} taken"
        found = await asyncio.to_thread(embedded.status, self._home)
        small_disk.limit_files(found.pid or 0, small_disk.LIMIT_BYTES)
        return f"no file of the server's sessions over {small_disk.LIMIT_BYTES:,} bytes"

    async def empty_disk(self) -> None:
        if self._disk is not None:
            small_disk.empty(self._disk)
        else:
            found = await asyncio.to_thread(embedded.status, self._home)
            small_disk.limit_files(found.pid or 0, None)
        await self.start_postgres()  # which a full disk may have ended

    # --- the daemon and the pooler ---------------------------------------------------------

    async def start_daemon(self) -> None:
        self._daemons += 1
        folder = self._folder / f"daemon-{self._daemons}"
        folder.mkdir()
        environment = {
            **QUICK, **self._shape.settings,
            **self._inherited(), "DATABASE_URL": through(self.dsn, self.store_line.address),
            "BUSCTL_TOKEN": self._token,
            "BUSCTL_STATE_DIR": str(self._folder / "state"),
            "BUSCTL_SPOOL_DIR": str(self._folder / "spool"),
        }  # fmt: skip
        daemon = await self._daemon.enter_async_context(running_daemon(folder, environment))
        self._daemon_pid, self._port = daemon.pid, urlsplit(daemon.url).port or 0
        if self._daemons > 1:
            self.client_line.upstream = Address("127.0.0.1", self._port)

    def _inherited(self) -> dict[str, str]:
        root = None if self._given is None else self._given.sslrootcert
        return {} if root is None else {"BUSCTL_SSLROOTCERT": str(root.resolve())}

    async def kill_daemon(self) -> None:
        os.kill(self._daemon_pid, signal.SIGKILL)
        await self._stop_daemon()

    async def _stop_daemon(self) -> None:
        ended, self._daemon = self._daemon, AsyncExitStack()
        await ended.aclose()

    async def kill_pooler(self) -> None:
        if self._pooler is not None:
            await self._pooler.kill()

    async def start_pooler(self) -> None:
        if self._pooler is not None:
            await self._pooler.start()

    def client(self, session_id: str, *, claims: bool) -> AbstractAsyncContextManager[BusClient]:
        place = self.client_line.address
        return BusClient.connect(
            f"ws://{place.host}:{place.port}/", self._token, session_id=session_id,
            accepts_claims=claims,
        )  # fmt: skip

    # --- looking ---------------------------------------------------------------------------

    async def put_as_if(
        self, payload: bytes, skew: timedelta, session_id: str, name: str, *, told: bool
    ) -> UUID:
        labels = Labels(tool_name=TOOL, session_id=session_id, request_id=name)
        clock = SkewedClock(skew)
        if told:
            claim = await self._bus.put(payload, labels, transaction_id=clock.new_id())
            return claim.transaction_id
        bus = Bus(self._bus.store, self._bus.settings, clock, hop="drill")
        claim = await bus.put(payload, labels)
        return claim.transaction_id

    async def waiting(self) -> Collection[UUID]:
        return await asyncio.to_thread(self._spool.ids)

    async def aside(self) -> int:
        return (await asyncio.to_thread(self._spool.extent)).aside

    @property
    def _spool(self) -> FileSpool:
        return FileSpool(self._folder / "spool", 1)

    async def went_straight(self, transaction_id: UUID) -> bool:
        try:
            kinds = await self._saboteur.events_of([transaction_id])
        except BusctlError:  # the store is away: then it cannot be said to have it
            return False
        happened = kinds.get(transaction_id, ())
        return "stored" in happened and "reconciled" not in happened

    async def kept(self, sessions: Sequence[str]) -> Sequence[Kept]:
        envelopes = [one for session in sessions for one in await self._listed(session)]
        events = await self._saboteur.events_of([one.transaction_id for one in envelopes])
        free = asyncio.Semaphore(AT_ONCE)

        async def look(envelope: Envelope) -> Kept:
            async with free:
                return await self._looked(envelope, events.get(envelope.transaction_id, ()))

        return await asyncio.gather(*map(look, envelopes))

    async def _listed(self, session: str) -> list[Envelope]:
        found: list[Envelope] = []
        after = None
        while True:
            page = await self._bus.store.list(Filter(
                session_id=session, message_type=MessageType.TOOL_RESPONSE, after=after, limit=PAGE
            ))  # fmt: skip
            found += page
            if len(page) < PAGE:
                return found
            after = page[-1].transaction_id

    async def _looked(self, envelope: Envelope, kinds: Sequence[str]) -> Kept:
        known, request = envelope.transaction_id, envelope.labels.request_id or ""
        path = "reconciled" if "reconciled" in kinds else "stored"
        try:
            payload = await self._bus.get(known)
        except BusctlError as error:
            return Kept(known, request, "", path, f"{error.code}: {error.message}")
        return Kept(known, request, sha256(payload).hexdigest(), path)


def made_passable(folder: Path) -> Path:
    """That folder, made if need be; PostgreSQL's unprivileged user may pass through."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder


def _require(shape: Shape) -> None:
    """Raises CannotDrill where a deployment of that shape cannot be made."""
    if shape.pooler and program() is None:
        raise CannotDrill("pgbouncer is not installed (Debian: apt-get install pgbouncer).")
    if shape.disk and sys.platform != "linux":
        raise CannotDrill("Only on Linux can a disk be filled for it.")


@asynccontextmanager
async def throw_away(
    folder: Path, shape: Shape, seed: int, given: Settings | None = None
) -> AsyncIterator[ThrowAway]:
    """One in `folder`, which is made, for the time of the block; on the database that `given`
    names, or one of its own. Raises the named errors of starting, and ConfigurationError for a
    database that holds messages of others; CannotDrill for a shape that cannot be had here."""
    _require(shape)
    await asyncio.to_thread(made_passable, folder)
    async with AsyncExitStack() as stack:
        disk = None
        if shape.disk and small_disk.may_mount():
            disk = stack.enter_context(small_disk.mounted(folder / "disk", DISK_BYTES))
        made = ThrowAway(folder, shape, disk, given)
        await made.begin(stack, seed)
        yield made
