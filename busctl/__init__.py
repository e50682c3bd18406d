"""busctl: tool answers that never get cut.

async with Bus.connect(settings) as bus:
    claim = await bus.put(payload)
    payload = await bus.get(claim.transaction_id)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from busctl.adapters.websocket import BusClient
    from busctl.connect import Bus
    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import ClaimCheck, Envelope, Labels, MessageType, Status
    from busctl.core.errors import BusctlError
    from busctl.ops.bus import Outgoing
    from busctl.ports import Filter

__version__ = "0.1.0"

__all__ = [
    "Bus",
    "BusClient",
    "BusctlError",
    "ClaimCheck",
    "Envelope",
    "Filter",
    "Labels",
    "MessageType",
    "Outgoing",
    "Settings",
    "Status",
]

_HOMES = {
    "Bus": "busctl.connect",
    "BusClient": "busctl.adapters.websocket",
    "BusctlError": "busctl.core.errors",
    "ClaimCheck": "busctl.core.envelope",
    "Envelope": "busctl.core.envelope",
    "Filter": "busctl.ports",
    "Labels": "busctl.core.envelope",
    "MessageType": "busctl.core.envelope",
    "Outgoing": "busctl.ops.bus",
    "Settings": "busctl.core.configuration.settings",
    "Status": "busctl.core.envelope",
}


def __getattr__(name: str) -> object:
    # Imported when first used, so that `busctl --help` does not load the database driver.
    if name not in _HOMES:
        raise AttributeError(f"module 'busctl' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
