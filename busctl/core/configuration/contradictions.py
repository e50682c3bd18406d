"""Values of the configuration that are each allowed, but not together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings


class Contradiction(NamedTuple):
    """Fields whose values are each allowed, but not together. The first one is to blame."""

    fields: tuple[str, ...]
    message: str


def contradictions(settings: Settings) -> list[Contradiction]:
    """Values that exclude each other."""
    return [*_remote(settings), *_tls(settings), *_inflight(settings), *_quota(settings)]


def _remote(settings: Settings) -> list[Contradiction]:
    if settings.is_loopback:
        return []
    found = []
    if settings.token is None:
        message = "BUSCTL_HOST is not a loopback address and BUSCTL_TOKEN is not set: set it."
        found.append(Contradiction(("host", "token"), message))
    if settings.tls_cert is None and settings.tls_key is None and not settings.allow_remote:
        message = (
            "BUSCTL_HOST is not a loopback address and there is no TLS: set BUSCTL_TLS_CERT and"
            " BUSCTL_TLS_KEY, or BUSCTL_ALLOW_REMOTE=true if a proxy or tunnel encrypts."
        )
        blamed = ("host", "tls_cert", "tls_key", "allow_remote")
        found.append(Contradiction(blamed, message))
    return found


def _tls(settings: Settings) -> list[Contradiction]:
    if settings.tls_cert is not None and settings.tls_key is None:
        message = "BUSCTL_TLS_CERT is set and BUSCTL_TLS_KEY is not: set both or neither."
        return [Contradiction(("tls_cert", "tls_key"), message)]
    if settings.tls_key is not None and settings.tls_cert is None:
        message = "BUSCTL_TLS_KEY is set and BUSCTL_TLS_CERT is not: set both or neither."
        return [Contradiction(("tls_key", "tls_cert"), message)]
    return []


def _inflight(settings: Settings) -> list[Contradiction]:
    # A default above a lowered BUSCTL_MAX_INFLIGHT does no harm; a value someone chose is a slip.
    chosen = settings.model_fields_set & {"max_inflight_per_session", "max_inflight_per_provider"}
    return [
        Contradiction(
            (field, "max_inflight"),
            f"BUSCTL_{field.upper()} ({getattr(settings, field)}) is over BUSCTL_MAX_INFLIGHT"
            f" ({settings.max_inflight}): lower it, or raise that.",
        )
        for field in sorted(chosen)
        if getattr(settings, field) > settings.max_inflight
    ]


def _quota(settings: Settings) -> list[Contradiction]:
    if settings.quota_warn_share <= settings.quota_critical_share:
        return []
    message = (
        f"BUSCTL_QUOTA_WARN_SHARE ({settings.quota_warn_share:g}) is over"
        f" BUSCTL_QUOTA_CRITICAL_SHARE ({settings.quota_critical_share:g}): warn comes first."
    )
    return [Contradiction(("quota_warn_share", "quota_critical_share"), message)]
