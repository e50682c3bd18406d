"""How large the database may grow."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import Bytes, Number, Section, setting

_setting = partial(setting, "Quota")


class QuotaSection(Section):
    """The fields under "Quota"."""

    db_max_bytes: Bytes = _setting(
        None,
        "BUSCTL_DB_MAX_BYTES",
        "Most bytes the database may have, such as 500MB on a free Supabase project, which turns"
        " read-only above; without it nothing is refused for its size.",
        "a size in bytes, or such as 500MB or 8GB",
        gt=0,
    )
    quota_warn_share: Number = _setting(
        0.8,
        "BUSCTL_QUOTA_WARN_SHARE",
        "Share of a byte budget from which on it is a warning.",
        gt=0,
        le=1,
    )
    quota_critical_share: Number = _setting(
        0.95,
        "BUSCTL_QUOTA_CRITICAL_SHARE",
        "Share of BUSCTL_DB_MAX_BYTES from which on puts are refused by name, so that the daemon"
        " falls back to its spool.",
        gt=0,
        le=1,
    )
    quota_interval_secs: Number = _setting(
        30.0,
        "BUSCTL_QUOTA_INTERVAL_SECS",
        "Seconds between two measurements of the database's size.",
        gt=0,
        le=3600,
    )
