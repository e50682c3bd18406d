"""How long a token is good that the store told of: asked for seldom, and not while it is away."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.postgres.tokens import PostgresTokens
from busctl.adapters.tokenfile import Guard
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError, StoreUnreachable
from busctl.core.principal import OPERATOR, Scope
from busctl.core.token import checked_id, digest_of, id_of, make_token
from busctl.ops.serve.credentials import AGAIN_SECS, Credentials
from busctl.ops.tokens import create, list_tokens, revoke
from tests.adapters.bus_sql import sql

OWN = "the-daemons-own-token"


class MovedClock(SystemClock):
    """The machine's clock, put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


class Desk:
    """Credentials on a store of their own, with a clock to move."""

    def __init__(self, store: PostgresStore, folder: Path) -> None:
        settings = Settings(token=OWN, state_dir=folder)
        self.clock = MovedClock()
        self.tokens = PostgresTokens(store)
        self.credentials = Credentials(Guard(settings), self.tokens, settings, self.clock)


async def opened(dsn: str, folder: Path) -> tuple[PostgresStore, Desk]:
    store = await PostgresStore.open(dsn, connect_timeout=2)
    return store, Desk(store, folder)


async def test_a_revocation_is_seen_when_the_cache_has_passed(
    database: str, tmp_path: Path
) -> None:
    store, desk = await opened(database, tmp_path)
    made = await create(desk.tokens, "alice", "read,call", timedelta(hours=1))
    found = await desk.credentials.identify(made.secret)
    assert found == made.token.principal
    assert found is not None
    assert found.scopes == {Scope.READ, Scope.CALL}
    assert await desk.credentials.identify(OWN) == OPERATOR
    assert await desk.credentials.identify(made.secret[:-1] + "-") is None
    assert (await list_tokens(desk.tokens))[0].last_used_at is not None
    revoked = await revoke(desk.tokens, made.token.token_id)
    assert revoked.state == "revoked"
    assert await desk.credentials.identify(made.secret) is not None
    assert await desk.credentials.holds(found)
    desk.clock.ahead = 31
    assert await desk.credentials.identify(made.secret) is None
    assert not await desk.credentials.holds(found)
    assert await desk.credentials.holds(OPERATOR)
    await store.close()


async def test_expiry_needs_no_asking(database: str, tmp_path: Path) -> None:
    store, desk = await opened(database, tmp_path)
    made = await create(desk.tokens, "alice", "admin", timedelta(seconds=20))
    assert await desk.credentials.identify(made.secret) is not None
    desk.clock.ahead = 21
    assert await desk.credentials.identify(made.secret) is None
    await store.close()


async def test_while_the_store_is_away(database: str, tmp_path: Path) -> None:
    store, desk = await opened(database, tmp_path)
    known = await create(desk.tokens, "alice", "call", None)
    other = await create(desk.tokens, "bob", "call", None)
    assert await desk.credentials.identify(known.secret) is not None
    name = (await sql(database, "select current_database()"))[0][0]
    admin = database.replace(name, "postgres")
    await sql(admin, f"alter database {name} allow_connections false")
    await sql(
        admin, "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", name
    )
    for seconds in (31, 31 + AGAIN_SECS / 2, 31 + AGAIN_SECS * 2, 899):
        desk.clock.ahead = seconds
        assert await desk.credentials.identify(known.secret) is not None
    with pytest.raises(StoreUnreachable):
        await desk.credentials.identify(other.secret)
    assert await desk.credentials.identify(OWN) == OPERATOR
    desk.clock.ahead = 901
    with pytest.raises(StoreUnreachable):
        await desk.credentials.identify(known.secret)
    # Who was let in stays: nothing is known to the contrary.
    assert await desk.credentials.holds(known.token.principal)
    await sql(admin, f"alter database {name} allow_connections true")
    assert await desk.credentials.identify(known.secret) is not None
    await store.close()


def test_tokens_and_their_ids() -> None:
    token_id, token = make_token(bytes(range(38)))
    assert (token_id, id_of(token), len(digest_of(token))) == ("000102030405", token_id, 32)
    for other in (token + "x", token[:-1], token.upper(), f" {token}", "", "bct__", "é" * 60):
        assert id_of(other) is None
    with pytest.raises(ConfigurationError) as caught:
        checked_id(token)
    assert token not in str(caught.value)
    with pytest.raises(ValueError, match="38 random bytes"):
        make_token(b"short")
