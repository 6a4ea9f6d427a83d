"""The generator's training set: clips and single pictures of the corpus, rendered and encoded once.

`clips` are how films begin, and `stills` their first frames; `continued` clips begin anywhere in a film, and
`turns` change there to another prompt.

Shards are named by their kind and seed and written whole or not at all, so that the command can be stopped
and carried on, also while the generator is being trained. Rendering needs no autoencoder and can be done
ahead of it. A shard says which scenes it shows and which encoder made it; when either has changed, it is made
anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLLTXVideo
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import InputError
from models.pocket.autoencoder import decode, encode, load_autoencoder
from models.pocket.captions import caption
from models.pocket.corpus import cast
from models.pocket.emphasis import latent_cells
from models.pocket.scenes import Scene, draw_scene, render

SHARD = {"clips": 64, "continued": 64, "turns": 64, "stills": 512}
BATCH = {"clips": 4, "continued": 4, "turns": 4, "stills": 32}
CAPTIONS = 6
STREAM = {"clips": 0, "stills": 3, "turns": 5, "continued": 7}
"""Of the random numbers, so that clips and pictures show different scenes."""
HELD_OUT_SEED = 900_000
GIVEN = 3
"""Latent frames at most that a clip goes on from, and of which what coding takes is kept."""


@dataclass(frozen=True)
class LatentSet:
    """Encoded clips or pictures in memory.

    Attributes:
        latents: normalised latents [N, C, F, 8, 8] in float16; F = 5 for clips, 1 for pictures.
        captions: several captions of each.
        subjects: the cells in which a subject is, bool [N, F, 8, 8].
        lost: how the first latent frames differ if they are those of decoded frames, [N, C, 3, 8, 8] in
            float16; zero where that was not looked at, and none for pictures.
    """

    latents: Tensor
    captions: list[list[str]]
    subjects: Tensor
    lost: Tensor | None


@dataclass(frozen=True)
class Shard:
    """What a shard shows, as its kind and seed decide it.

    Attributes:
        scenes: one a clip or picture.
        shown: the frame of the scene that a picture shows; None for a clip.
        rng: where the random numbers stand after that.
    """

    scenes: list[Scene]
    shown: Sequence[tuple[int, ...] | None]
    rng: np.random.Generator

    @property
    def scenes_mark(self) -> str:
        """Changes with the scenes."""
        text = json.dumps([[asdict(scene) for scene in self.scenes], list(self.shown)], default=float)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def encoder_mark(vae: AutoencoderKLLTXVideo) -> str:
    """Changes with what an autoencoder encodes to; its decoder may be trained on without that."""
    weights = {**vae.encoder.state_dict(), "mean": vae.latents_mean, "std": vae.latents_std}
    mark = hashlib.sha256()
    for name in sorted(weights):
        mark.update(weights[name].float().cpu().numpy().tobytes())
    return mark.hexdigest()[:16]


def marks(path: Path) -> tuple[str, str]:
    """Of the scenes and of the encoder that a shard was made with; empty where there is none."""
    if not path.exists():
        return "", ""
    with safe_open(path, "pt") as shard:
        metadata = shard.metadata() or {}
    return metadata.get("scenes", ""), metadata.get("encoder", "")


def draw_shard(kind: str, seed: int) -> Shard:
    """The scenes of a shard; seeds from 900000 draw held-out combinations of subject, setting and motion."""
    held = seed >= HELD_OUT_SEED
    rng = np.random.default_rng([seed, STREAM[kind] + held])
    turning, opening = kind == "turns", kind in ("clips", "stills")
    scenes = [draw_scene(rng, held, turning, opening) for _ in range(SHARD[kind])]
    shown = [(0,) if kind == "stills" else None for _ in scenes]
    return Shard(scenes, shown, rng)


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    write(part)
    part.replace(path)


def render_shard(path: Path, kind: str, seed: int) -> None:
    """Render a shard of clips uint8 [n, 17, 128, 128, 3], or of pictures [n, 1, 128, 128, 3]; captioned."""
    shard = draw_shard(kind, seed)
    pairs = zip(shard.scenes, shard.shown, strict=True)
    frames = np.stack([render(scene, cast(), shown) for scene, shown in pairs])
    captions = [[caption(scene, shard.rng) for _ in range(CAPTIONS)] for scene in shard.scenes]
    metadata = {"captions": json.dumps(captions), "scenes": shard.scenes_mark}
    write_whole(path, lambda part: save_file({"frames": torch.from_numpy(frames)}, part, metadata))


def encoded_again(vae: AutoencoderKLLTXVideo, frames: np.ndarray) -> Tensor:
    """Latents [n, C, 3, 8, 8] of the first nine frames of clips, as they are once they have been decoded.

    A clip that goes on from another begins with that one's end, whose frames hang on those before. So the
    frames are coded backwards here, and the first ones last.
    """
    backwards = np.ascontiguousarray(frames[:, 4 * (GIVEN - 1) :: -1])
    decoded = decode(vae, encode(vae, backwards))
    return encode(vae, np.ascontiguousarray(decoded[:, ::-1]))


def encode_shard(
    source: Path, target: Path, vae: AutoencoderKLLTXVideo, batch: int, again: bool = False
) -> None:
    """Encode a rendered shard; with `again`, keep also what encoding decoded frames changes."""
    with safe_open(source, "pt") as shard:
        frames, metadata = shard.get_tensor("frames").numpy(), shard.metadata()
    batches = [frames[i : i + batch] for i in range(0, len(frames), batch)]
    latents = torch.cat([encode(vae, each).cpu() for each in batches])
    kept = {"latents": latents.half()}
    if again:
        second = torch.cat([encoded_again(vae, each).cpu() for each in batches])
        kept["lost"] = (second - latents[:, :, :GIVEN]).half()
    metadata = {**metadata, "encoder": encoder_mark(vae)}
    write_whole(target, lambda part: save_file(kept, part, metadata))


def is_encoded_again(kind: str, seed: int) -> bool:
    """Of continued clips every other shard, of those that turn to something else all; of what begins none."""
    return kind == "turns" or (kind == "continued" and seed % 2 == 1)


def make_latents(
    work: Path,
    vae_folder: Path,
    clips: int,
    stills: int,
    turns: int = 0,
    continued: int = 0,
    only_render: bool = False,
    device: torch.device | None = None,
) -> Iterator[str]:
    """Render and encode what is missing of so many clips, pictures, and clips that turn or are continued.

    One held-out shard of clips comes on top. What shows other scenes than are drawn today counts as missing,
    and so do latents of another encoder.
    """
    wanted = [("clips", HELD_OUT_SEED)]
    for kind, count in (("stills", stills), ("clips", clips), ("turns", turns), ("continued", continued)):
        wanted += [(kind, seed) for seed in range(1, count // SHARD[kind] + 1)]
    vae = None if only_render else load_autoencoder(vae_folder).to(device)
    encoder = "" if vae is None else encoder_mark(vae)
    for kind, seed in wanted:
        rendered, encoded = (work / step / f"{kind}-{seed:06d}.safetensors" for step in ("frames", "latents"))
        scenes = draw_shard(kind, seed).scenes_mark
        found = marks(encoded)
        if found == (scenes, encoder) or (vae is None and found[0] == scenes):
            continue
        if marks(rendered)[0] != scenes:
            render_shard(rendered, kind, seed)
        if vae is not None:
            encode_shard(rendered, encoded, vae, BATCH[kind], is_encoded_again(kind, seed))
        yield f"{rendered.name} {'rendered' if vae is None else 'encoded'}"


def load_latents(work: Path, kind: str, held: bool = False) -> LatentSet:
    """All encoded clips or pictures of a kind but the held-out ones, or only those.

    Raises:
        InputError: if there are none, or if they show other scenes than are drawn today.
    """
    files = sorted((work / "latents").glob(f"{kind}-*.safetensors"))
    files = [file for file in files if (int(file.stem.split("-")[1]) >= HELD_OUT_SEED) == held]
    if not files:
        raise InputError(f"{work / 'latents'} holds no {kind}. Run `python -m models.pocket latents` first.")
    latents: list[Tensor] = []
    captions: list[list[str]] = []
    subjects: list[Tensor] = []
    lost: list[Tensor] = []
    for file in files:
        drawn = draw_shard(kind, int(file.stem.split("-")[1]))
        if marks(file)[0] != drawn.scenes_mark:
            raise InputError(
                f"{file} shows other scenes than are drawn today. Run `python -m models.pocket latents`."
            )
        with safe_open(file, "pt") as shard:
            latents.append(shard.get_tensor("latents"))
            known = "lost" in shard.keys()  # noqa: SIM118 - not a dict
            lost.append(shard.get_tensor("lost") if known else torch.zeros_like(latents[-1][:, :, :GIVEN]))
            captions += json.loads(shard.metadata()["captions"])
        subjects += [
            torch.from_numpy(latent_cells(scene, shown, latents[-1].shape[-1]))
            for scene, shown in zip(drawn.scenes, drawn.shown, strict=True)
        ]
    return LatentSet(
        torch.cat(latents), captions, torch.stack(subjects), None if kind == "stills" else torch.cat(lost)
    )
