"""The daemon's token: BUSCTL_TOKEN, else a file of mode 0600 that the first daemon makes.

The file is read anew for each check, so that daemons which share it learn of a rotation.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import stat
import tempfile
from pathlib import Path

from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationError, Unauthorized
from busctl.core.principal import OPERATOR, Principal

NAME = "token"
RANDOM_BYTES = 32
MIN_CHARS = 16

log = logging.getLogger("busctl.token")


def path_of(settings: Settings) -> Path:
    """Where the token file is, or would be."""
    return (settings.state_dir or default_state_dir()) / NAME


def default_state_dir() -> Path:
    """/var/lib/busctl/state for root, else `busctl` in the user's state folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/busctl/state")
    import platformdirs

    return Path(platformdirs.user_state_dir("busctl"))


def read(settings: Settings) -> str:
    """The token a client shows. Raises Unauthorized when there is none, or it may not be read."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    path = path_of(settings)
    try:
        return _load(path)
    except FileNotFoundError as error:
        raise Unauthorized(
            f"There is no token: BUSCTL_TOKEN is not set and {path} does not exist.",
            remedy="Start the daemon with `busctl serve`, or set BUSCTL_TOKEN to its token.",
        ) from error
    except PermissionError as error:
        raise Unauthorized(f"The token file {path} may not be read by this user.") from error


def read_or_make(settings: Settings) -> str:
    """The token of the daemon; its file is made if there is none.

    Raises ConfigurationError when the file is open to other users or cannot be written.
    """
    if settings.token is not None:
        return settings.token.get_secret_value()
    path = path_of(settings)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        _refuse_open(path)
        return _load(path)
    except OSError as error:
        raise ConfigurationError(
            f"The token file {path} cannot be used: {error.strerror}.",
            remedy="Set BUSCTL_STATE_DIR to a folder of your own, or set BUSCTL_TOKEN.",
        ) from error


class Guard:
    """Implements `busctl.ports.TokenGuard`. `path` is None when the token was configured."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        read_or_make(settings)
        self.path = None if settings.token is not None else path_of(settings)
        self._changing = asyncio.Lock()

    async def identify(self, shown: str) -> Principal | None:
        return OPERATOR if await self._is_ours(shown) else None

    async def holds(self, principal: Principal) -> bool:
        return True  # sessions outlive a rotation: it is done from within one

    async def _is_ours(self, shown: str) -> bool:
        try:
            token = await asyncio.to_thread(read, self._settings)
        except Unauthorized as error:
            # The file has gone since: nobody can show the right token.
            log.warning("token cannot be read", extra={"error": error.message})
            return False
        return _same(shown, token)

    async def rotate(self, old: str, new: str) -> None:
        if self.path is None:
            raise ConfigurationError(
                "The token comes from BUSCTL_TOKEN, which the daemon cannot change.",
                remedy="Change BUSCTL_TOKEN and start the daemon again.",
            )
        if len(new) < MIN_CHARS or not _is_token(new):
            raise ConfigurationError(
                f"The new token must be {MIN_CHARS} or more printable ASCII characters, no spaces."
            )
        async with self._changing:
            if not await self._is_ours(old):
                raise Unauthorized("The old token is wrong.", remedy="")
            try:
                await asyncio.to_thread(_replace, self.path, new)
            except OSError as error:
                raise ConfigurationError(
                    f"The token file {self.path} cannot be written: {error.strerror}.",
                    remedy="The old token holds.",
                ) from error


def _same(shown: str, token: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), token.encode("utf-8"))


def _load(path: Path) -> str:
    remedy = "Delete it and start again."
    token = path.read_text(encoding="utf-8", errors="replace").strip()
    if not token:
        raise Unauthorized(f"The token file {path} is empty.", remedy=remedy)
    if not _is_token(token):
        raise Unauthorized(
            f"The token file {path} holds spaces or characters outside printable ASCII, so nobody "
            "can show what is in it.",
            remedy=remedy,
        )
    return token


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _make(path: Path) -> None:
    """Make the file with a new token, unless another daemon is first."""
    temporary = _written(path, secrets.token_urlsafe(RANDOM_BYTES))
    try:
        os.link(temporary, path)
    except FileExistsError:
        return  # another daemon made it in this moment: its token is the one
    finally:
        temporary.unlink()


def _replace(path: Path, token: str) -> None:
    _written(path, token).replace(path)


def _written(path: Path, token: str) -> Path:
    """A new file (mode 0600, as mkstemp makes them) beside `path` with the token in it."""
    handle, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(token + "\n")
        out.flush()
        os.fsync(out.fileno())
    return Path(name)


def _refuse_open(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(
            f"The token file {path} is open to other users (mode {mode:04o}).",
            remedy=f"Run `chmod 600 {path}`, or delete it so that a new token is made.",
        )
