"""Alerts through Apprise (https://github.com/caronc/apprise): mail, chat, pagers by URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from busctl.core.errors import AlertUndelivered, ConfigurationError
from busctl.core.operating.alert import Change, Notice
from busctl.core.operating.alert_json import body, title
from busctl.core.operating.health import Grade

if TYPE_CHECKING:
    from types import ModuleType


class AppriseSink:
    """Implements `busctl.ports.AlertSink`: one notice to every URL."""

    name = "apprise"

    def __init__(self, urls: Sequence[str]) -> None:
        """Raises ConfigurationError without the library, or for an URL that it does not know."""
        library = _library()
        self._types = library.NotifyType
        self._to: Any = library.Apprise()
        for number, url in enumerate(urls, 1):
            if not self._to.add(url):
                # The URL holds secrets: its place tells which one it is.
                raise ConfigurationError(
                    f"BUSCTL_ALERT_APPRISE_URLS: Apprise does not know URL number {number}.",
                    remedy="See https://github.com/caronc/apprise/wiki for how they are written.",
                )

    async def tell(self, notice: Notice) -> None:
        kind = {Grade.CRITICAL: "FAILURE", Grade.WARNING: "WARNING"}.get(notice.grade, "WARNING")
        if notice.change is Change.CLEARED:
            kind = "SUCCESS"
        taken = await self._to.async_notify(
            title=title(notice), body=body(notice), notify_type=getattr(self._types, kind)
        )
        if not taken:
            raise AlertUndelivered(f"One of {len(self._to)} Apprise URLs did not take it.")


def _library() -> ModuleType:
    try:
        import apprise
    except ImportError as error:
        raise ConfigurationError(
            "BUSCTL_ALERT_APPRISE_URLS is set and Apprise is not installed.",
            remedy="Install busctl[alerts], or use BUSCTL_ALERT_WEBHOOK_URL.",
        ) from error
    library: ModuleType = apprise
    return library
