"""What holds for all tests."""

from __future__ import annotations

import os
import sys

import pytest

CPU_THREADS = int(os.environ.get("OMP_NUM_THREADS") or 2)


@pytest.fixture(autouse=True)
def same_threads_everywhere() -> None:
    """All threads of a test sum with as many CPU threads.

    A studio asks for some in the thread of its jobs. That holds in threads that begin later, also in those of
    the next test, but not in the first one; where sums are split otherwise they are rounded otherwise, and
    runs that are equal bit for bit would differ in a level.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(CPU_THREADS)
