"""The dashboard: pages for browsers, rendered here and kept live by server-sent events."""

from busctl.adapters.asgi.pages.logins import Logins
from busctl.adapters.asgi.pages.site import Site

__all__ = ["Logins", "Site"]
