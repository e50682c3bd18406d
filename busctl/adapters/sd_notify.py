"""Telling systemd how the service is (sd_notify(3)); does nothing where systemd does not ask."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger("busctl.systemd")


def notify(state: str) -> bool:
    """Send `READY=1`, `STOPPING=1` or the like; whether it was asked for and could be sent."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall(state.encode("ascii"))
    except OSError as error:
        # Serving and draining matter more than being watched while doing so.
        log.warning("systemd not told", extra={"state": state, "error": str(error)})
        return False
    return True
