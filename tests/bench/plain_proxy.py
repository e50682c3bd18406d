"""fastmcp's own proxy in front of a server, nothing else: what the gateway is compared with."""

from __future__ import annotations

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

create_proxy(StdioTransport(sys.argv[1], sys.argv[2:]), name="plain").run(show_banner=False)
