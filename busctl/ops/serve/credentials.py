"""Whose token a client shows: the daemon's own, or one of the store's.

A token of the store is asked for at most once in BUSCTL_TOKEN_CACHE_SECS, so a call costs no round
trip, and a revocation takes effect within that time. While the store cannot be asked, a token that
it knew lately (BUSCTL_TOKEN_GRACE_SECS) is good still: clients are served from the spool as before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, replace

from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, StoreTimeout, Unauthorized
from busctl.core.principal import Principal
from busctl.core.token import Token, digest_of, id_of, is_same
from busctl.ports import Clock, TokenGuard, Tokens

MOST_KNOWN = 1024
"""Tokens remembered at once; the ones used longest ago are forgotten first."""
ASKING_AT_ONCE = 2
"""Look-ups at once: whoever shows made-up tokens must not use up the connections to the store."""
PATIENCE_SECS = 2.0
"""How long the store may take to tell of a token that it knew lately."""
AGAIN_SECS = 5.0
"""How long such a token is not asked for again after the store could not tell."""

log = logging.getLogger("busctl.token")


@dataclass(frozen=True, slots=True)
class Known:
    """A token as the store told it at `told`, asked again in vain at `asked` (monotonic, s)."""

    token: Token
    digest: bytes
    told: float
    asked: float
    noted: bool = False


class Credentials:
    """Implements `busctl.ports.TokenGuard` for the daemon's own token and those of the store."""

    def __init__(self, own: TokenGuard, tokens: Tokens, settings: Settings, clock: Clock) -> None:
        self._own = own
        self._tokens = tokens
        self._settings = settings
        self._clock = clock
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._asking = asyncio.Semaphore(ASKING_AT_ONCE)

    async def identify(self, shown: str) -> Principal | None:
        token_id = id_of(shown)
        if token_id is not None:
            known = await self._look_up(token_id)
            if known is not None and is_same(known.digest, digest_of(shown)):
                return known.token.principal if await self._admit(known) else None
        return await self._own.identify(shown)

    async def holds(self, principal: Principal) -> bool:
        if principal.token_id is None:
            return await self._own.holds(principal)
        try:
            known = await self._look_up(principal.token_id)
        except BusctlError as error:
            # Nothing is known to the contrary: who was let in stays while the store is away.
            log.warning("token not looked at", extra={"error": error.message})
            return True
        return known is not None and await self._admit(known)

    async def rotate(self, old: str, new: str) -> None:
        await self._own.rotate(old, new)

    # --- inside ----------------------------------------------------------------------------

    async def _admit(self, known: Known) -> bool:
        """Whether it is good; if so, its use is noted once for each time the store told of it."""
        token = known.token
        if not token.state == replace(token, now=self._clock.now()).state == "active":
            return False
        if not known.noted:
            self._known[token.token_id] = replace(known, noted=True)
            await self._note_use(token.token_id)
        return True

    async def _look_up(self, token_id: str) -> Known | None:
        """Raises the store's errors for a token that it did not tell of lately."""
        if (fresh := self._fresh(token_id)) is not None:
            return fresh
        async with self._asking:
            if (fresh := self._fresh(token_id)) is not None:
                return fresh  # somebody else has asked meanwhile
            try:
                return await self._ask(token_id)
            except BusctlError as error:
                known = self._known.get(token_id)
                if known is None or not self._within(known.told, self._settings.token_grace_secs):
                    raise
                log.warning("known token taken unasked", extra={"error": error.message})
                self._known[token_id] = replace(known, asked=self._clock.monotonic())
                return known

    def _fresh(self, token_id: str) -> Known | None:
        known = self._known.get(token_id)
        if known is None:
            return None
        self._known.move_to_end(token_id)
        told_lately = self._within(known.told, self._settings.token_cache_secs)
        asked_in_vain = known.asked > known.told and self._within(known.asked, AGAIN_SECS)
        in_grace = self._within(known.told, self._settings.token_grace_secs)
        return known if told_lately or (asked_in_vain and in_grace) else None

    def _within(self, moment: float, seconds: float) -> bool:
        return self._clock.monotonic() - moment < seconds

    async def _ask(self, token_id: str) -> Known | None:
        patience = PATIENCE_SECS if token_id in self._known else None
        try:
            async with asyncio.timeout(patience):
                found = await self._tokens.find(token_id)
        except TimeoutError as error:
            raise StoreTimeout(f"The store did not tell of a token within {patience} s.") from error
        if found is None:
            self._known.pop(token_id, None)
            return None
        now = self._clock.monotonic()
        known = Known(*found, told=now, asked=now)
        self._known[token_id] = known
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    async def _note_use(self, token_id: str) -> None:
        try:
            await self._tokens.used(token_id)
        except BusctlError as error:
            # When it was used last is for the operator's eyes; the client is let in all the same.
            log.warning("use of a token not noted", extra={"error": error.message})


class NoTokens:
    """The guard of a daemon that nobody connects to: no token is good."""

    async def identify(self, shown: str) -> Principal | None:
        return None

    async def holds(self, principal: Principal) -> bool:
        return False

    async def rotate(self, old: str, new: str) -> None:
        raise Unauthorized("This daemon has no token.")
