"""`busctl providers`: who serves language models here, what is known of them, and whether they take
their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from busctl.cli import options

if TYPE_CHECKING:
    from busctl.core.configuration.settings import Settings
    from busctl.core.providers.account import Account
    from busctl.ops.chat.checking import Looked

CHECK_SECS = 20.0

app = typer.Typer(help="List the providers of language models, and check their keys.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Only these providers.")]


@app.callback(invoke_without_command=True)
def providers(
    context: typer.Context,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List the providers of language models, and check their keys.

    Without a command: name, tool, key, address, models; columns are separated by tabs.

    A provider's chat tool is offered by the daemon while its key is set. Keys are never shown, only
    which variable holds one. Profiles of your own: BUSCTL_PROVIDERS, docs/providers.md. --json
    prints {"providers": []} with everything that `show` prints.

    \b
    Examples:
      busctl providers
      busctl providers --json | jq -r '.providers[] | select(.key.set) | .tool'
    """
    from busctl.cli.running import emit_json, settings_for
    from busctl.core.errors import ConfigurationError
    from busctl.core.providers.shape import provider_shape

    if context.invoked_subcommand is not None:
        if as_json or env_file or sets:
            raise ConfigurationError("Options stand behind the command, not before it.")
        return
    accounts = _chosen(settings_for(env_file, sets), None)
    if as_json:
        emit_json({"providers": [provider_shape(one) for one in accounts]})
        return
    for one in accounts:
        key = f"key in {one.key_variable}" if one.usable else f"no key ({one.variables})"
        models = ", ".join(model.name for model in one.profile.models) or one.profile.default_model
        print(
            one.profile.name, one.tool if one.usable else "-", key, one.base, models, sep="\t"
        )  # fmt: skip


@app.command()
def show(
    names: Names = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show what is known of providers: models, context budgets, files, limits, and each source.

    A source is where a fact was read and when: limits change, and a profile of your own with the
    same name takes the place of the one that comes with busctl. --json prints {"providers": []}.

    \b
    Examples:
      busctl providers show kimi
      busctl providers show --json | jq '.providers[].models[] | {name, context_tokens}'
    """
    from busctl.cli.running import emit_json, settings_for
    from busctl.core.providers.shape import provider_lines, provider_shape

    accounts = _chosen(settings_for(env_file, sets), names)
    if as_json:
        emit_json({"providers": [provider_shape(one) for one in accounts]})
        return
    for one in accounts:
        for line in provider_lines(one):
            print(line)


@app.command()
def check(
    names: Names = None,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Ask each provider whose key is set for something cheap that needs the key.

    Kimi is asked for its models and bigmodel.cn for its files, which cost nothing; any other for an
    answer of one token. --json prints {"checked": []} with provider, ok (true, false, null when it
    could not be told), seconds, asked, message and remedy.

    Exit codes: 1 a provider refuses, 2 no key is set, 3 one was not reached.

    \b
    Examples:
      busctl providers check
      busctl providers check kimi --json
    """
    from busctl.adapters.clock import SystemClock
    from busctl.adapters.openai_api import OpenAiApi
    from busctl.cli.running import emit_json, run, settings_for
    from busctl.core.errors import ConfigurationError
    from busctl.ops.chat.checking import check as looked_at

    accounts = _chosen(settings_for(env_file, sets), names)
    usable = [one for one in accounts if one.usable]
    if not usable or (names and len(usable) < len(accounts)):
        missing = [one.variables for one in accounts if not one.usable]
        raise ConfigurationError("No key is set.", remedy=f"Set {', '.join(missing)}.")
    found = run(looked_at(usable, lambda one: OpenAiApi(one, stall_secs=CHECK_SECS), SystemClock()))
    if as_json:
        emit_json({"checked": [_shape(one) for one in found]})
    else:
        for one in found:
            print(_line(one))
    if any(one.ok is False for one in found):
        raise typer.Exit(1)
    if any(one.ok is None for one in found):
        raise typer.Exit(3)


def _chosen(settings: Settings, names: list[str] | None) -> list[Account]:
    from busctl.adapters.provider_profiles import load_accounts
    from busctl.core.errors import ConfigurationError

    known = {one.profile.name: one for one in load_accounts(settings)}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigurationError(
            f"No provider is named {unknown[0]!r}.", remedy=f"Known are {', '.join(known)}."
        )
    return [known[name] for name in names] if names else list(known.values())


def _shape(one: Looked) -> dict[str, object]:
    return {
        "provider": one.account.profile.name, "ok": one.ok, "seconds": round(one.seconds, 3),
        "asked": one.asked or None, "message": one.said or None, "remedy": one.remedy or None,
    }  # fmt: skip


def _line(one: Looked) -> str:
    from busctl.cli.rendering import printable

    if one.ok:
        return f"{one.account.profile.name}: takes the key ({one.asked}, {one.seconds:.2f} s)"
    word = "could not be told" if one.ok is None else "fails"
    return printable(f"{one.account.profile.name}: {word}: {one.said} {one.remedy}")
