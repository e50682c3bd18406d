"""Reading the time, and making ids."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """Time and randomness, so that nothing else asks the machine for them."""

    def unix_ms(self) -> int: ...
    def monotonic(self) -> float: ...
    def now(self) -> datetime: ...
    def new_id(self) -> UUID: ...
