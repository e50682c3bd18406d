"""Where the daemon listens, what it offers, and to how many."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import (
    Host,
    Hosts,
    Number,
    OptionalPath,
    Origins,
    Section,
    Token,
    Tools,
    setting,
)

_setting = partial(setting, "Daemon")


class DaemonSection(Section):
    """The fields under "Daemon"."""

    host: Host = _setting(
        "127.0.0.1",
        "BUSCTL_HOST EXAI_WS_HOST",
        "Address the daemon listens on, and the command line calls.",
        "an IP address or a host name, without scheme and port",
    )
    port: int = _setting(
        8765,
        "BUSCTL_PORT EXAI_WS_PORT",
        "Port the daemon listens on; 0 takes any free one.",
        ge=0,
        le=65535,
    )
    token: Token = _setting(
        None,
        "BUSCTL_TOKEN EXAI_WS_TOKEN",
        "Secret that clients show; without it the daemon makes one and keeps it in its state"
        " folder.",
        "printable ASCII without spaces",
    )
    token_cache_secs: Number = _setting(
        30.0,
        "BUSCTL_TOKEN_CACHE_SECS",
        "Seconds a token of `busctl token create` is taken without asking the store again; a"
        " revocation takes effect within them.",
        ge=0,
        le=3600,
    )
    token_grace_secs: Number = _setting(
        900.0,
        "BUSCTL_TOKEN_GRACE_SECS",
        "Seconds such a token is still taken while the store cannot be asked.",
        ge=0,
        le=86400,
    )
    login_hours: Number = _setting(
        12.0,
        "BUSCTL_LOGIN_HOURS",
        "Hours until a login to the dashboard ends by itself.",
        gt=0,
        le=720,
    )
    allow_remote: bool = _setting(
        False,
        "BUSCTL_ALLOW_REMOTE",
        "Set to true to listen on a non-loopback address without TLS.",
    )
    tls_cert: OptionalPath = _setting(
        None,
        "BUSCTL_TLS_CERT",
        "PEM file with the daemon's certificate chain; set it to serve TLS.",
    )
    tls_key: OptionalPath = _setting(
        None,
        "BUSCTL_TLS_KEY",
        "PEM file with the private key of that certificate.",
    )
    allowed_origins: Origins = _setting(
        (),
        "BUSCTL_ALLOWED_ORIGINS",
        "Origins of web pages that may connect, besides the daemon's own address.",
        "a comma-separated list of scheme://host[:port]",
    )
    allowed_hosts: Hosts = _setting(
        (),
        "BUSCTL_ALLOWED_HOSTS",
        "Host headers taken, besides the daemon's own address; set it behind a proxy.",
        "a comma-separated list of host[:port]",
    )
    max_message_bytes: int = _setting(
        33554432,
        "BUSCTL_MAX_MESSAGE_BYTES",
        "Largest WebSocket frame taken, in bytes.",
        ge=1024,
        le=1073741824,
    )
    max_inflight: int = _setting(
        64,
        "BUSCTL_MAX_INFLIGHT",
        "Most calls running at once.",
        ge=1,
        le=10000,
    )
    max_inflight_per_session: int = _setting(
        8,
        "BUSCTL_MAX_INFLIGHT_PER_SESSION",
        "Most calls running at once for one session.",
        ge=1,
        le=10000,
    )
    max_inflight_per_provider: int = _setting(
        32,
        "BUSCTL_MAX_INFLIGHT_PER_PROVIDER",
        "Most calls running at once for one provider of tools.",
        ge=1,
        le=10000,
    )
    max_sessions: int = _setting(
        256,
        "BUSCTL_MAX_SESSIONS",
        "Most WebSocket sessions at once.",
        ge=1,
        le=100000,
    )
    max_redemptions: int = _setting(
        32,
        "BUSCTL_MAX_REDEMPTIONS",
        "Most redemptions over HTTP at once.",
        ge=1,
        le=10000,
    )
    max_calls_per_sec: Number = _setting(
        5000.0,
        "BUSCTL_MAX_CALLS_PER_SEC",
        "Most calls a second of one session; those above are refused with a time to come again.",
        gt=0,
        le=1000000,
    )
    max_frames_per_sec: Number = _setting(
        10000.0,
        "BUSCTL_MAX_FRAMES_PER_SEC",
        "Most frames a second read from one session; those above wait.",
        gt=0,
        le=1000000,
    )
    call_timeout_secs: Number = _setting(
        300.0,
        "BUSCTL_CALL_TIMEOUT_SECS",
        "Seconds a tool may run.",
        gt=0,
        le=86400,
    )
    progress_interval_secs: Number = _setting(
        8.0,
        "BUSCTL_PROGRESS_INTERVAL_SECS",
        "Seconds between two progress messages of a running call.",
        gt=0,
        le=8,
    )
    hello_timeout_secs: Number = _setting(
        15.0,
        "BUSCTL_HELLO_TIMEOUT_SECS",
        "Seconds a client has to say hello, or to send the head of an HTTP request.",
        gt=0,
        le=300,
    )
    stall_timeout_secs: Number = _setting(
        120.0,
        "BUSCTL_STALL_TIMEOUT_SECS",
        "Seconds a client may take nothing of what is sent to it before its connection ends.",
        ge=1,
        le=3600,
    )
    drain_timeout_secs: Number = _setting(
        30.0,
        "BUSCTL_DRAIN_TIMEOUT_SECS",
        "Seconds running calls have to finish when the daemon is told to stop.",
        ge=0,
        le=3600,
    )
    read_max_bytes: int = _setting(
        8000,
        "BUSCTL_READ_MAX_BYTES",
        "Bytes of a stored answer that bus_read and bus_search tell at once; clients cut longer "
        "results.",
        ge=500,
        le=1000000,
    )
    read_cache_mb: Number = _setting(
        64.0,
        "BUSCTL_READ_CACHE_MB",
        "MB of answers that the daemon keeps unpacked for searches, a minute after their last use.",
        ge=0,
        le=10000,
    )
    search_timeout_secs: Number = _setting(
        10.0,
        "BUSCTL_SEARCH_TIMEOUT_SECS",
        "Seconds one search of a stored answer may take; then it tells what it has found.",
        gt=0,
        le=600,
    )
    tools: Tools = _setting(
        (),
        "BUSCTL_TOOLS",
        "Python callables the daemon offers as tools, besides those installed as busctl.tools.",
        "a comma-separated list of module:attribute",
    )
    mcp_config: OptionalPath = _setting(
        None,
        "BUSCTL_MCP_CONFIG",
        "A file that names MCP servers under mcpServers, as desktop clients have it; their tools "
        "are offered too.",
    )
    mcp_start_timeout_secs: Number = _setting(
        60.0,
        "BUSCTL_MCP_START_TIMEOUT_SECS",
        "Seconds an MCP server may take to start and to list what it offers.",
        ge=0.1,
        le=3600,
    )
