"""What becomes of freed memory; measured in the pages that the system has to clear."""

import subprocess
import sys

import psutil
import pytest

from models.memory import give_freed_memory_back, keep_freed_memory, peak_bytes

MIB = 2**20
CLEARED = """
import resource, sys, torch
from models.memory import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    raise SystemExit(77)
def work():
    for _ in range(20):
        torch.ones(16 * 2**20)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_cleared(how):
    done = subprocess.run([sys.executable, "-c", CLEARED, how], capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_freed_memory_is_used_again_without_being_cleared():
    assert pages_cleared("kept") < pages_cleared("plain") / 10


def test_what_is_free_can_be_given_back():
    if not keep_freed_memory():
        pytest.skip("the C library is not glibc")
    block = bytearray(256 * MIB)
    used = resident()
    del block
    give_freed_memory_back()
    assert used - resident() > 200 * MIB


def test_the_peak_is_at_least_what_is_held_now():
    block = bytearray(64 * MIB)
    assert peak_bytes() >= len(block)


def resident():
    return psutil.Process().memory_info().rss
