"""When the store is given up for a while, and how long it may take."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import Number, Section, setting

_setting = partial(setting, "Breaker and timeouts")


class BreakerSection(Section):
    """The fields under "Breaker and timeouts"."""

    circuit_breaker_threshold: int = _setting(
        5,
        "MESSAGE_BUS_CIRCUIT_BREAKER_THRESHOLD",
        "Failures in a row after which the store is not tried for a while.",
        ge=1,
        le=1000,
    )
    circuit_breaker_timeout_secs: Number = _setting(
        60.0,
        "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS",
        "Seconds the store is left alone after that.",
        gt=0,
        le=86400,
    )
    fallback_to_websocket: bool = _setting(
        True,
        "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET",
        "Set to false to fail a call whose answer cannot be stored, instead of spooling it.",
    )
    write_timeout_secs: Number = _setting(
        10.0,
        "MESSAGE_BUS_WRITE_TIMEOUT_SECS",
        "Seconds one statement or chunk may take to be stored; never a whole transfer.",
        gt=0,
        le=3600,
    )
    read_timeout_secs: Number = _setting(
        5.0,
        "MESSAGE_BUS_READ_TIMEOUT_SECS",
        "Seconds one statement or chunk may take to be read; never a whole transfer.",
        gt=0,
        le=3600,
    )
