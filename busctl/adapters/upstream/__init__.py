"""Servers of the Model Context Protocol, reached by the mcp SDK."""

from busctl.adapters.upstream.connector import McpConnector as McpConnector
