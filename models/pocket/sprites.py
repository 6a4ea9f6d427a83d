"""Fetches the animated emoji with the npm client and packs the cast's frames into one array file.

Sprites are float-free: ``uint8 [subject, frame, 96, 96, 4]`` RGBA with *premultiplied* colour, sampled at 8
frames a second (24 frames, a 3 second loop, repeated for shorter loops). A second file holds them twice as
large, for pictures of 256 pixels.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from models.errors import InputError
from models.pocket.subjects import SUBJECTS, Subject

PACKAGES = tuple(f"@lobehub/fluent-emoji-anim-{part}@1.0.0" for part in (1, 2, 3, 4))
SPRITE_SIZE, FINE_SIZE = 96, 192
SPRITE_FRAMES = 24
FPS = 8
CLIP_LOCATION = Path("var/pocket")


def fetch_packages(cache: Path) -> None:
    """Downloads and unpacks the animated sets into ``cache/anim1`` to ``anim4``; those present are kept.

    Raises InputError if the npm client is missing or fails.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for part, package in enumerate(PACKAGES, start=1):
        target = cache / f"anim{part}"
        if (target / "package" / "assets").is_dir():
            continue
        try:
            done = subprocess.run(
                ["npm", "pack", package, "--silent"], cwd=cache, capture_output=True, text=True, check=True
            )
        except FileNotFoundError as error:
            raise InputError(
                "The npm client is not installed; install Node.js to fetch the corpus."
            ) from error
        except subprocess.CalledProcessError as error:
            raise InputError(f"npm could not fetch {package}; check the network. {error.stderr}") from error
        with tarfile.open(cache / done.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(target, filter="data")


def find_animation(cache: Path, subject: Subject) -> Path:
    """The animation file of a subject; InputError if no package in the cache has it."""
    for part in range(1, len(PACKAGES) + 1):
        path = cache / f"anim{part}" / "package" / "assets" / f"{subject.codepoint}.webp"
        if path.exists():
            return path
    raise InputError(
        f"No animation {subject.codepoint} for {subject.noun} in {cache}; fetch the corpus again."
    )


def read_frames(path: Path, size: int = SPRITE_SIZE) -> np.ndarray:
    """Loop of one animation as premultiplied RGBA, ``uint8 [24, size, size, 4]`` at 8 fps, looks left."""
    with Image.open(path) as image:
        count = getattr(image, "n_frames", 1)
        seconds_a_frame = (image.info.get("duration") or 42) / 1000
        decoded: dict[int, np.ndarray] = {}
        frames = []
        for number in range(SPRITE_FRAMES):
            index = round(number / FPS / seconds_a_frame) % count
            if index not in decoded:
                image.seek(index)
                small = image.convert("RGBA").convert("RGBa").resize((size, size), Image.Resampling.BOX)
                decoded[index] = np.frombuffer(small.tobytes(), np.uint8).reshape(size, size, 4)
            frames.append(decoded[index])
    return np.stack(frames)


def pack_sprites(cache: Path, out: Path = CLIP_LOCATION) -> Path:
    """Writes ``sprites.npz`` and ``sprites-fine.npz`` of the whole cast to ``out``; returns the first."""
    fetch_packages(cache)
    out.mkdir(parents=True, exist_ok=True)
    found = [find_animation(cache, subject) for subject in SUBJECTS]
    nouns = np.array([subject.noun for subject in SUBJECTS])
    for name, size in (("sprites", SPRITE_SIZE), ("sprites-fine", FINE_SIZE)):
        frames = np.stack([read_frames(path, size) for path in found])
        np.savez_compressed(out / f"{name}.npz", frames=frames, nouns=nouns)
    return out / "sprites.npz"


def load_sprites(path: Path = CLIP_LOCATION / "sprites.npz") -> dict[str, np.ndarray]:
    """Noun to its frames ``uint8 [24, 96, 96, 4]``, or of 192 pixels, premultiplied.

    Raises InputError if the file has not been made yet.
    """
    if not path.exists():
        raise InputError(f"There are no sprites at {path}; make them with `python -m models.pocket corpus`.")
    with np.load(path) as packed:
        frames = packed["frames"]
        return {str(noun): frames[index] for index, noun in enumerate(packed["nouns"])}
