"""`busctl files`: copies of files that lie with providers of language models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from busctl.cli import options

app = typer.Typer(
    help="List, upload and remove copies of files at Kimi, GLM and other providers.",
    no_args_is_help=True,
)
Provider = Annotated[
    str | None,
    typer.Option("--provider", "-p", metavar="NAME", help="Only this provider: kimi, glm, …"),
]


@app.command("ls")
def list_files(
    provider: Provider = None,
    remote: Annotated[
        bool,
        typer.Option("--remote", help="Ask the providers what they have, and compare."),
    ] = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """List the copies that the store knows; with --remote, also how they stand at the providers.

    Columns are separated by tabs: provider, id there, standing, size, name, uploaded. Standing is
    known (the provider was not asked), there, gone (the provider has it no more), orphan (made by
    busctl, and the store does not know it) or foreign (somebody else's file under the same key).
    --json prints {"files": []} with provider, file_id, standing, name, size, sha256, account,
    purpose, uploaded_at, seen_at and expires_at.

    \b
    Examples:
      busctl files ls
      busctl files ls --remote --provider kimi
    """
    from busctl.cli import files_run
    from busctl.cli.running import run, settings_for

    settings = settings_for(env_file, sets)
    placed = run(files_run.listed(settings, provider, remote=remote))
    files_run.show_list(placed, as_json=as_json)


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="ID|SHA256|PATH", help="An id there, a digest, or a file.")
    ],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Show the copies of one file, and the messages that hold its text.

    --json prints {"files": [], "texts": []}: files as `ls` has them, texts with owner, source and
    transaction_id, which `busctl get` redeems. Exit code 1 when nothing is known of it.

    \b
    Examples:
      busctl files show ./report.pdf
      busctl files show file-9f3c01
    """
    from busctl.cli import files_run
    from busctl.cli.running import run, settings_for

    settings = settings_for(env_file, sets)
    placed, texts = run(files_run.looked_up(settings, what))
    files_run.show_one(placed, texts, what, as_json=as_json)


@app.command()
def upload(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Files of this machine.")],
    provider: Annotated[
        str,
        typer.Option("--provider", "-p", metavar="NAME", help="Whom they are for: kimi, glm, …"),
    ],
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Take the text out of files now, as a call of the provider's chat tool that names them would.

    What the provider extracts is uploaded, once for each content; the rest is extracted here. The
    text is on the bus then, owned by operator. BUSCTL_FILE_ROOTS does not bind whoever runs this
    command. --json prints {"files": []}, the lines of a manifest: docs/providers.md. Exit code 1
    when one was refused; the others are taken all the same.

    \b
    Examples:
      busctl files upload --provider kimi report.pdf figures.xlsx
    """
    from busctl.cli import files_run
    from busctl.cli.running import run, settings_for

    settings = settings_for(env_file, sets)
    whole = [path.resolve() for path in paths]
    entries = run(files_run.uploaded(settings, whole, provider))
    files_run.show_manifest(entries, as_json=as_json)


@app.command()
def purge(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID…]", help="Ids there, as `ls` prints them."),
    ] = None,
    provider: Provider = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Remove all copies that busctl made.")
    ] = False,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    env_file: options.EnvFile = None,
    sets: options.Set = None,
) -> None:
    """Remove copies at the providers, and from the store's list.

    Without --all and ids: orphans, which the store does not know any more, and lines of its list
    whose file is gone. Orphans are told by their names (report.busctl-1a2b3c4d5e6f.pdf); daemons of
    another database with the same key make such names, too. Foreign files go only by their ids.
    Texts on the bus stay until they expire. Asks first on a terminal; elsewhere --yes is needed.
    --json prints {"dry_run", "files": []}, files as `ls` has them.

    \b
    Examples:
      busctl files purge --dry-run
      busctl files purge --provider kimi --yes
      busctl files purge file-9f3c01 file-9f3c02
    """
    from busctl.cli import files_run
    from busctl.cli.running import run, settings_for

    settings = settings_for(env_file, sets)
    asking = files_run.Asking(yes=yes, dry_run=dry_run)
    placed = run(files_run.purged(settings, provider, asking, everything=everything, ids=ids or ()))
    files_run.show_purge(placed, dry_run=dry_run, as_json=as_json)
