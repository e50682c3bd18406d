"""MCP servers behind the daemon: kept running, asked, and offered together."""

from busctl.ops.upstreams.offering import Offered as Offered
