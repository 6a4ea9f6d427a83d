"""Where a model runs: a table."""

import dataclasses

import pytest

from models.catalog import card
from models.errors import InputError
from models.placement import Machine, choose

SMALL = card("pocket")
LARGE = dataclasses.replace(SMALL, title="Large", memory_gb=20)
NO_GPU, GPU, OLD_GPU = Machine(), Machine(24, bfloat16=True), Machine(24, bfloat16=False)
BUSY_GPU = Machine(0.5, bfloat16=True)


@pytest.mark.parametrize(
    ("model", "machine", "asked", "device", "dtype"),
    [
        (SMALL, NO_GPU, None, "cpu", "float32"),
        (SMALL, GPU, None, "cuda", "float32"),
        (SMALL, GPU, "cpu", "cpu", "float32"),
        (SMALL, GPU, "cuda:1", "cuda:1", "float32"),
        (SMALL, BUSY_GPU, None, "cpu", "float32"),
        (SMALL, BUSY_GPU, "cuda", "cuda", "float32"),
        (LARGE, GPU, None, "cuda", "bfloat16"),
        (LARGE, OLD_GPU, None, "cuda", "float32"),
    ],
)
def test_choice(model, machine, asked, device, dtype):
    placement = choose(model, machine, asked)
    assert (placement.device, placement.dtype) == (device, dtype)


def test_the_reason_names_the_model_and_what_was_lacking():
    assert choose(LARGE, BUSY_GPU).reason == (
        "Large runs on the CPU because it needs 20.0 GiB and the CUDA device has 0.5 GiB free."
    )


def test_cuda_where_there_is_none_is_refused():
    with pytest.raises(InputError, match="No CUDA device"):
        choose(SMALL, NO_GPU, "cuda")
