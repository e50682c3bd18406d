"""An embedded PostgreSQL: where no database is configured, busctl runs one of its own.

Synchronous; call it through a thread from asyncio. Its failures are EmbeddedStoreErrors.
"""

from busctl.adapters.embedded.home import default_home
from busctl.adapters.embedded.lifecycle import (
    Lease,
    Server,
    Status,
    acquire,
    start,
    status,
    stop,
)
from busctl.adapters.embedded.recovery import BackupReport, backup, restore

__all__ = [
    "BackupReport",
    "Lease",
    "Server",
    "Status",
    "acquire",
    "backup",
    "default_home",
    "restore",
    "start",
    "status",
    "stop",
]
