"""Files that a command is told to write."""

from __future__ import annotations

from pathlib import Path


def check_target(target: Path) -> None:
    """That the file can lie there, before anything is done for it. Raises ConfigurationError."""
    from busctl.core.errors import ConfigurationError

    if target.is_dir():
        raise ConfigurationError(f"{target} is a folder.", remedy="Name a file in it.")
    if not target.resolve().parent.is_dir():
        raise ConfigurationError(
            f"The folder {target.parent} does not exist.", remedy="Make it, or name another file."
        )
