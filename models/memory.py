"""Main memory of this process: how much it used at most, and what becomes of what it frees."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Peak resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) * 2**10  # `ru_maxrss` would hold what the parent used before it forked
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 2**10


ARENAS_AT_MOST, MAPPINGS_AT_MOST, TRIMMED_ABOVE = -8, -4, -1
"""Names of glibc's options, from its `malloc.h`."""


def keep_freed_memory() -> bool:
    """Have the memory of freed tensors stay with this process, where the next ones need it again.

    Otherwise glibc hands every large tensor back to the system, which then has to clear the pages of the next
    one: a decoder on a CPU can spend more time on that than on its sums. About 2 GiB stay at most, for all
    threads together; the most that is used at once does not change.

    Returns:
        Whether the C library took it; others than glibc are left as they are.
    """
    libc = _glibc()
    if libc is None:
        return False
    options = ((ARENAS_AT_MOST, 1), (MAPPINGS_AT_MOST, 0), (TRIMMED_ABOVE, 2**31 - 1))
    taken = [libc.mallopt(name, value) for name, value in options]
    return all(taken)


def give_freed_memory_back() -> None:
    """Return what is free now to the system and to the GPU, e.g. after a model was let go of.

    Hooks and watched methods tie a pipeline's parts in circles, which only the garbage collector opens.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None
