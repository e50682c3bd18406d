"""`busctl watch`: look at every message whole, and store what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from busctl.adapters.postgres.neglect import PostgresNeglect
    from busctl.connect import Bus
    from busctl.core.configuration.settings import Settings
    from busctl.core.watching.observation import Observation, Rule
    from busctl.ops.analysing import Analyst

LISTED = 50


def watch(
    name: Annotated[
        str, typer.Option("--name", help="Whose place is kept; several of one name share.")
    ] = "watcher",
    rules: Annotated[
        str | None, typer.Option(metavar="LIST", help="Only these, comma-separated (all).")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look at what is there, then leave.")
    ] = False,
    list_only: Annotated[
        bool,
        typer.Option(
            "--list", help="Show followers and what was found in the last day; watch nothing."
        ),
    ] = False,
    since: selecting.Since = None,
    llm: Annotated[
        bool, typer.Option("--llm", help="Have a language model look at each payload, too.")
    ] = False,
    unredeemed_after: Annotated[
        str, typer.Option(metavar="TIME", help="How long a message may wait for its reader.")
    ] = "1h",
    expiry_ahead: Annotated[
        str, typer.Option(metavar="TIME", help="How long before it expires that is told.")
    ] = "1h",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Look at every message once and whole, and store an observation of it.

    Rules: integrity (digests and sizes), truncation (JSON that ends early, markers that tools
    leave), empty, error_shaped, repeated, size_outlier and latency_outlier (against the tool's own
    answers), unredeemed, expiry_ahead (nobody has redeemed it, and a tenth of its time or less is
    left). Looking is no delivery.

    --llm has a model of GLM, Kimi or any OpenAI-compatible API (BUSCTL_LLM_API_KEY, _URL, _MODEL)
    look at the whole of each text, in parts where it is over BUSCTL_LLM_PART_BYTES: a second
    observation, stage analysis, with quality, correctness, anomalies, suggestions, confidence,
    tokens, and how many bytes were read. Payloads leave this machine for that. What a reply that is
    no such JSON, an error or a spent budget left out is said in its place.

    Observations are messages of type watcher_observation, never observed themselves; views:
    bus.watcher_observations, bus.watcher_findings. Each is stored together with the watcher's
    place: a kill or a restart of the database loses none and doubles none. A new name begins with
    the oldest message, or with --since.

    Prints what was found wrong, a line each; -q nothing. --json prints every observation, a
    document a line: observation, observed, watcher, stage, ok, tool_name, session_id, message_type,
    payload_size_bytes, bytes_read, checksum, verified, and findings: rule, severity, confidence,
    message, detail. With --once exit 1 when something was found.

    --list shows the dashboard's page Watch: each follower's place, warnings and worse, the newest
    observations. Its --json: followers (name, moved_at, waiting, lag in seconds, holder,
    listening), findings (observation, at, observed, watcher, tool_name, rule, severity, message),
    observations (transaction_id, at, observed, watcher, tool_name, ok, severity, findings).

    \b
    Examples:
      busctl watch
      busctl watch --once --json | jq 'select(.ok | not)'
      busctl watch --list
      busctl watch --name integrity --rules integrity,truncation --since 1h
    """
    from busctl.cli.lists import names_of
    from busctl.cli.running import run, settings_for, stand_back
    from busctl.core.durations import parse_duration
    from busctl.core.watching.observation import Rule

    chosen = list(Rule) if rules is None else names_of(rules, list(Rule), "--rules")
    begins = selecting.wanted(since=since).since
    after, ahead = parse_duration(unredeemed_after), parse_duration(expiry_ahead)
    selecting.follower_name(name)
    settings = settings_for(env_file, sets)
    if list_only:
        from busctl.cli import watch_list

        run(watch_list.show(settings, LISTED, as_json=as_json))
        return
    if not once:
        stand_back()
    show = _shower(as_json=as_json, quiet=quiet)
    found = run(_watched(settings, name, chosen, begins, after, ahead, show, once=once, llm=llm))
    if found:
        raise typer.Exit(1)


class _shower:  # noqa: N801  # a function with two words of state
    """Prints observations and counts what was found."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json, self.quiet = as_json, quiet
        self.found = 0

    def __call__(self, one: Observation) -> None:
        import sys

        from busctl.cli.rendering import printable
        from busctl.cli.running import emit_json

        self.found += len(one.remarks)
        if self.as_json:
            emit_json(one.as_json())
        elif not self.quiet:
            tool = one.observed.labels.tool_name or "-"
            for each in one.remarks:
                place = f"{one.observed.transaction_id} {tool}"
                print(printable(f"{each.severity} {each.rule} {place}: {each.message}"))
        sys.stdout.flush()


async def _watched(
    settings: Settings, name: str, rules: list[Rule], begins: datetime | None, after: timedelta,
    ahead: timedelta, show: _shower, *, once: bool, llm: bool,
) -> int:  # fmt: skip
    """How much was found, which only `once` ever tells."""
    import asyncio
    from typing import cast

    from busctl.adapters.postgres.neglect import PostgresNeglect
    from busctl.adapters.postgres.store import PostgresStore
    from busctl.cli.rendering import counted
    from busctl.cli.running import say
    from busctl.cli.tail import announce
    from busctl.connect import Bus
    from busctl.ops.watching import Watcher, sweeping

    async with (
        Bus.connect(settings, hop="watch") as bus,
        bus.follow(name, since=begins) as follower,
    ):
        neglect = PostgresNeglect(cast(PostgresStore, bus.store.inner), name)
        analyst = await _analyst(settings, bus, neglect) if llm else None
        watcher = Watcher(bus, follower, rules, analyst)
        await watcher.recall()
        if not once and not show.quiet:
            announce("watch", (await follower.wakened()).value)
        sweeps = (
            None if once else asyncio.create_task(sweeping(watcher, neglect, after, ahead, show))
        )
        try:
            async for one in watcher.watch(once=once):
                show(one)
        finally:
            if sweeps is not None:
                sweeps.cancel()
                await asyncio.wait([sweeps])
        async for one in watcher.sweep(neglect, after, ahead):
            show(one)
        if not show.quiet:
            seen = counted(watcher.observed, "message")
            read, found = f"{watcher.bytes_read:,} bytes read", counted(show.found, "finding")
            say(f"busctl watch: {seen} observed, {read}, {found}.")
        return show.found


async def _analyst(settings: Settings, bus: Bus, neglect: PostgresNeglect) -> Analyst:
    """Raises ConfigurationError without a key."""
    from busctl.adapters.openai_api import OpenAiApi
    from busctl.adapters.provider_profiles import account_at
    from busctl.core.errors import ConfigurationError
    from busctl.ops.analysing import Analyst
    from busctl.ops.chat.model import JsonModel

    if settings.llm_api_key is None:
        raise ConfigurationError(
            "--llm needs a key.",
            remedy="Set BUSCTL_LLM_API_KEY, and _URL and _MODEL that go with it.",
        )
    account = account_at(
        settings, settings.llm_url, settings.llm_api_key, settings.llm_model
    )  # fmt: skip
    seconds = settings.llm_timeout_secs
    model = JsonModel(
        account, OpenAiApi(account, stall_secs=seconds), bus.clock, settings.llm_model,
        seconds=seconds,
    )  # fmt: skip
    return Analyst(
        model, bus.clock, part_bytes=settings.llm_part_bytes, per_minute=settings.llm_per_minute,
        budget=settings.llm_tokens_per_day, all_spent=neglect.tokens_today,
    )  # fmt: skip
