"""`busctl tail`: the newest messages, and those that come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options, selecting

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from busctl.core.configuration.settings import Settings
    from busctl.core.envelope import Envelope
    from busctl.core.watching.following import Batch, Carried
    from busctl.ports import Filter

Name = Annotated[
    str | None,
    typer.Option("--name", help="Go on where the follower of this name was, and keep its place."),
]


def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for what comes.")] = False,
    name: Name = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, max=10_000, help="How many of the newest.")
    ] = 10,
    message_type: selecting.Type = None,
    tool: selecting.Tool = None,
    session: selecting.Session = None,
    owner: selecting.Owner = None,
    since: selecting.Since = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show the newest messages, oldest of them first; with -f, then each one as it is committed.

    With --name every committed message is shown exactly once, whatever the order of commits and
    however often this is started again: the place is kept in the store, and several under one name
    share the messages. A new name begins with the oldest message, or with --since. The place is
    moved after printing: what a kill cut off is printed again.

    -f is woken by NOTIFY on a direct connection or a session pooler; through a transaction pooler,
    where NOTIFY does not arrive, it asks up to four times a second. It says which. Where there is
    not processor enough for all, it lets others go first (nice 10).

    One line a message, tab-separated, as `busctl ls` prints it; --json prints one document a line,
    with the fields of `busctl ls --json`.

    \b
    Examples:
      busctl tail
      busctl tail -f --tool search
      busctl tail -f --name audit --json | jq -r .transaction_id
    """
    from busctl.cli.running import run, settings_for, stand_back

    if follow:
        stand_back()
    wanted = selecting.wanted(
        message_type=message_type, tool=tool, session=session, owner=owner, since=since,
        limit=limit,
    )  # fmt: skip
    settings = settings_for(env_file, sets)
    if name is None:
        run(_newest(settings, wanted, as_json=as_json, follow=follow))
    else:
        run(
            _followed(
                settings, wanted, selecting.follower_name(name), as_json=as_json, once=not follow
            )
        )


async def _newest(settings: Settings, wanted: Filter, *, as_json: bool, follow: bool) -> None:
    """What is there, then what comes for as long as this runs: its place is its own."""
    from dataclasses import replace
    from uuid import uuid4

    from busctl.connect import Bus

    async with Bus.connect(settings) as bus:
        if not follow:
            _show(list(reversed(await bus.list(wanted) if wanted.limit else [])), as_json)
            return
        coming = replace(wanted, since=None)
        name = f"tail/{uuid4()}"
        async with bus.follow(
            name, coming, from_now=True, carried=_carried(as_json=as_json)
        ) as follower:
            try:
                # The place is taken before looking back: what comes between is not left out.
                await follower.next()
                before = await bus.list(wanted) if wanted.limit else []
                _show(list(reversed(before)), as_json)
                announce("tail", (await follower.wakened()).value)
                shown = {str(one.transaction_id) for one in before}
                async for batch in follower.batches():
                    _show_batch(batch, shown)
                    if await follower.commit(batch) and batch.place.complete:
                        shown.clear()  # later rounds begin behind what was shown before
            finally:
                await follower.forget()


async def _followed(
    settings: Settings, wanted: Filter, name: str, *, as_json: bool, once: bool
) -> None:
    from busctl.connect import Bus

    begins: datetime | None = wanted.since
    async with (
        Bus.connect(settings) as bus,
        bus.follow(name, wanted, since=begins, carried=_carried(as_json=as_json)) as follower,
    ):
        if not once:
            announce("tail", (await follower.wakened()).value)
        async for batch in follower.batches(once=once):
            _show_batch(batch)
            await follower.commit(batch)


def announce(command: str, mode: str) -> None:
    """Say how it is woken, as was proved."""
    from busctl.cli.running import say
    from busctl.core.operating.diagnosis import Mode

    by = "asking up to 4 times a second" if mode == Mode.TRANSACTION else "woken by NOTIFY"
    say(f"busctl {command}: following, {by} ({mode}).")


def _carried(*, as_json: bool) -> Carried:
    from busctl.core.watching.following import Carried

    return Carried.LINES if as_json else Carried.ENVELOPES


def _show_batch(batch: Batch, shown: Collection[str] = ()) -> None:
    """All of it but those `shown` already."""
    import json
    import sys

    if not batch.lines:
        found = (one.envelope for one in batch.messages)
        _show([one for one in found if str(one.transaction_id) not in shown], as_json=False)
        return
    lines = batch.lines
    if shown:
        each = lines.split("\n")
        lines = "\n".join(one for one in each if json.loads(one)["transaction_id"] not in shown)
    if lines:
        sys.stdout.write(f"{lines}\n")
        sys.stdout.flush()


def _show(envelopes: list[Envelope], as_json: bool) -> None:
    import sys

    from busctl.cli.ls import fields
    from busctl.cli.running import emit_json, envelope_shape

    for one in envelopes:
        if as_json:
            emit_json(envelope_shape(one))
        else:
            print("\t".join(fields(one)))
    sys.stdout.flush()
