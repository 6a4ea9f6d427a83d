from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from models.pocket import generator
from models.pocket.latents import HELD_OUT_SEED, draw_shard, encode_shard
from models.pocket.sprites import SPRITE_FRAMES, SPRITE_SIZE
from models.pocket.subjects import NOUNS
from tests.tiny import tiny_vae

TINY = {
    "in_channels": 8,
    "num_layers": 1,
    "num_attention_heads": 1,
    "attention_head_dim": 16,
    "text_embed_dim": 16,
    "ffn_dim": 32,
    "ssm_state_size": 8,
    "ssm_head_dim": 8,
    "sample_size": (5, 2, 2),
}


@pytest.fixture(scope="session")
def drawn_sprites() -> dict[str, np.ndarray]:
    """A plain opaque square of its own colour for every noun, in the packed format."""
    sprites = {}
    for index, noun in enumerate(NOUNS):
        frames = np.zeros((SPRITE_FRAMES, SPRITE_SIZE, SPRITE_SIZE, 4), np.uint8)
        frames[:, 16:80, 16:80] = (255 - 6 * index, 6 * index, 128, 255)
        sprites[noun] = frames
    return sprites


@pytest.fixture
def tiny_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generators that fit the tiny autoencoder and text encoder."""
    monkeypatch.setattr(generator, "CONFIG", {**generator.CONFIG, **TINY})


@pytest.fixture
def encoded(tmp_path: Path) -> Path:
    """A folder with latents of random clips and pictures, encoded by the tiny autoencoder."""
    vae = tiny_vae()
    films = ("clips", 1, 17), ("clips", HELD_OUT_SEED, 17), ("turns", 1, 17), ("continued", 1, 17)
    shards = (*films, ("stills", 1, 1))
    for kind, seed, frames in shards:
        name = f"{kind}-{seed:06d}.safetensors"
        pixels = torch.randint(0, 255, (4, frames, 32, 32, 3), dtype=torch.uint8)
        metadata = {
            "captions": json.dumps([["a cat", "a dog"]] * 4),
            "scenes": draw_shard(kind, seed).scenes_mark,
        }
        save_file({"frames": pixels}, tmp_path / name, metadata)
        encode_shard(tmp_path / name, tmp_path / "latents" / name, vae, batch=3, again=kind == "turns")
    return tmp_path
