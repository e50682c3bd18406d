"""Tokens beside the daemon's own one: `bct_<id>_<secret>`.

The id is public, finds the token's row and names it to people; the secret is 256 random bits. What
is kept is the SHA-256 of the whole, see docs/decisions on why a slow hash would add nothing.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from busctl.core.errors import ConfigurationError
from busctl.core.principal import Principal

ID_BYTES = 6
SECRET_BYTES = 32
_ID = re.compile(r"[0-9a-f]{12}")
_TOKEN = re.compile(r"bct_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token, which is not the token. `now` is the store's, when it was read."""

    token_id: str
    principal: Principal
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    now: datetime

    @property
    def state(self) -> str:
        """ "active", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= self.now else "active"


def make_token(random: bytes) -> tuple[str, str]:
    """The id and the token made of 38 random bytes."""
    if len(random) != ID_BYTES + SECRET_BYTES:
        raise ValueError(f"A token is made of {ID_BYTES + SECRET_BYTES} random bytes.")
    token_id = random[:ID_BYTES].hex()
    secret = base64.urlsafe_b64encode(random[ID_BYTES:]).decode("ascii").rstrip("=")
    return token_id, f"bct_{token_id}_{secret}"


def id_of(shown: str) -> str | None:
    """The id in what a client shows; None when that is no token of this kind."""
    match = _TOKEN.fullmatch(shown)
    return match[1] if match else None


def digest_of(shown: str) -> bytes:
    """What is kept of a token of this kind: its SHA-256."""
    return sha256(shown.encode("ascii")).digest()


def is_same(one: bytes, other: bytes) -> bool:
    """Whether two digests are equal, compared in constant time."""
    return hmac.compare_digest(one, other)


def checked_id(text: str) -> str:
    """The same id. Raises ConfigurationError, which does not repeat a token given by mistake."""
    if _ID.fullmatch(text):
        return text
    given = "A token was given" if text.startswith("bct_") else f"{text[:80]!a} is"
    where = " where its id is wanted." if text.startswith("bct_") else " not the id of a token."
    raise ConfigurationError(
        given + where, remedy="Give the id as `busctl token list` prints it: 12 of 0-9 and a-f."
    )
