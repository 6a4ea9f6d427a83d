"""Where a model runs and how it fits: a pure choice, with its reason in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from models.errors import InputError
from models.video_model import ModelCard

Offload = Literal["none", "model", "group", "disk"]
Storage = Literal["full", "float8", "int8", "nf4"]
OFFLOADS: tuple[Offload, ...] = get_args(Offload)

ACTIVATIONS = 5.0
"""GiB that a step and the decoder need beside the weights of one part, at the sizes of the cards."""
DECODER = 12.0
"""GiB beside a large model's weights below which its decoder takes tiles."""
BYTES: dict[Storage, float] = {"float8": 1.0, "int8": 1.0, "nf4": 0.5}
"""Of a weight of the network, in the ways of storage that narrow it."""
ROUNDED: tuple[Storage, ...] = ("int8", "nf4")
"""Ways of storage whose layers no file on disk can hold."""
LAYERS = 6.0
"""GiB that is enough where only a few layers at a time are on the device."""


@dataclass(frozen=True)
class Machine:
    """What there is to run on.

    Attributes:
        cuda_memory_gb: free memory of the CUDA device in GiB, or None without one.
        bfloat16: whether that device calculates in bfloat16.
        ram_gb: free main memory in GiB.
    """

    cuda_memory_gb: float | None = None
    bfloat16: bool = False
    ram_gb: float = 64.0


@dataclass(frozen=True)
class Wishes:
    """What was set by hand; None leaves the choice to `choose`.

    Attributes:
        device: as torch names it.
        offload: `none`; `model`: one part of the pipeline at a time on the device; `group`: a few layers at a
            time; `disk`: the same, the rest on disk in place of main memory.
        storage: of the denoising network's weights, which are calculated with in 16 bits all the same:
            `float8` and `int8` (torchao; rounds less) take half the memory, `nf4` (bitsandbytes) a quarter.
        attention: diffusers' name of an attention backend, e.g. `flash`, `sage`, `xformers`.
        tiling: decode in tiles.
        cache: how little a step must change to be skipped, see `models.step_cache`; 0 and None skip none.
    """

    device: str | None = None
    offload: Offload | None = None
    storage: Storage | None = None
    attention: str | None = None
    tiling: bool | None = None
    cache: float | None = None


@dataclass(frozen=True)
class Placement:
    """The choice; fields as in `Wishes`.

    Attributes:
        dtype: `float32`, `bfloat16` or `float16`, as torch names it.
        reason: one or two sentences for the page and the log.
    """

    device: str
    dtype: str
    reason: str
    offload: Offload = "none"
    storage: Storage = "full"
    attention: str | None = None
    tiling: bool = False
    cache: float = 0.0


def choose(
    card: ModelCard, machine: Machine, wishes: Wishes | str | None = None, *, rounded: int = 0
) -> Placement:
    """Choose device, number format and what is kept where.

    Small models stay in float32 everywhere: on a GPU they are bound by launches, not by arithmetic, and a
    seed then draws nearly the same clip on every device. Of the ways to fit a large one the first that is
    enough is taken, in the order of what they cost: everything on the device; one part at a time; the same
    with the network in float8; a few layers at a time; those from disk.

    Args:
        card: what is to be loaded; its memory is an estimate, and so is the choice.
        machine: what there is.
        wishes: what was set by hand, or only a device.
        rounded: of how many networks the weights are rounded in their file, so that they stay as they are.

    Raises:
        InputError: if CUDA was asked for and there is none, a wish needs a CUDA device, two wishes do not go
            together, or rounded weights were to be rounded again.
    """
    wishes = Wishes(device=wishes) if isinstance(wishes, str) else wishes or Wishes()
    if rounded and wishes.storage not in (None, "full"):
        raise InputError(
            f"The weights of {card.title} come rounded from a GGUF file. Leave storage out, or the file."
        )
    if wishes.offload == "disk" and wishes.storage in ROUNDED:
        raise InputError(
            "Layers in int8 or nf4 cannot lie on disk. Set offload to group, or storage to float8."
        )
    cuda, reason = _device(card, machine, wishes)
    if not cuda:
        if wishes.storage == "nf4":
            raise InputError(
                "Weights in 4 bits need a CUDA device. Set storage to int8, or the device to cuda."
            )
        if wishes.offload not in (None, "none"):
            raise InputError(
                "Offloading needs a CUDA device. Set offload to none, or choose the device cuda."
            )
        tiling = card.tiling if wishes.tiling is None else wishes.tiling
        return Placement(wishes.device or "cpu", "float32", reason, "none", wishes.storage or "full",
                         wishes.attention, tiling, wishes.cache or 0.0)  # fmt: skip
    dtype = _dtype(card, machine)
    offload, storage, how = _fit(card, machine, dtype, wishes.storage, rounded=rounded)
    if wishes.offload or wishes.storage:
        if wishes.offload not in (None, "model"):
            storage = wishes.storage or "full"  # narrow weights were chosen for one part at a time only
        offload, how = wishes.offload or offload, "as it was set by hand"
    room = (machine.cuda_memory_gb or 0.0) - card.memory_gb
    tight = card.tiling or offload != "none" or (card.memory_gb > 4 and room < DECODER)
    return Placement(
        device=wishes.device or "cuda",
        dtype=dtype,
        reason=f"{card.title} runs on the CUDA device in {dtype}, {how}.",
        offload=offload,
        storage=storage,
        attention=wishes.attention,
        tiling=tight if wishes.tiling is None else wishes.tiling,
        cache=wishes.cache or 0.0,
    )


def _device(card: ModelCard, machine: Machine, wishes: Wishes) -> tuple[bool, str]:
    """Whether the CUDA device is taken, and otherwise why not."""
    wants_cuda = wishes.device is not None and wishes.device.startswith("cuda")
    free = machine.cuda_memory_gb
    if wants_cuda and free is None:
        raise InputError("No CUDA device was found. Choose the device cpu, or install a CUDA build of torch.")
    if wishes.device is not None and not wants_cuda:
        return False, f"{card.title} runs on {wishes.device} because it was asked for."
    if free is None:
        return False, f"{card.title} runs on the CPU because no CUDA device was found."
    needed = min(card.memory_gb, LAYERS)
    if not wants_cuda and wishes.offload is None and free < needed:
        return False, (
            f"{card.title} runs on the CPU because it needs at least {needed:.1f} GiB and the CUDA device "
            f"has {free:.1f} GiB free."
        )
    return True, ""


def _dtype(card: ModelCard, machine: Machine) -> str:
    """The number format on the CUDA device."""
    if card.memory_gb <= 4:
        return "float32"
    return "bfloat16" if machine.bfloat16 else "float16" if card.float16 else "float32"


def _fit(
    card: ModelCard, machine: Machine, dtype: str, storage: Storage | None, *, rounded: int
) -> tuple[Offload, Storage, str]:
    """How a model is made to fit the CUDA device, its network stored as it was set by hand, and why."""
    free, kept = machine.cuda_memory_gb or 0.0, storage or "full"
    wide = _wide(card, dtype)
    whole, network = _sizes(card, wide, kept, rounded)
    other = min(max(whole - network * card.networks, 0.0), card.text_encoder_gb * wide)
    largest, halved = max(network, other), max(network / 2, other)
    if free >= whole:
        return "none", kept, "all of it on the device"
    lacking = f"because it needs about {whole:.0f} GiB and {free:.0f} GiB are free"
    if machine.ram_gb < whole * 0.8 and kept not in ROUNDED:
        ram = f"{machine.ram_gb:.0f} GiB of main memory"
        return "disk", kept, f"a few layers at a time and the rest on disk, {lacking}, with {ram}"
    if free >= largest + ACTIVATIONS:
        return "model", kept, f"one part of it at a time, {lacking}"
    if free >= halved + ACTIVATIONS and dtype == "bfloat16" and storage is None and not rounded:
        return "model", "float8", f"one part of it at a time and the network in 8 bits, {lacking}"
    return "group", kept, f"a few layers at a time, {lacking}"


def _wide(card: ModelCard, dtype: str) -> float:
    """How many times 16 bits, which cards count, a weight of a large model takes."""
    return 2.0 if dtype == "float32" and card.memory_gb > 4 else 1.0


def _sizes(card: ModelCard, wide: float, kept: Storage, rounded: int) -> tuple[float, float]:
    """A model and the largest of its networks in GiB.

    Cards count what was rounded as 16 bits, too. Beside a network that has no file it is counted as if it
    were widened like that one: too much rather than too little.
    """
    narrow = 2.0 if rounded >= card.networks else BYTES.get(kept, 2 * wide)
    full, network = (card.parameters_b * 1e9 / 2**30 * each for each in (2 * wide, narrow))
    return card.memory_gb * wide - (full - network) * card.networks, network


def check_memory(
    card: ModelCard,
    placement: Placement,
    machine: Machine,
    wishes: Wishes | str | None,
    *,
    rounded: int = 0,
) -> None:
    """Check that main memory holds a large model that runs on the CPU, before it is downloaded.

    On the way to a CUDA device weights in the wanted number format are pages of their files and take next to
    none of it.

    Args:
        card: of the checkpoint, whose own weights are meant.
        placement: the choice for it.
        machine: what there is.
        wishes: what was set by hand; who asked for the CPU gets it.
        rounded: as in `choose`.

    Raises:
        InputError: if it holds less than two thirds of it.
    """
    asked = wishes if isinstance(wishes, str) or wishes is None else wishes.device
    if placement.device != "cpu" or asked == "cpu" or card.memory_gb <= 4:
        return
    needed, _ = _sizes(card, 2.0, placement.storage, rounded)
    if machine.ram_gb < needed * 2 / 3:
        raise InputError(
            f"{placement.reason} There it needs about {needed:.0f} GiB of main memory, of which "
            f"{machine.ram_gb:.0f} GiB are free. Choose a smaller model, or run the studio where a CUDA "
            "device is. STUDIO_DEVICE=cpu tries it all the same."
        )


def this_machine(wishes: Wishes | str | None = None) -> Machine:
    """Ask torch and the system what there is: of several CUDA devices, on the one that is wished."""
    import torch

    ram = _free_ram()
    if not torch.cuda.is_available():
        return Machine(ram_gb=ram)
    device = wishes.device if isinstance(wishes, Wishes) else wishes
    torch.cuda.empty_cache()  # what torch keeps of freed memory would count as taken
    free, _ = torch.cuda.mem_get_info(device if device and device.startswith("cuda") else None)
    return Machine(free / 2**30, torch.cuda.is_bf16_supported(including_emulation=False), ram)


def _free_ram(cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Free main memory in GiB: what the system has, or what is left to the container.

    A container is charged for the files that it read or wrote, such as downloaded weights; they make room.
    """
    import psutil

    free = psutil.virtual_memory().available
    try:
        limit, used = (int((cgroup / f"memory.{name}").read_text()) for name in ("max", "current"))
        charged = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        files = sum(int(charged[f"{kind}_file"]) for kind in ("active", "inactive"))
        free = min(free, max(0, limit - used + files))
    except (OSError, ValueError, KeyError):  # no container, or one without a limit
        pass
    return free / 2**30


def use_threads(number: int) -> None:
    """Let torch calculate with that many CPU threads in this thread, and in those that begin to after it."""
    import torch

    torch.set_num_threads(number)


def threads() -> int:
    """How many CPU threads torch calculates with in this thread."""
    import torch

    return torch.get_num_threads()
