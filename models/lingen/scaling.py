"""Time and memory of one forward pass against the number of tokens, LinGen and a transformer of its size.

`python -m models.lingen.scaling lingen 4096 3` measures 4096 tokens three times in a fresh process and prints
one JSON object: the seconds, and how many MiB the pass needed on top of the weights.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from models.lingen.transformer import LinGenTransformer3DModel
from models.memory import keep_freed_memory, peak_bytes

KINDS = ("lingen", "attention")
ROWS, COLUMNS = 16, 16
SHAPE: dict[str, Any] = {
    "in_channels": 24,
    "num_layers": 8,
    "num_attention_heads": 5,
    "attention_head_dim": 64,
    "text_embed_dim": 384,
    "ffn_dim": 832,
    "ssm_state_size": 64,
    "window_size": (4, 4, 4),
    "review_window": (4, 4, 4),
    "sample_size": (4, 32, 32),
}
"""The embedded model's width and depth, on frames of 16 x 16 tokens."""


def build(kind: str, **changes: Any) -> LinGenTransformer3DModel:
    """A random model; `attention` has full attention in place of both branches and is otherwise the same."""
    everything = (2**31, ROWS, COLUMNS)
    twin = {"mamba_branch": False, "window_size": everything} if kind == "attention" else {}
    return LinGenTransformer3DModel(**{**SHAPE, **twin, **changes}).eval().requires_grad_(False)


@torch.no_grad()
def measure(kind: str, tokens: int, repeat: int, **changes: Any) -> dict[str, Any]:
    """Measure forward passes in this process, which should be a fresh one.

    On a CUDA device weights and activations are bfloat16, elsewhere float32.

    Args:
        kind: of `KINDS`.
        tokens: a multiple of 256; more tokens are a longer video.
        repeat: how often, after one pass that warms up.
        changes: of the configuration.

    Returns:
        `seconds`, one a pass, and `mib`, what a pass needed on top of what was there before the first.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    model = build(kind, **changes).to(device, dtype)
    channels, width = model.config.in_channels, model.config.text_embed_dim
    latents = torch.randn(1, channels, tokens // (ROWS * COLUMNS), 2 * ROWS, 2 * COLUMNS).to(device, dtype)
    text, timestep = torch.randn(1, 32, width).to(device, dtype), torch.tensor([500.0], device=device)
    keep_freed_memory()
    before = _memory(device)
    seconds = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        model(latents, timestep, text)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return {"seconds": seconds[1:], "mib": (_peak(device) - before) / 2**20}


def _memory(device: torch.device) -> int:
    """Bytes in use now; the peak is counted from here on, where the system can forget the one before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return int(torch.cuda.memory_allocated())
    import psutil

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return int(psutil.Process().memory_info().rss)


def _peak(device: torch.device) -> int:
    """The most bytes that were in use."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return peak_bytes()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
