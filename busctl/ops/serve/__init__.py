"""The daemon: sessions, calls, fetches and upkeep. The sockets are the adapters' business."""

from busctl.ops.serve.daemon import Daemon

__all__ = ["Daemon"]
