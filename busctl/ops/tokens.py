"""Making and revoking tokens beside the daemon's own one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from busctl.core.errors import ConfigurationError
from busctl.core.principal import Principal, checked_name, parse_scopes
from busctl.core.token import ID_BYTES, SECRET_BYTES, Token, checked_id, digest_of, make_token
from busctl.ports import Tokens


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: `secret` is shown once, to whoever asked for it, and kept nowhere."""

    token: Token
    secret: str

    def __repr__(self) -> str:
        return f"NewToken({self.token!r})"


async def create(tokens: Tokens, name: str, scopes: str, ttl: timedelta | None) -> NewToken:
    """A token for that principal. Raises ConfigurationError for its name or its scopes, which are
    a comma-separated list; `ttl` None is without end."""
    token_id, secret = make_token(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    principal = Principal(checked_name(name), parse_scopes(scopes), token_id)
    return NewToken(await tokens.add(token_id, digest_of(secret), principal, ttl), secret)


async def list_tokens(tokens: Tokens) -> Sequence[Token]:
    """All tokens, the oldest first, those included that are good no more."""
    return await tokens.list()


async def revoke(tokens: Tokens, token_id: str) -> Token:
    """That token, revoked. Raises ConfigurationError when there is none of this id."""
    revoked = await tokens.revoke(checked_id(token_id))
    if revoked is None:
        raise ConfigurationError(
            f"There is no token {token_id}.", remedy="`busctl token list` shows all of them."
        )
    return revoked
