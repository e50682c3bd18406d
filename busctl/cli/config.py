"""`busctl config`: which values are in force, where they come from, what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from busctl.adapters.environment import Loaded, Origin
    from busctl.core.errors import ConfigurationInvalid

JSON_VERSION = 1

app = typer.Typer(
    help="Show and check the configuration: flag > environment > --env-file or .env > default.",
    no_args_is_help=True,
)

EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Read FILE in place of ./.env."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (its shape is version 1).")]


@app.command()
def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Show every setting in force; passwords and tokens are masked.

    Warnings go to stderr. Exit 2 if the configuration is wrong.

    \b
    Examples:
      busctl config show
      busctl config show --origin
      busctl config show --json --env-file .env.testing
    """
    from busctl.adapters.environment import load
    from busctl.core.errors import ConfigurationInvalid

    try:
        loaded = load(env_file=env_file)
    except ConfigurationInvalid as error:
        _tell(error)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        _print_json({"settings": _settings_json(loaded), "warnings": loaded.warnings})
        return
    _warn(loaded.warnings)
    for line in _table(loaded, origin):
        typer.echo(line)


@app.command()
def check(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Check the configuration and tell every fault at once, those of the MCP servers' file
    (BUSCTL_MCP_CONFIG), too. No server is started.

    Faults and warnings go to stderr, with --json to stdout. Exit 0 if nothing is wrong (there may
    be warnings), 2 if something is.

    \b
    Examples:
      busctl config check
      busctl config check --env-file /etc/busctl/env && systemctl restart busctl
      busctl config check --json
    """
    from busctl.adapters.environment import load
    from busctl.core.errors import ConfigurationInvalid

    try:
        loaded = load(env_file=env_file)
        servers = _check_servers(loaded)
    except ConfigurationInvalid as error:
        if as_json:
            _print_json({"ok": False, "faults": error.faults, "warnings": error.warnings})
        else:
            _tell(error)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        _print_json({"ok": True, "faults": [], "warnings": loaded.warnings, "servers": servers})
        return
    _warn(loaded.warnings)
    named = f", and {len(servers)} MCP servers" if servers else ""
    typer.echo(f"The configuration is fine: {len(loaded.origins)} settings checked{named}.")


def _check_servers(loaded: Loaded) -> list[dict[str, str]]:
    """The MCP servers that the configuration names, its warnings added. Raises
    ConfigurationInvalid."""
    from busctl.adapters.upstream_file import read_upstreams
    from busctl.core.errors import ConfigurationInvalid

    path = loaded.settings.mcp_config
    if path is None:
        return []
    config = read_upstreams(path)
    loaded.warnings.extend(config.warnings)
    if config.faults:
        raise ConfigurationInvalid(config.faults, loaded.warnings)
    return [{"name": each.name, "via": each.via.shown} for each in config.upstreams]


def _tell(error: ConfigurationInvalid) -> None:
    _warn(error.warnings)
    typer.echo(str(error), err=True)


def _warn(warnings: list[str]) -> None:
    for warning in warnings:
        typer.echo(f"Warning: {warning}", err=True)


def _print_json(value: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps({"version": JSON_VERSION, **value}, indent=2))


def _table(loaded: Loaded, with_origin: bool) -> list[str]:
    from busctl.core.configuration.settings import canonical_name, shown

    rows = [
        (canonical_name(field), shown(loaded.settings, field) or "-", _origin_text(field, origin))
        for field, origin in loaded.origins.items()
    ]
    lines = [("NAME", "VALUE", "ORIGIN"), *rows]
    name, value = (max(len(line[column]) for line in lines) for column in (0, 1))
    if not with_origin:
        return [f"{line[0]:{name}}  {line[1]}" for line in lines]
    return [f"{line[0]:{name}}  {line[1]:{value}}  {line[2]}" for line in lines]


def _origin_text(field: str, origin: Origin) -> str:
    from busctl.core.configuration.settings import canonical_name

    # An older name is told, because it is what one would have to change.
    return str(origin) if origin.name == canonical_name(field) else f"{origin} ({origin.name})"


def _settings_json(loaded: Loaded) -> list[dict[str, Any]]:
    return [_setting_json(loaded, field, origin) for field, origin in loaded.origins.items()]


def _setting_json(loaded: Loaded, field: str, origin: Origin) -> dict[str, Any]:
    """Numbers, booleans and lists as such; what is not set as null; secrets masked."""
    from busctl.core.configuration.settings import canonical_name, is_path, is_secret, shown

    value = getattr(loaded.settings, field)
    if value is not None and (is_secret(field) or is_path(field)):
        value = shown(loaded.settings, field)
    return {
        "name": canonical_name(field),
        "field": field,
        "value": value,
        "origin": {
            "kind": origin.kind.value,
            "name": origin.name,
            "path": None if origin.path is None else str(origin.path),
            "line": origin.line,
        },
    }
