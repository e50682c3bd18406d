"""The C library's allocator, told to keep what a stream of large pieces frees and takes again.

glibc gives memory over 128 KiB back to the kernel as soon as it is freed, so each 1 MiB piece of
a payload costs 256 page faults anew: 100 MB read and verified took 320 ms, with the pages kept
130 ms (same run). At most 16 MiB that are free stay with each of two arenas: glibc makes one for
every thread else, and threads that hash and pack take 20 MB more for no gain in time.
Source: mallopt(3). Other C libraries keep their ways.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_ARENAS = 2
_KEPT_BYTES = 16 << 20
_MMAPPED_FROM_BYTES = 4 << 20
_CHOSEN_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@cache
def keep_freed_memory() -> bool:
    """Whether the allocator took it: once a process, on glibc, unless the environment sets it."""
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _CHOSEN_BY_USER):
        return False
    library = ctypes.CDLL(None)
    if "MALLOC_ARENA_MAX" not in os.environ:
        library.mallopt(_M_ARENA_MAX, _ARENAS)
    taken = library.mallopt(_M_MMAP_THRESHOLD, _MMAPPED_FROM_BYTES)
    return bool(taken and library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
