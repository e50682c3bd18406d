"""The tools of several hosts as those of one."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from dataclasses import replace

from busctl.core.errors import ToolNotFound
from busctl.core.mcp.tool_names import free_name, prefixed
from busctl.ports import Answer, Call, ToolHost, ToolInfo

log = logging.getLogger("busctl.tools")


class ToolHosts:
    """The tools of each host in turn. A name that an earlier host has is offered with the name of
    its provider in front, and that is logged. A host whose tools are the same as before gives the
    same list, and so does this."""

    def __init__(self, hosts: Sequence[ToolHost]) -> None:
        self._hosts = hosts
        self._lists: list[Sequence[ToolInfo]] = []
        self._listed: list[ToolInfo] = []
        self._place_of: dict[str, tuple[ToolHost, str]] = {}

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
        place = self._place_of.get(call.name)
        if place is not None:
            host, name = place
            return await host.call(call if name == call.name else replace(call, name=name))
        near = difflib.get_close_matches(call.name, [each.name for each in listed], n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else None
        raise ToolNotFound(f"No tool is named {call.name[:128]!r}.", remedy=remedy)

    def _take(self, lists: list[Sequence[ToolInfo]]) -> None:
        self._lists = lists
        known: dict[str, ToolInfo] = {}
        self._place_of = {}
        for host, listed in zip(self._hosts, lists, strict=True):
            for each in listed:
                name = each.name
                if name in known:
                    name = free_name(prefixed(each.provider, name), known.keys())
                    log.warning(
                        "a tool's name is taken by another",
                        extra={"tool": each.name, "of": each.provider, "offered_as": name},
                    )
                known[name] = each if name == each.name else replace(each, name=name)
                self._place_of[name] = (host, each.name)
        self._listed = list(known.values())
