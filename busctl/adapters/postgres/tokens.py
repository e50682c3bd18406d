"""The tokens beside the daemon's own one, in `bus.token`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from psycopg.types.numeric import Float8

from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.principal import Principal, Scope
from busctl.core.token import Token


class PostgresTokens:
    """Implements `busctl.ports.Tokens`: recognised as the reader, made and revoked as the
    janitor."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def add(
        self, token_id: str, digest: bytes, principal: Principal, ttl: timedelta | None
    ) -> Token:
        values = {
            "token_id": token_id, "digest": digest, "principal": principal.name,
            "scopes": sorted(scope.value for scope in principal.scopes),
            "ttl": None if ttl is None else Float8(ttl.total_seconds()),
        }  # fmt: skip
        return _token(
            await self._store.as_role(
                "bus_janitor", lambda session: session.only(self._sql["token_add"], values)
            )
        )

    async def find(self, token_id: str) -> tuple[Token, bytes] | None:
        query, values = self._sql["token_find"], {"token_id": token_id}
        row = await self._store.as_role("bus_reader", lambda session: session.one(query, values))
        return None if row is None else (_token(row[:-1]), row[-1])

    async def used(self, token_id: str) -> None:
        async def note(session: Session) -> None:
            await session.run(self._sql["token_used"], {"token_id": token_id})

        await self._store.as_role("bus_reader", note)

    async def list(self) -> Sequence[Token]:
        found = await self._store.as_role(
            "bus_janitor", lambda session: session.all(self._sql["token_list"])
        )
        return [_token(row) for row in found]

    async def revoke(self, token_id: str) -> Token | None:
        query, values = self._sql["token_revoke"], {"token_id": token_id}
        row = await self._store.as_role(
            "bus_janitor", lambda session: session.one(query, values), read_write=True
        )
        return None if row is None else _token(row)


def _token(row: Row) -> Token:
    token_id, name, scopes, created, expires, used, revoked, now = row
    principal = Principal(name, frozenset(Scope(one) for one in scopes), token_id)
    return Token(token_id, principal, created, expires, used, revoked, now)
