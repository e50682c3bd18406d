"""What a watcher says of a message: an observation, with what it found wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from busctl.core.envelope import Envelope, Labels, MessageType
from busctl.core.ids import RANDOM_BYTES, make_id, unix_ms_of


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Rule(StrEnum):
    """What is looked for; all of them unless some are chosen."""

    INTEGRITY = "integrity"
    TRUNCATION = "truncation"
    EMPTY = "empty"
    ERROR_SHAPED = "error_shaped"
    REPEATED = "repeated"
    SIZE_OUTLIER = "size_outlier"
    LATENCY_OUTLIER = "latency_outlier"
    UNREDEEMED = "unredeemed"
    EXPIRY_AHEAD = "expiry_ahead"
    LLM = "llm"


class Stage(StrEnum):
    """When it was observed. There is one observation of a message by a watcher at each."""

    ARRIVAL = "arrival"
    UNREDEEMED = "unredeemed"
    EXPIRY_AHEAD = "expiry_ahead"
    ANALYSIS = "analysis"


_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a watcher found. `confidence` is from 0 to 1; `detail` is small JSON and holds
    nothing of the payload."""

    rule: Rule
    severity: Severity
    confidence: float
    message: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """A message as it was seen. `bytes_read` are raw bytes of the payload that were really looked
    at; `verified` says that their SHA-256 is the one they were stored under."""

    watcher: str
    observed: Envelope
    stage: Stage
    bytes_read: int
    verified: bool
    remarks: Sequence[Remark]
    analysis: Mapping[str, Any] | None = None
    """What a model said of it, and the tokens that took."""

    @property
    def transaction_id(self) -> UUID:
        """Made of what it is: stored again it is the same message."""
        known = self.observed.transaction_id
        text = f"{self.watcher}\0{known}\0{self.stage}"
        return make_id(unix_ms_of(known), sha256(text.encode()).digest()[:RANDOM_BYTES])

    @property
    def worst(self) -> Remark | None:
        return max(self.remarks, key=lambda one: _ORDER.index(one.severity), default=None)

    def labels(self) -> Labels:
        """Those of its message; the metadata is what the views show."""
        worst, of = self.worst, self.observed.labels
        return Labels(
            message_type=MessageType.WATCHER_OBSERVATION, content_type="application/json",
            tool_name=of.tool_name, session_id=of.session_id,
            metadata={
                "observed": str(self.observed.transaction_id), "watcher": self.watcher,
                "stage": self.stage.value, "ok": worst is None, "bytes_read": self.bytes_read,
                "rule": worst and worst.rule.value, "severity": worst and worst.severity.value,
                "confidence": worst and worst.confidence,
                "findings": [asdict(one) for one in self.remarks], **self._analysed(),
            },
        )  # fmt: skip

    def payload(self) -> bytes:
        return json.dumps(self.as_json(), ensure_ascii=False).encode()

    def as_json(self) -> dict[str, Any]:
        known = self.observed
        return {
            "observation": str(self.transaction_id), "observed": str(known.transaction_id),
            "watcher": self.watcher, "stage": self.stage.value, "ok": not self.remarks,
            "tool_name": known.labels.tool_name, "session_id": known.labels.session_id,
            "message_type": known.labels.message_type.value,
            "payload_size_bytes": known.payload_size_bytes, "bytes_read": self.bytes_read,
            "checksum": known.checksum.hex(), "verified": self.verified,
            "findings": [asdict(one) for one in self.remarks], **self._analysed(),
        }  # fmt: skip

    def _analysed(self) -> dict[str, Any]:
        return {} if self.analysis is None else {"analysis": dict(self.analysis)}
