"""The tools of several hosts as those of one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from busctl.core.errors import ToolNotFound
from busctl.ports import Answer, Call, ToolHost, ToolInfo


class ToolHosts:
    """The tools of each host in turn; of two with one name the first host's."""

    def __init__(self, hosts: Sequence[ToolHost]) -> None:
        self._hosts = hosts

    def list_tools(self) -> Sequence[ToolInfo]:
        known: dict[str, ToolInfo] = {}
        for host in self._hosts:
            for each in host.list_tools():
                known.setdefault(each.name, each)
        return list(known.values())

    async def call(self, call: Call) -> Answer:
        for host in self._hosts:
            if any(each.name == call.name for each in host.list_tools()):
                return await host.call(call)
        near = difflib.get_close_matches(call.name, [each.name for each in self.list_tools()], n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else None
        raise ToolNotFound(f"No tool is named {call.name[:128]!r}.", remedy=remedy)
