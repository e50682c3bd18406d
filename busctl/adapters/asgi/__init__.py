"""The daemon's one ASGI application: WebSocket, redemption over HTTP, health, metrics."""

from busctl.adapters.asgi.app import Health, make_app, make_dashboard

__all__ = ["Health", "make_app", "make_dashboard"]
