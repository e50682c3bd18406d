"""Watching: every message is looked at whole, and what was seen is stored as an observation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta

from busctl.core.envelope import Envelope, MessageType, Status
from busctl.core.errors import BusctlError, ClaimError, MessageCorrupt, StoreUnreachable
from busctl.core.watching.content import ContentScan
from busctl.core.watching.following import LONGEST_PAUSE_SECS, Batch, Followed
from busctl.core.watching.history import Histories
from busctl.core.watching.observation import Observation, Remark, Rule, Severity, Stage
from busctl.ops.analysing import Analysed, Analyst
from busctl.ops.bus import Bus, Outgoing
from busctl.ops.following import Follower
from busctl.ops.redeeming import open_row
from busctl.ports import Draft, Filter, Found, Neglect, Neglected

PART_BYTES = 64_000_000
"""Observed between two commits, so that a kill does not cost more than that and one message."""
THREAD_BYTES = 64 * 1024
HISTORY_MESSAGES = 2000
NO_TEXT = Remark(
    Rule.LLM, Severity.INFO, 1.0, "It is no text: not analysed.", {"not_analysed": "no text"}
)
SWEEP_SECS = 30.0
SWEEP_MESSAGES = 500

log = logging.getLogger("busctl.watch")


class Watcher:
    """Observes what its follower gets. Several under one name share the messages; the observation
    of a message and the place behind it are stored together, or neither."""

    def __init__(
        self, bus: Bus, follower: Follower, rules: Iterable[Rule] = Rule,
        analyst: Analyst | None = None,
    ) -> None:  # fmt: skip
        self.observed = self.bytes_read = 0
        self._bus = bus
        self._follower = follower
        self._analyst = analyst
        self._rules = frozenset(rules)
        self._histories = Histories()

    async def recall(self) -> None:
        """Learn what tools are like from the newest messages in the store."""
        newest = await self._bus.list(Filter(limit=HISTORY_MESSAGES))
        for one in reversed(newest):
            if one.labels.message_type is MessageType.TOOL_RESPONSE:
                self._histories.recall(one)

    async def watch(self, *, once: bool = False) -> AsyncIterator[Observation]:
        """Observations, each once it is stored; `once`, of what is there now."""
        async for batch in self._follower.batches(once=once):
            try:
                part, found = await self._observed(batch)
            except StoreUnreachable as error:
                if once:
                    raise
                log.warning("the store is away", extra={"error": error.message})
                await asyncio.sleep(LONGEST_PAUSE_SECS)
                continue
            except ClaimError as error:
                # Damaged or removed between two looks: it comes again, and is seen for what it is.
                log.warning("looked at again", extra={"error": error.message})
                continue
            if await self._follower.commit(part, self._drafts(found)):
                for one in found:
                    if one.stage is Stage.ARRIVAL:
                        self.observed += 1
                        self.bytes_read += one.bytes_read
                    yield one

    async def sweep(
        self, neglect: Neglect, after: timedelta, ahead: timedelta
    ) -> AsyncIterator[Observation]:
        """Observe what nobody has redeemed: `after` so long, or so long before it expires. Each
        message is observed once for either, however often this runs."""
        began, behind = await neglect.begin()
        stages = ((Rule.UNREDEEMED, Stage.UNREDEEMED), (Rule.EXPIRY_AHEAD, Stage.EXPIRY_AHEAD))
        for rule, stage in stages:
            if rule not in self._rules:
                continue
            async for page in neglect.pages(stage, behind, after, ahead, SWEEP_MESSAGES):
                found = [self._neglected(rule, stage, each) for each in page]
                fresh = await self._bus.store.put_many(self._drafts(found))
                for one in found:
                    if one.transaction_id in fresh:
                        yield one
        await neglect.end(began)

    # --- inside ----------------------------------------------------------------------------

    async def _observed(self, batch: Batch) -> tuple[Batch, list[Observation]]:
        """As many of them as make up a part. Observations are not observed."""
        found: list[Observation] = []
        read = 0
        for count, one in enumerate(batch.messages, 1):
            if one.envelope.labels.message_type is MessageType.WATCHER_OBSERVATION:
                continue
            found += await self._observe(one)
            read += found[-1].bytes_read
            # What a model said has cost something: it is stored at once.
            if read >= PART_BYTES or self._analyst is not None:
                return batch.first(count), found
        return batch, found

    async def _observe(self, one: Followed) -> list[Observation]:
        envelope = one.envelope
        scan = ContentScan(envelope.labels.content_type, envelope.labels.incomplete)
        remarks = [] if self._is_own(envelope) else self._histories.add(envelope)
        damage = await self._read(one, scan)
        if damage is not None:
            remarks.append(damage)
        elif not self._is_own(envelope):
            remarks += scan.remarks()
        kept = [remark for remark in remarks if remark.rule in self._rules]
        arrival = Observation(
            self._follower.name, envelope, Stage.ARRIVAL, scan.size, damage is None, kept
        )
        if self._analyst is None or damage is not None:
            return [arrival]
        return [arrival, await self._analysed(self._analyst, one, is_text=scan.is_text)]

    async def _analysed(self, analyst: Analyst, one: Followed, *, is_text: bool) -> Observation:
        if is_text:
            done = await analyst.analyse(one.envelope, self._pieces(one))
            said = {"tokens": done.tokens, **(done.result or {})}
        else:
            done, said = Analysed(0, None, [NO_TEXT], 0), {"tokens": 0}
        return Observation(
            self._follower.name, one.envelope, Stage.ANALYSIS, done.bytes_read, is_text,
            done.remarks, said,
        )  # fmt: skip

    async def _pieces(self, one: Followed) -> AsyncIterator[bytes]:
        if one.body is not None and one.envelope.chunk_count == 0:
            yield open_row(_found(one.envelope, one.body), verify=True)
            return
        async for piece in (await self._bus.peek(one.envelope.transaction_id)).pieces:
            yield piece

    @staticmethod
    def _is_own(envelope: Envelope) -> bool:
        """An error that says it is one is not looked at for the shape of one."""
        return envelope.labels.message_type is MessageType.ERROR

    async def _read(self, one: Followed, scan: ContentScan) -> Remark | None:
        """Read it whole, verified piece by piece; what is wrong with it."""
        try:
            if one.body is not None and one.envelope.chunk_count == 0:
                raw = open_row(_found(one.envelope, one.body), verify=True)
                if len(raw) <= THREAD_BYTES:
                    scan.add(raw)
                else:
                    await asyncio.to_thread(scan.add, raw)
                return None
            opened = await self._bus.peek(one.envelope.transaction_id)
            async for piece in opened.pieces:
                await asyncio.to_thread(scan.add, piece)
        except MessageCorrupt as error:
            place = {"chunk": error.chunk, "bytes": list(error.byte_range or ())}
            return Remark(Rule.INTEGRITY, Severity.CRITICAL, 1.0, error.message, place)
        except StoreUnreachable:
            raise
        except ClaimError as error:
            # Removed, or expired and dropped, before it was its turn.
            return Remark(
                Rule.INTEGRITY, Severity.INFO, 1.0,
                f"It left before it could be read: {error.message}", {"gone": error.code},
            )  # fmt: skip
        if scan.size != one.envelope.payload_size_bytes:
            told = f"{one.envelope.payload_size_bytes:,} bytes were stored and {scan.size:,} read."
            return Remark(Rule.INTEGRITY, Severity.CRITICAL, 1.0, told, {"read": scan.size})
        return None

    def _neglected(self, rule: Rule, stage: Stage, one: Neglected) -> Observation:
        message, left = one.envelope, one.left
        if stage is Stage.UNREDEEMED:
            told = f"Nobody has redeemed it since {message.created_at.isoformat()}."
        else:
            told = f"It expires in {int(left.total_seconds())} s, and nobody has redeemed it."
        remark = Remark(rule, Severity.WARNING, 1.0, told, {"expires_at": str(message.expires_at)})
        return Observation(self._follower.name, message, stage, 0, False, [remark])

    def _drafts(self, found: Sequence[Observation]) -> list[tuple[Draft, bytes]]:
        return [
            self._bus.drafted(Outgoing(one.payload(), one.labels(), one.transaction_id))
            for one in found
        ]


async def sweeping(
    watcher: Watcher, neglect: Neglect, after: timedelta, ahead: timedelta,
    told: Callable[[Observation], object],
) -> None:  # fmt: skip
    """Sweep again and again, until cancelled."""
    while True:
        try:
            async for one in watcher.sweep(neglect, after, ahead):
                told(one)
        except BusctlError as error:
            log.warning("not swept", extra={"error": error.message})
        await asyncio.sleep(SWEEP_SECS)


def _found(envelope: Envelope, body: bytes) -> Found:
    labels = envelope.labels
    return Found(
        envelope.transaction_id, envelope.payload_size_bytes, envelope.stored_size_bytes, 0,
        envelope.compression, labels.content_type, labels.owner, envelope.checksum,
        envelope.stored_checksum, envelope.status is not Status.EXPIRED, envelope.expires_at,
        labels.message_type, 0.0, body,
    )  # fmt: skip
