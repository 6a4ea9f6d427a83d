"""Carries a placement out: the pipeline moved, its network narrowed, its decoder tiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import InputError
from models.memory import keep_freed_memory
from models.placement import Placement
from models.step_cache import cache_steps
from models.weights import NETWORKS


def place(pipeline: Any, placement: Placement, disk: Path | None = None) -> Any:
    """Bring a loaded pipeline to where it shall run.

    Args:
        pipeline: in `placement.dtype`, on the CPU.
        placement: the choice.
        disk: folder for layers that main memory does not hold; a temporary one if None.

    Returns:
        The same pipeline.

    Raises:
        InputError: if the attention backend is not installed or not known.
    """
    import torch

    networks = [module for name in NETWORKS if (module := getattr(pipeline, name, None)) is not None]
    for network in networks:
        if placement.storage == "float8":
            network.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=getattr(torch, placement.dtype)
            )
        if placement.attention:
            _set_attention(network, placement.attention)
        if placement.cache:
            cache_steps(network, placement.cache)
    vae = getattr(pipeline, "vae", None)
    if placement.tiling and vae is not None and hasattr(vae, "enable_tiling"):
        vae.enable_tiling()
    if placement.device == "cpu":
        keep_freed_memory()
    if placement.offload == "none":
        return pipeline.to(placement.device)
    if placement.offload == "model":
        pipeline.enable_model_cpu_offload(device=placement.device)
        return pipeline
    return _offload_layers(pipeline, placement, disk)


def _offload_layers(pipeline: Any, placement: Placement, disk: Path | None) -> Any:
    """A few layers at a time on the device, fetched ahead by a stream of their own."""
    import tempfile

    import torch

    where: dict[str, Any] = {}
    if placement.offload == "disk":
        where["offload_to_disk_path"] = str(disk or tempfile.mkdtemp(prefix="studio-layers-"))
    pipeline.enable_group_offload(
        onload_device=torch.device(placement.device),
        offload_type="leaf_level",
        use_stream=placement.device.startswith("cuda"),
        **where,
    )
    return pipeline


def _set_attention(network: Any, backend: str) -> None:
    if not hasattr(network, "set_attention_backend"):
        raise InputError(f"{type(network).__name__} has one way of attention only. Leave the backend unset.")
    try:
        network.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError) as error:
        raise InputError(f"The attention backend {backend!r} cannot be used: {error}") from error
