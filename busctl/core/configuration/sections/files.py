"""Which files a call may name."""

from __future__ import annotations

from functools import partial

from busctl.core.configuration.kinds import Folders, Number, Section, setting

_setting = partial(setting, "Files")


class FilesSection(Section):
    """The fields under "Files"."""

    file_roots: Folders = _setting(
        (),
        "BUSCTL_FILE_ROOTS",
        "Folders below which calls may name files; without any, every file is refused.",
        "a comma-separated list of folders, each written in full; not / itself",
    )
    file_max_mb: Number = _setting(
        100.0,
        "BUSCTL_FILE_MAX_MB",
        "Largest file taken, in MB of 1,000,000 bytes.",
        ge=0.000001,
        le=10000,
    )
