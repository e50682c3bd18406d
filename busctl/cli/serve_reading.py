"""The daemon's own tools for reading on, beside those it is told to offer."""

from __future__ import annotations

from collections.abc import Sequence

from busctl.adapters.jsonpath_process import JsonPathProcess
from busctl.adapters.re2_patterns import Re2Patterns
from busctl.connect import Bus
from busctl.ops.reading.tools import ReadingTools
from busctl.ports import ToolHost


def reading(bus: Bus) -> Sequence[ToolHost]:
    """The host of bus_read, bus_search and bus_info, where there is a bus to read."""
    if not bus.settings.enabled:
        return ()
    return (ReadingTools(bus, Re2Patterns(), JsonPathProcess()),)
