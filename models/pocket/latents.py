"""The generator's training set: clips of the corpus, rendered and encoded once.

Shards of 64 clips, named by their seed, each written whole or not at all, so that the command can be stopped
and carried on. Rendering needs no autoencoder and can be done ahead of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import InputError
from models.pocket.autoencoder import encode, load_autoencoder
from models.pocket.captions import caption
from models.pocket.corpus import clip_batch

SHARD = 64
CAPTIONS = 3
STILLS = 4
HELD_OUT_SEED = 900_000


@dataclass(frozen=True)
class LatentSet:
    """Encoded clips in memory.

    Attributes:
        videos: normalised latents [N, 24, 5, 8, 8], float16.
        stills: single frames of the same clips, encoded as pictures, [N, stills, 24, 1, 8, 8], float16.
        captions: for each clip several captions.
    """

    videos: Tensor
    stills: Tensor
    captions: list[list[str]]


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


def render_shard(folder: Path, seed: int, held: bool = False) -> Path:
    """Render 64 clips uint8 [64, 17, 128, 128, 3] with their captions, unless the file is there."""
    path = folder / f"{seed:06d}.safetensors"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    clips, first, scenes = clip_batch(seed, SHARD, held)
    rng = np.random.default_rng([seed, CAPTIONS])
    captions = [
        [one, *(caption(scene, rng) for _ in range(CAPTIONS - 1))]
        for one, scene in zip(first, scenes, strict=True)
    ]
    write_whole(
        path,
        lambda part: save_file({"clips": torch.from_numpy(clips)}, part, {"captions": json.dumps(captions)}),
    )
    return path


def encode_shard(source: Path, target: Path, vae: torch.nn.Module, batch: int = 8) -> None:
    """Encode a rendered shard: whole clips, and a few frames of each as pictures."""
    with safe_open(source, "pt") as shard:
        clips, metadata = shard.get_tensor("clips").numpy(), shard.metadata()
    rng = np.random.default_rng([int(source.stem), STILLS])
    picks = rng.integers(clips.shape[1], size=(len(clips), STILLS))
    frames = clips[np.arange(len(clips))[:, None], picks].reshape(-1, 1, *clips.shape[2:])
    videos = torch.cat([encode(vae, clips[i : i + batch]) for i in range(0, len(clips), batch)])
    stills = torch.cat([encode(vae, frames[i : i + 4 * batch]) for i in range(0, len(frames), 4 * batch)])
    tensors = {"videos": videos.half(), "stills": stills.half().unflatten(0, (len(clips), STILLS))}
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: save_file(tensors, part, metadata))


def make_latents(work: Path, vae_folder: Path, clips: int, only_render: bool = False) -> Iterator[str]:
    """Render and encode `clips` clips and a shard of held-out combinations, reporting each step."""
    seeds = [(HELD_OUT_SEED, True), *((seed, False) for seed in range(1, clips // SHARD + 1))]
    vae = None if only_render else load_autoencoder(vae_folder)
    for seed, held in seeds:
        rendered = render_shard(work / "clips", seed, held)
        target = work / "latents" / rendered.name
        if vae is not None and not target.exists():
            encode_shard(rendered, target, vae)
        yield f"{rendered.name}: {'rendered' if vae is None else 'encoded'}"


def load_latents(work: Path, held: bool = False) -> LatentSet:
    """All encoded clips but the held-out ones, or only those.

    Raises:
        InputError: if there are none.
    """
    files = sorted((work / "latents").glob("*.safetensors"))
    files = [file for file in files if (int(file.stem) >= HELD_OUT_SEED) == held]
    if not files:
        raise InputError(
            f"{work / 'latents'} holds no encoded clips. Run `python -m models.pocket latents` first."
        )
    videos, stills, captions = [], [], []
    for file in files:
        with safe_open(file, "pt") as shard:
            videos.append(shard.get_tensor("videos"))
            stills.append(shard.get_tensor("stills"))
            captions += json.loads(shard.metadata()["captions"])
    return LatentSet(torch.cat(videos), torch.cat(stills), captions)
