"""Carries a placement out: the pipeline moved, its network narrowed, its decoder tiled."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.download import in_gb
from models.errors import InputError
from models.memory import keep_freed_memory
from models.placement import Placement, this_machine
from models.step_cache import cache_steps
from models.weights import NETWORKS

LAYERS, IN_USE = "studio-layers-", "in-use.lock"
"""How the names of folders of layers begin, and the file in each that its process holds locked."""


def place(pipeline: Any, placement: Placement, disk: Path | None = None) -> Any:
    """Bring a loaded pipeline to where it shall run.

    Args:
        pipeline: in `placement.dtype`, on the CPU.
        placement: the choice.
        disk: folder for layers that main memory does not hold; a temporary one beside the weights if None.

    Returns:
        The same pipeline.

    Raises:
        InputError: if the attention backend is not there or not known, or the disk has no room for layers.
    """
    import torch

    networks = [module for name in NETWORKS if (module := getattr(pipeline, name, None)) is not None]
    for network in networks:
        if placement.storage == "float8":
            _store_in_float8(network, getattr(torch, placement.dtype))
        if placement.attention:
            _set_attention(network, placement.attention)
        if placement.cache:
            cache_steps(network, placement.cache)
    vae = getattr(pipeline, "vae", None)
    if placement.tiling and vae is not None and hasattr(vae, "use_tiling"):  # all have the method
        vae.enable_tiling()
    if placement.device == "cpu":
        keep_freed_memory()
    if placement.offload == "none":
        return pipeline.to(placement.device)
    if placement.offload == "model":
        pipeline.enable_model_cpu_offload(device=placement.device)
        _make_room_for_each_other(networks)
        return pipeline
    return _offload_layers(pipeline, placement, disk)


@contextmanager
def cleared_device(pipeline: Any) -> Iterator[None]:
    """Where one part at a time is on the device: no part before this, and none after an error in it.

    diffusers takes them off at the end of a call only. A suspended run has not come there, and a part that
    did not fit stays with some of its weights.
    """
    offloads = bool(getattr(pipeline, "_all_hooks", None))
    if offloads:
        pipeline.maybe_free_model_hooks()
    try:
        yield
    except BaseException:
        if offloads:
            pipeline.maybe_free_model_hooks()
        raise


def _make_room_for_each_other(networks: list[Any]) -> None:
    """Keep two networks from being on the device at once.

    diffusers has the second take the first one's place, as a call goes from one to the other. A run that goes
    on with the first after another was suspended in the second would find both there.
    """
    from accelerate.utils.memory import clear_device_cache

    def make_room(network: Any, _: Any) -> None:
        for other in networks:
            if other is not network and next(other.parameters()).device.type != "cpu":
                other.to("cpu")
                clear_device_cache()

    for network in networks if len(networks) > 1 else ():
        network.register_forward_pre_hook(make_room)


def _store_in_float8(network: Any, compute_dtype: Any) -> None:
    """Keep a network's weights in 8 bits; LoRA weights that are put beside them stay in those of the sums."""
    import torch

    network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=compute_dtype)
    for module in network.modules():
        weight = getattr(module, "weight", None)
        if weight is not None and weight.dtype == torch.float8_e4m3fn:
            module.compute_dtype = compute_dtype  # where peft looks for it


def _offload_layers(pipeline: Any, placement: Placement, disk: Path | None) -> Any:
    """A few layers at a time on the device, fetched ahead by a stream of their own.

    diffusers names the files of layers by their places in a part, so every part has a folder of its own.
    """
    import torch
    from diffusers.hooks import apply_group_offloading

    on_disk = _parts_for_disk(pipeline) if placement.offload == "disk" else {}
    folder = _layers_folder(pipeline, on_disk.values(), disk) if on_disk else Path()
    streams = placement.device.startswith("cuda")
    sparing = streams and short_of_memory(pipeline, this_machine().ram_gb)
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module) and _keeps_together(part):
            part.to(placement.device)
        elif isinstance(part, torch.nn.Module):
            apply_group_offloading(
                part,
                onload_device=torch.device(placement.device),
                offload_type="leaf_level",
                use_stream=streams,
                low_cpu_mem_usage=sparing,
                offload_to_disk_path=str(folder / name) if name in on_disk else None,
            )
            if name in on_disk:
                _keep_shared_weights(part, folder / name)
                _keep_for_adapters(part, folder / name)
    return pipeline


def _parts_for_disk(pipeline: Any) -> dict[str, Any]:
    """The parts whose layers can lie on disk: networks, and encoders of words and pictures.

    Autoencoders, which are small, stay in main memory: they are entered by `decode`, and what they keep
    beside their layers is read from outside.
    """
    from transformers import PreTrainedModel

    return {
        name: part
        for name, part in pipeline.components.items()
        if (name in NETWORKS and part is not None) or isinstance(part, PreTrainedModel)
        if not _keeps_together(part)
    }


def _keep_shared_weights(part: Any, folder: Path) -> None:
    """Let layers that share a weight, such as the embedding of words of T5, find it on disk.

    diffusers writes a file for each of them, of which all but the first hold no more than the memory that the
    first one gave back.
    """
    first: dict[Any, str] = {}
    for name, layer in part.named_modules():
        weight = dict(layer.named_parameters(recurse=False)).get("weight")
        if weight is not None and first.setdefault(weight, name) != name:
            _link(_layer_file(folder, name), _layer_file(folder, first[weight]))


def _keeps_together(part: Any) -> bool:
    """Whether a part, all of them small ones, has to be on the device as a whole.

    torch's own attention (SigLIP) reads the weights of a layer that it does not call, so that nobody fetches
    them; and of a decoder that its pipeline widens to 32 bits for a while (Stable Video Diffusion), the
    layers would come back in 16.
    """
    import torch

    if any(isinstance(module, torch.nn.MultiheadAttention) for module in part.modules()):
        return True
    widened = getattr(getattr(part, "config", None), "force_upcast", False)
    return bool(widened and part.dtype == torch.float16)


def _keep_for_adapters(part: Any, folder: Path) -> None:
    """Let the layers on disk be found under the names that a LoRA gives them.

    It wraps a layer, which is then called `base_layer`. diffusers takes that for a layer that has no file
    yet, and would write one of weights that are no longer in memory.
    """
    for name, _ in part.named_modules():
        file, wrapped = (_layer_file(folder, each) for each in (name, f"{name}.base_layer"))
        if file.is_file() and not wrapped.exists():
            _link(wrapped, file)


def _layer_file(folder: Path, name: str) -> Path:
    """Where diffusers keeps the layer of that name."""
    from diffusers.hooks.group_offloading import _compute_group_hash

    return folder / f"group_{_compute_group_hash(name)}.safetensors"


def _link(file: Path, to: Path) -> None:
    """Have a file hold what another one holds, whatever it held before."""
    file.unlink(missing_ok=True)
    try:
        file.hardlink_to(to)
    except OSError:  # a file system without links
        shutil.copyfile(to, file)


def short_of_memory(pipeline: Any, free_gb: float) -> bool:
    """Whether main memory may not hold a second copy of the weights in pages that stay where they are.

    Layers are fetched quicker from such pages, and torch gives each weight a power of two of them.
    """
    import torch

    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    size = sum(weight.nbytes for part in parts for weight in part.parameters())
    return free_gb * 2**30 < 1.7 * size


def _layers_folder(pipeline: Any, parts: Iterable[Any], disk: Path | None) -> Path:
    """Where layers lie on disk; a temporary folder beside the weights is gone with the pipeline."""
    from huggingface_hub import constants

    if disk is not None:
        return disk
    try:
        beside = Path(constants.HF_HUB_CACHE)
        beside.mkdir(parents=True, exist_ok=True)
        _sweep(beside)
        folder = tempfile.mkdtemp(prefix=LAYERS, dir=beside)
    except OSError:  # weights that are only lent to us
        folder = tempfile.mkdtemp(prefix=LAYERS)
    lock = FileLock(Path(folder) / IN_USE, thread_local=False)
    lock.acquire()
    remove = weakref.finalize(pipeline, _remove, lock)
    needed = sum(each.nbytes for part in parts for each in part.state_dict().values())
    if (free := shutil.disk_usage(folder).free) < needed:
        remove()
        raise InputError(
            f"The layers that main memory does not hold need {in_gb(needed)} on the disk and {in_gb(free)} "
            f"are free in {Path(folder).parent}. Make room there, or choose a smaller model."
        )
    return Path(folder)


def _sweep(cache: Path) -> None:
    """Remove the layers of processes that were ended before they could; one that lives holds its lock."""
    for file in cache.glob(f"{LAYERS}*/{IN_USE}"):
        lock = FileLock(file, timeout=0, thread_local=False)
        with suppress(Timeout):
            lock.acquire()
            _remove(lock)


def _remove(lock: FileLock) -> None:
    """Remove a folder of layers whose lock is held."""
    lock.release()
    shutil.rmtree(Path(lock.lock_file).parent, ignore_errors=True)


def _set_attention(network: Any, backend: str) -> None:
    if not hasattr(network, "set_attention_backend"):
        raise InputError(f"{type(network).__name__} has one way of attention only. Leave the backend unset.")
    try:
        network.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"The attention backend {backend!r} cannot be used: {error}") from error
