"""The tools of several hosts as those of one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from busctl.core.errors import ToolNotFound
from busctl.ports import Answer, Call, ToolHost, ToolInfo


class ToolHosts:
    """The tools of each host in turn; of two with one name the first host's. A host whose tools are
    the same as before gives the same list, and so does this."""

    def __init__(self, hosts: Sequence[ToolHost]) -> None:
        self._hosts = hosts
        self._lists: list[Sequence[ToolInfo]] = []
        self._listed: list[ToolInfo] = []
        self._host_of: dict[str, ToolHost] = {}

    def list_tools(self) -> Sequence[ToolInfo]:
        lists = [host.list_tools() for host in self._hosts]
        before = self._lists
        same = len(lists) == len(before) and all(
            new is old for new, old in zip(lists, before, strict=True)
        )
        if not same:
            self._take(lists)
        return self._listed

    async def call(self, call: Call) -> Answer:
        listed = self.list_tools()
        host = self._host_of.get(call.name)
        if host is not None:
            return await host.call(call)
        near = difflib.get_close_matches(call.name, [each.name for each in listed], n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else None
        raise ToolNotFound(f"No tool is named {call.name[:128]!r}.", remedy=remedy)

    def _take(self, lists: list[Sequence[ToolInfo]]) -> None:
        self._lists = lists
        known: dict[str, ToolInfo] = {}
        self._host_of = {}
        for host, listed in zip(self._hosts, lists, strict=True):
            for each in listed:
                known.setdefault(each.name, each)
                self._host_of.setdefault(each.name, host)
        self._listed = list(known.values())
