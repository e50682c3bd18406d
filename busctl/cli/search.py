"""`busctl search`: where a stored answer matches, as grep prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.reading.json_paths import ValuesFound
    from busctl.core.reading.search import Found
    from busctl.ops.reading.source import Place

ROOM_BYTES = 50_000_000
"""Of what is printed: lines are cut at 400 bytes and matches counted, so this is never met."""
VALUE_BYTES = 10_000
MEMORY_BYTES = 2_000_000_000


def search(
    transaction_id: options.Id,
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="What to look for.")],
    literal: Annotated[
        bool, typer.Option("--literal", "-F", help="PATTERN is the text itself.")
    ] = False,
    jsonpath: Annotated[
        bool, typer.Option("--jsonpath", "-j", help="PATTERN is a JSONPath of RFC 9535.")
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Capital letters are as small ones.")
    ] = False,
    context: Annotated[
        int, typer.Option("--context", "-C", min=0, max=100, help="Lines around each match.")
    ] = 0,
    byte_offset: Annotated[
        bool, typer.Option("--byte-offset", "-b", help="Print the byte of each match, too.")
    ] = False,
    max_matches: Annotated[
        int, typer.Option("--max-matches", "-m", min=1, help="Stop after so many.")
    ] = 1000,
    offset: Annotated[int, typer.Option(min=0, help="Begin at this byte.")] = 0,
    block: Annotated[
        int | None,
        typer.Option(min=0, help="Search one block of an MCP result; offsets are then its own."),
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Search a stored answer, verified, without loading it: regular expressions of RE2, a text, or
    a JSONPath.

    Prints LINE:text for each line with a match (LINE-text around it, -- between), of long lines
    the part around the match; for a JSONPath PATH = JSON. Matches lie within a line. As grep does,
    it exits with 0 when something matches and 1 when nothing does. A search ends after
    BUSCTL_SEARCH_TIMEOUT_SECS; what there is more is said on stderr, with the byte to go on from.
    --json prints {"matches", "lines": [{"line", "offset", "text", "cut", "matches"}], "more",
    "next_offset"}, or {"values": [{"path", "json", "size", "cut", "line"}], "more"}.

    \b
    Examples:
      busctl search 019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f 'timeout|refused' -C 2
      busctl search "$ID" 'user_[0-9]+' --json | jq '.lines[].line'
      busctl search "$ID" '$.items[?@.price > 100].name' --jsonpath
    """
    from busctl.cli.running import run, settings_for
    from busctl.core.errors import ConfigurationError
    from busctl.core.ids import parse_id
    from busctl.ops.reading.source import Place

    if literal and jsonpath:
        raise ConfigurationError("--literal and --jsonpath say different things: give one of them.")
    if jsonpath and (offset or context or ignore_case):
        raise ConfigurationError("--offset, --context and --ignore-case are not for a JSONPath.")
    settings = settings_for(env_file, sets)
    place = Place(parse_id(transaction_id), block=block)
    if jsonpath:
        values = run(_query(settings, place, pattern, max_matches))
        _show_values(place.transaction_id, values, as_json=as_json)
        raise typer.Exit(0 if values.values else 1)
    found = run(_search(
        settings, place, pattern, literal=literal, ignore_case=ignore_case, context=context,
        most=max_matches, offset=offset,
    ))  # fmt: skip
    _show(place.transaction_id, found, as_json=as_json, byte_offset=byte_offset)
    raise typer.Exit(0 if found.matches else 1)


async def _search(
    settings: Settings, place: Place, pattern: str, *, literal: bool, ignore_case: bool,
    context: int, most: int, offset: int,
) -> Found:  # fmt: skip
    from busctl.adapters.re2_patterns import finder_of
    from busctl.connect import Bus, waits_here
    from busctl.ops.reading import searching

    finder = finder_of(pattern, ignore_case=ignore_case, literal=literal)
    wanted = searching.Wanted(most, context, ROOM_BYTES, settings.search_timeout_secs, offset)
    async with Bus.connect(settings, lazily=waits_here(settings, place.transaction_id)) as bus:
        found, _ = await searching.search(bus, place, finder, wanted)
    return found


async def _query(settings: Settings, place: Place, path: str, most: int) -> ValuesFound:
    from busctl.adapters.jsonpath_process import JsonPathProcess
    from busctl.connect import Bus, waits_here
    from busctl.core.reading.json_paths import Bounds
    from busctl.ops.reading import searching

    bounds = Bounds(most, VALUE_BYTES, ROOM_BYTES, settings.search_timeout_secs, MEMORY_BYTES)
    async with Bus.connect(settings, lazily=waits_here(settings, place.transaction_id)) as bus:
        found, _ = await searching.query(bus, place, JsonPathProcess(), path, bounds)
    return found


def _show(wanted: UUID, found: Found, *, as_json: bool, byte_offset: bool) -> None:
    from busctl.cli.running import emit_json, say
    from busctl.cli.search_lines import printed
    from busctl.core.reading.told import search_json

    if as_json:
        emit_json(search_json(wanted, found))
        return
    for line in printed(found.lines, byte_offset=byte_offset):
        print(line)
    if found.more:
        say(f"There is more: go on with --offset {found.next_offset}.")


def _show_values(wanted: UUID, found: ValuesFound, *, as_json: bool) -> None:
    from busctl.cli.rendering import printable
    from busctl.cli.running import emit_json, say
    from busctl.core.reading.told import values_json

    if as_json:
        emit_json(values_json(wanted, found))
        return
    for value in found.values:
        where = "" if value.line is None else f"{value.line}:"
        cut = f"… ({value.size:,} bytes)" if value.cut else ""
        print(f"{where}{printable(value.path)} = {printable(value.json)}{cut}")
    if found.more:
        say("There is more: raise --max-matches, or ask a narrower path.")
