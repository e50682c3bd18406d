"""`busctl token`: who may talk to the daemon besides whoever has its own token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.token import Token
    from busctl.ports import Tokens

Result = TypeVar("Result")

app = typer.Typer(
    help="Make, list and revoke tokens for clients of the daemon.", no_args_is_help=True
)


@app.command()
def create(
    principal: Annotated[
        str,
        typer.Option(
            "--principal",
            metavar="NAME",
            help="Who it is for: owns the messages of its calls (a-z, 0-9 and . _ @ -).",
        ),
    ],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPES",
            help="What it is good for, comma-separated or repeated: call, read, admin.",
        ),
    ],
    ttl: Annotated[
        str | None,
        typer.Option(help="Time until it expires: 12h, 90d. Without it, it does not."),
    ] = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Make a token and print it on stdout, this once: only its SHA-256 is kept.

    call lets it call tools, read lets it redeem the messages of its principal, admin both, the
    messages of everybody, and changing the daemon's own token. All daemons on the database take
    it at once. --json prints {token, id, principal, scopes, created_at, expires_at, …}.

    \b
    Examples:
      busctl token create --principal ci --scope call,read --ttl 90d
      BUSCTL_TOKEN=$(busctl token create --principal alice --scope read) busctl call --list
    """
    from busctl.cli.rendering import show_time
    from busctl.cli.running import emit_json, say
    from busctl.core.durations import parse_duration
    from busctl.core.principal import checked_name, parse_scopes, scopes_text
    from busctl.ops import tokens as operations

    checked_name(principal)  # before a store is started for it
    wanted = ",".join(scope)
    parse_scopes(wanted)
    lasting = None if ttl is None else parse_duration(ttl, "--ttl")
    made = _with_tokens(
        env_file, sets, lambda tokens: operations.create(tokens, principal, wanted, lasting)
    )
    if as_json:
        emit_json({"token": made.secret, **token_shape(made.token)})
        return
    print(made.secret)
    until = made.token.expires_at
    lasts = "without end" if until is None else f"until {show_time(until)}"
    scopes = scopes_text(made.token.principal.scopes)
    say(f"Token {made.token.token_id} for {principal} ({scopes}), {lasts}. It is not shown again.")


@app.command("list")
def list_tokens(
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List all tokens, also those that are revoked or have expired; never the tokens themselves.

    Columns are separated by tabs: id, principal, scopes, state, created, expires, last used. The
    daemon's own token is not among them. --json prints {"tokens": []} with id, principal, scopes,
    state (active, expired, revoked), created_at, expires_at, last_used_at and revoked_at.

    \b
    Examples:
      busctl token list
      busctl token list --json | jq -r '.tokens[] | select(.state == "active") | .id'
    """
    from busctl.cli.rendering import show_time
    from busctl.cli.running import emit_json, say
    from busctl.core.principal import scopes_text
    from busctl.ops import tokens as operations

    found = _with_tokens(env_file, sets, operations.list_tokens)
    if as_json:
        emit_json({"tokens": [token_shape(one) for one in found]})
        return
    for one in found:
        times = (one.created_at, one.expires_at, one.last_used_at)
        print(
            one.token_id, one.principal.name, scopes_text(one.principal.scopes), one.state,
            *(show_time(moment) if moment else "-" for moment in times), sep="\t",
        )  # fmt: skip
    if not found:
        say("There is no token but the daemon's own.")


@app.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id, as `busctl token list` prints it.")
    ],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Revoke a token: daemons refuse it, and end its sessions, within BUSCTL_TOKEN_CACHE_SECS.

    A call of it that runs already goes on; its answer is stored. Revoking again changes nothing.
    --json prints the token as `list` does.

    \b
    Examples:
      busctl token revoke 3f9c01d2ab47
    """
    from busctl.cli.running import emit_json
    from busctl.ops import tokens as operations

    revoked = _with_tokens(env_file, sets, lambda tokens: operations.revoke(tokens, token_id))
    if as_json:
        emit_json(token_shape(revoked))
    else:
        print(f"Token {revoked.token_id} of {revoked.principal.name} is revoked.")


def token_shape(token: Token) -> dict[str, Any]:
    """The JSON shape of a token, which does not hold the token."""
    from busctl.core.principal import scopes_text

    moments = {
        "created_at": token.created_at, "expires_at": token.expires_at,
        "last_used_at": token.last_used_at, "revoked_at": token.revoked_at,
    }  # fmt: skip
    return {
        "id": token.token_id,
        "principal": token.principal.name,
        "scopes": scopes_text(token.principal.scopes).split(","),
        "state": token.state,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
    }


def _with_tokens(
    env_file: Path | None, sets: list[str] | None, work: Callable[[Tokens], Awaitable[Result]]
) -> Result:
    from busctl.cli.running import run, settings_for

    return run(_work(settings_for(env_file, sets), work))


async def _work(settings: Settings, work: Callable[[Tokens], Awaitable[Result]]) -> Result:
    from busctl.adapters.postgres.tokens import PostgresTokens
    from busctl.connect import open_store

    async with open_store(settings) as store:
        return await work(PostgresTokens(store))
