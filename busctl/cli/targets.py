"""What a command is told to write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID


def check_target(target: Path) -> None:
    """That the file can lie there, before anything is done for it. Raises ConfigurationError."""
    from busctl.core.errors import ConfigurationError

    if target.is_dir():
        raise ConfigurationError(f"{target} is a folder.", remedy="Name a file in it.")
    try:
        folder = target.resolve().parent
    except (OSError, RuntimeError) as error:  # Python has had both for it
        raise ConfigurationError(
            f"{target} is a link that leads back to itself.", remedy="Name another file."
        ) from error
    if not folder.is_dir():
        raise ConfigurationError(
            f"The folder {target.parent} does not exist.", remedy="Make it, or name another file."
        )


@contextmanager
def writing(
    failure: str, *, remedy: str | None = None, transaction_id: UUID | None = None
) -> Iterator[None]:
    """Names by `failure` what could not be written. A reader that left is no failure (see app).
    Raises FileFailed."""
    from busctl.core.errors import FileFailed

    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileFailed(
            f"{failure}: {error.strerror or error}.", transaction_id=transaction_id, remedy=remedy
        ) from error
