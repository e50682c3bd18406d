"""What the bus keeps, for how long, and how."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from busctl.core.configuration.kinds import CompressionSetting, Lower, Number, Section, setting

_setting = partial(setting, "Bus")


class BusSection(Section):
    """The fields under "Bus"."""

    enabled: bool = _setting(
        True,
        "MESSAGE_BUS_ENABLED",
        "Set to false to refuse every put and get by name.",
    )
    ttl_hours: Number = _setting(
        48.0,
        "MESSAGE_BUS_TTL_HOURS",
        "Hours a message is kept, counted from its creation, delivered or not.",
        gt=0,
        le=8784,
    )
    max_payload_mb: Number = _setting(
        100.0,
        "MESSAGE_BUS_MAX_PAYLOAD_MB",
        "Largest payload taken, in MB of 1,000,000 bytes before compression.",
        ge=0.000001,
        le=10000,
    )
    inline_max_bytes: int = _setting(
        65536,
        "MESSAGE_BUS_INLINE_MAX_BYTES",
        "Answers up to this many bytes cross the WebSocket whole, larger ones as a claim check.",
        ge=0,
        le=33554432,
    )
    mcp_inline_max_bytes: int = _setting(
        8192,
        "MESSAGE_BUS_MCP_INLINE_MAX_BYTES",
        "MCP clients get answers up to this many bytes whole, of larger ones a preview and a link.",
        ge=0,
        le=33554432,
    )
    mcp_store_small: bool = _setting(
        True,
        "MESSAGE_BUS_MCP_STORE_SMALL",
        "Set to false not to store answers that MCP clients get whole.",
    )
    compression: Annotated[CompressionSetting, Lower] = _setting(
        "auto",
        "MESSAGE_BUS_COMPRESSION",
        "How bodies are stored; auto is zstd where it makes the body smaller.",
    )
    checksum_enabled: bool = _setting(
        True,
        "MESSAGE_BUS_CHECKSUM_ENABLED",
        "Set to false to skip verification on read; digests are stored all the same.",
    )
    verify_integrity: bool = _setting(
        False,
        "MESSAGE_BUS_VERIFY_INTEGRITY",
        "Set to true to have the server recompute the digests of what it stored before the commit"
        " is acknowledged.",
    )
    log_all_operations: bool = _setting(
        False,
        "MESSAGE_BUS_LOG_ALL_OPERATIONS",
        "Set to true to log every put and get, not only those that fail.",
    )
    trace_hops: bool = _setting(
        True,
        "MESSAGE_BUS_TRACE_HOPS",
        "Set to false not to record a payload's size and SHA-256 at each hop (`busctl trace`).",
    )
    detect_truncation: bool = _setting(
        True,
        "MESSAGE_BUS_DETECT_TRUNCATION",
        "Set to false not to look at answers for signs that a tool has cut them.",
    )
    horizon_hours: Number = _setting(
        168.0,
        "MESSAGE_BUS_HORIZON_HOURS",
        "Hours into the past a transaction id may lie; raise it if spooled answers wait longer.",
        ge=1,
        le=8784,
    )
    keep_events_days: Number = _setting(
        30.0,
        "MESSAGE_BUS_KEEP_EVENTS_DAYS",
        "Days the audit trail outlives its messages.",
        gt=0,
        le=3660,
    )
    cleanup_interval_secs: Number = _setting(
        3600.0,
        "MESSAGE_BUS_CLEANUP_INTERVAL_SECS",
        "Seconds between two cleanups by the daemon.",
        ge=0.1,
        le=604800,
    )
