"""A scene is a small record; rendering it gives a clip of 17 frames, 128 x 128, 8 frames a second."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from models.pocket.backdrops import HEIGHT, SCALE, WIDTH, draw_backdrop, draw_falling
from models.pocket.subjects import NOUNS, subject_by_noun

NUM_FRAMES, SIZE = 17, 128
SETTINGS = ("meadow", "sea", "snow", "desert", "street", "space", "room", "sky")
TIMES = ("day", "dusk", "night")
MOTIONS = ("still", "left", "right", "up", "down", "jumps", "spins", "circles", "grows", "shrinks")
CAMERAS = ("still", "pan left", "pan right", "zoom in")
HELD_OUT_SHARE = 20  # one combination in twenty is never trained on

MOTION_ODDS = (0.14, 0.16, 0.16, 0.08, 0.06, 0.12, 0.06, 0.06, 0.09, 0.07)
CAMERA_ODDS = (0.7, 0.1, 0.1, 0.1)
SUBJECT_TINTS = {"day": (1.0, 1.0, 1.0), "dusk": (0.98, 0.88, 0.86), "night": (0.74, 0.77, 0.9)}
GROUNDED = ("meadow", "snow", "desert", "street", "room")


@dataclass(frozen=True)
class Actor:
    """A subject in a scene.

    ``x``, ``y`` are where its middle is halfway through, ``height`` its size and ``travel`` its way, all as
    fractions of the frame; ``phase`` and ``mirrored`` choose the first loop frame and the side it looks to.
    """

    noun: str
    motion: str
    height: float
    x: float
    y: float
    mirrored: bool
    phase: int
    travel: float


@dataclass(frozen=True)
class Scene:
    """All that a clip shows. Equal scenes render to equal clips."""

    actors: tuple[Actor, ...]
    setting: str
    time: str
    weather: str
    camera: str
    seed: int


def held_out(noun: str, setting: str, motion: str) -> bool:
    """Whether this combination is kept from training, to tell composing from recalling."""
    return zlib.crc32(f"{noun}|{setting}|{motion}".encode()) % HELD_OUT_SHARE == 0


def _draw_actor(rng: np.random.Generator, setting: str, count: int, index: int) -> Actor:
    noun = str(rng.choice(NOUNS))
    motion = str(rng.choice(MOTIONS, p=MOTION_ODDS))
    subject = subject_by_noun(noun)
    height = float(rng.uniform(0.46, 0.66) if count == 1 else rng.uniform(0.38, 0.46))
    afloat = setting not in GROUNDED or subject.kind == "flyer"
    y = float(rng.uniform(0.44, 0.58)) if afloat else float(rng.uniform(0.82, 0.9)) - height * 0.44
    if motion in ("up", "down"):
        y = float(rng.uniform(0.46, 0.56))
    elif setting == "sea" and subject.kind != "flyer":
        y = float(rng.uniform(0.54, 0.64))
    x = float(rng.normal(0.5, 0.06)) if count == 1 else (0.27, 0.73)[index] + float(rng.normal(0, 0.03))
    looks_right = motion == "right" or (motion != "left" and rng.random() < 0.4)
    travel = float(rng.uniform(0.3, 0.55)) if count == 1 else float(rng.uniform(0.15, 0.25))
    return Actor(
        noun, motion, height, x, y, looks_right and subject.faces == "left", int(rng.integers(24)), travel
    )


def _any_scene(rng: np.random.Generator) -> Scene:
    count = 2 if rng.random() < 0.1 else 1
    setting = str(rng.choice(SETTINGS))
    time = "night" if setting == "space" else str(rng.choice(TIMES, p=(0.56, 0.2, 0.24)))
    weather = "none"
    draw = rng.random()
    if setting not in ("space", "room"):
        if draw < 0.12 and setting != "desert":
            weather = "rain" if setting != "snow" else "snow"
        elif draw < 0.2 and setting in ("snow", "street", "meadow"):
            weather = "snow"
        elif draw < 0.5 and time == "night":
            weather = "stars"
    actors = tuple(_draw_actor(rng, setting, count, index) for index in range(count))
    camera = str(rng.choice(CAMERAS, p=CAMERA_ODDS))
    return Scene(actors, setting, time, weather, camera, int(rng.integers(2**31)))


def is_held_out(scene: Scene) -> bool:
    """Whether any actor of the scene plays a held-out combination."""
    return any(held_out(actor.noun, scene.setting, actor.motion) for actor in scene.actors)


def draw_scene(rng: np.random.Generator, held: bool = False) -> Scene:
    """A random scene without held-out combinations; with ``held``, one that has such a combination."""
    while True:
        scene = _any_scene(rng)
        if is_held_out(scene) == held:
            return scene


def actor_path(
    actor: Actor, camera: str, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Middle x, y, size and angle of an actor at some frames, each ``[n]``."""
    t = frames / (NUM_FRAMES - 1)
    x, y = np.full(len(t), actor.x), np.full(len(t), actor.y)
    size, angle = np.full(len(t), actor.height), np.zeros(len(t))
    if actor.motion in ("left", "right"):
        x = x + (t - 0.5) * actor.travel * (1 if actor.motion == "right" else -1)
    elif actor.motion in ("up", "down"):
        y = y + (t - 0.5) * actor.travel * (1 if actor.motion == "down" else -1)
    elif actor.motion == "jumps":
        y = y - 0.22 * np.abs(np.sin(t * 2 * np.pi))
    elif actor.motion == "spins":
        angle = t * 2 * np.pi
    elif actor.motion == "circles":
        x, y = x + 0.16 * np.cos(t * 2 * np.pi), y + 0.11 * np.sin(t * 2 * np.pi)
    elif actor.motion in ("grows", "shrinks"):
        ramp = t if actor.motion == "grows" else 1 - t
        size = size * (0.6 + 0.65 * ramp)
    if camera.startswith("pan"):
        x = x + (t - 0.5) * (0.14 if camera == "pan left" else -0.14)
    elif camera == "zoom in":
        zoom = 1 + 0.25 * t
        x, y, size = 0.5 + (x - 0.5) * zoom, 0.5 + (y - 0.5) * zoom, size * zoom
    return x, y, size, angle


def _view(scene: Scene, frames: np.ndarray, size: int) -> torch.Tensor:
    """The backdrop through the camera, float ``[n, 3, size, size]`` of 0 to 255."""
    count = len(frames)
    picture = draw_backdrop(scene.setting, scene.time, scene.weather, scene.seed)
    backdrop = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    if scene.camera == "still":
        left = (WIDTH - SIZE) // 2 * SCALE
        middle = backdrop[..., left : left + SIZE * SCALE]
        return F.avg_pool2d(middle, SIZE * SCALE // size).expand(count, -1, -1, -1)
    t = torch.from_numpy(frames).float() / (NUM_FRAMES - 1)
    theta = torch.zeros(count, 2, 3)
    zoom = 1 / (1 + 0.25 * t) if scene.camera == "zoom in" else torch.ones(count)
    theta[:, 0, 0], theta[:, 1, 1] = zoom * SIZE / WIDTH, zoom * SIZE / HEIGHT
    if scene.camera.startswith("pan"):
        room = 1 - SIZE / WIDTH
        theta[:, 0, 2] = (t - 0.5) * 2 * room * (-1 if scene.camera == "pan left" else 1)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    return F.grid_sample(backdrop.expand(count, -1, -1, -1), grid, padding_mode="border", align_corners=False)


def _place(
    actor: Actor, scene: Scene, loop: np.ndarray, frames: np.ndarray, picture: torch.Tensor
) -> torch.Tensor:
    """Lays an actor's loop over the picture ``[n, 3, side, side]``, with a soft shadow if there is ground."""
    side = picture.shape[-1]
    path = actor_path(actor, scene.camera, frames)
    x, y, size, angle = (torch.from_numpy(v).float() for v in path)
    kind = subject_by_noun(actor.noun).kind
    if scene.setting in GROUNDED and kind != "flyer" and actor.motion not in ("up", "down", "circles"):
        axis = (torch.arange(side) + 0.5) / side
        ground = (
            (y + size * 0.46)
            if actor.motion != "jumps"
            else torch.full_like(y, actor.y + actor.height * 0.46)
        )
        across = torch.exp(-(((axis - x[:, None]) / (0.36 * size[:, None])) ** 4))
        along = torch.exp(-(((axis - ground[:, None]) / 0.035) ** 2))
        picture = picture * (1 - 0.35 * along[:, None, :, None] * across[:, None, None, :])
    poses = loop[(actor.phase + frames) % loop.shape[0]]
    sprite = torch.from_numpy(poses).permute(0, 3, 1, 2).float()
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    way = -1.0 if actor.mirrored else 1.0
    cx, cy = 2 * x - 1, 2 * y - 1
    theta = torch.stack(
        [way * cos, way * sin, -way * (cos * cx + sin * cy), -sin, cos, sin * cx - cos * cy], dim=1
    ).view(len(frames), 2, 3)
    grid = F.affine_grid(theta, [len(frames), 4, side, side], align_corners=False)
    placed = F.grid_sample(sprite, grid, align_corners=False)
    tint = torch.tensor(SUBJECT_TINTS[scene.time]).view(1, 3, 1, 1)
    return picture * (1 - placed[:, 3:] / 255) + placed[:, :3] * tint


def render(
    scene: Scene, sprites: dict[str, np.ndarray], frames: tuple[int, ...] | None = None, size: int = SIZE
) -> np.ndarray:
    """The scene as a clip ``uint8 [17, size, size, 3]`` at 8 fps, or only some of its frames.

    The same scene can be drawn at 128 pixels, which is what the model learns, and at 256.
    """
    numbers = np.arange(NUM_FRAMES) if frames is None else np.array(frames)
    picture = _view(scene, numbers, size)
    for actor in scene.actors:
        picture = _place(actor, scene, sprites[actor.noun], numbers, picture)
    if scene.weather in ("rain", "snow"):
        tile = draw_falling(scene.weather, scene.seed, size)
        speed = (13 if scene.weather == "rain" else 4) * size // SIZE
        fall = torch.from_numpy(np.stack([np.roll(tile, speed * n, axis=0) for n in numbers]))[:, None]
        light = torch.tensor((214.0, 228.0, 246.0) if scene.weather == "rain" else (255.0, 255.0, 255.0))
        cover = fall * (0.6 if scene.weather == "rain" else 0.95)
        picture = picture * (1 - cover) + light.view(1, 3, 1, 1) * cover
    return picture.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
