"""Where a model runs and in which number format: a pure choice, with its reason in words."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import InputError
from models.video_model import ModelCard


@dataclass(frozen=True)
class Machine:
    """What there is to run on.

    Attributes:
        cuda_memory_gb: free memory of the CUDA device in GiB, or None without one.
        bfloat16: whether that device calculates in bfloat16.
    """

    cuda_memory_gb: float | None = None
    bfloat16: bool = False


@dataclass(frozen=True)
class Placement:
    """The choice.

    Attributes:
        device: as torch names it.
        dtype: `float32` or `bfloat16`, as torch names it.
        reason: one sentence for the page and the log.
    """

    device: str
    dtype: str
    reason: str


def choose(card: ModelCard, machine: Machine, device: str | None = None) -> Placement:
    """Choose device and number format for a model.

    Small models stay in float32 everywhere: on a GPU they are bound by launches, not by arithmetic, and a
    seed then draws nearly the same clip on every device.

    Args:
        card: what is to be loaded.
        machine: what there is.
        device: what was asked for, or None.

    Raises:
        InputError: if CUDA was asked for and there is none.
    """
    wants_cuda = device is not None and device.startswith("cuda")
    if wants_cuda and machine.cuda_memory_gb is None:
        raise InputError("No CUDA device was found. Choose the device cpu, or install a CUDA build of torch.")
    if device is not None and not wants_cuda:
        return Placement(device, "float32", f"{card.title} runs on {device} because it was asked for.")
    if machine.cuda_memory_gb is None:
        return Placement("cpu", "float32", f"{card.title} runs on the CPU because no CUDA device was found.")
    if not wants_cuda and machine.cuda_memory_gb < card.memory_gb:
        reason = (
            f"{card.title} runs on the CPU because it needs {card.memory_gb:.1f} GiB and the CUDA device has "
            f"{machine.cuda_memory_gb:.1f} GiB free."
        )
        return Placement("cpu", "float32", reason)
    dtype = "bfloat16" if card.memory_gb > 4 and machine.bfloat16 else "float32"
    return Placement(device or "cuda", dtype, f"{card.title} runs on the CUDA device in {dtype}.")


def this_machine() -> Machine:
    """Ask torch what there is."""
    import torch

    if not torch.cuda.is_available():
        return Machine()
    free, _ = torch.cuda.mem_get_info()
    return Machine(cuda_memory_gb=free / 2**30, bfloat16=torch.cuda.is_bf16_supported())


def use_threads(number: int) -> None:
    """Let torch calculate with that many CPU threads, from now on and in every thread of this process."""
    import torch

    torch.set_num_threads(number)


def threads() -> int:
    """How many CPU threads torch calculates with."""
    import torch

    return torch.get_num_threads()
