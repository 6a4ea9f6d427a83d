"""A scene is a small record; rendering it gives a clip of 17 frames, 128 x 128, 8 frames a second.

Whatever happens can go on for ever, because films are made of clips that go on from one another: the camera
goes along with whoever goes left or right, what rises comes to rest before it leaves the picture, and a clip
begins at any quarter of a jump or a turn. So the end of every clip looks like the beginning of some other.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from models.pocket.backdrops import CELL, FALLING, HIGH, SCALE, VIEW, draw_backdrop, draw_falling
from models.pocket.subjects import NOUNS, subject_by_noun

NUM_FRAMES, SIZE = 17, VIEW
SETTINGS = ("meadow", "sea", "snow", "desert", "street", "space", "room", "sky")
TIMES = ("day", "dusk", "night")
MOTIONS = ("still", "left", "right", "up", "down", "jumps", "spins", "circles", "grows", "shrinks")
CAMERAS = ("still", "pan left", "pan right", "zoom in")
HELD_OUT_SHARE = 20  # one combination in twenty is never trained on

MOTION_ODDS = (0.14, 0.17, 0.17, 0.07, 0.05, 0.12, 0.06, 0.06, 0.09, 0.07)
HIGH_ODDS = (0.1, 0.16, 0.16, 0.2, 0.12, 0.06, 0.04, 0.06, 0.06, 0.04)
"""Of the motions where there is no ground: it is mostly there that somebody goes up or down."""
CAMERA_ODDS = (0.85, 0.05, 0.05, 0.05)
SUBJECT_TINTS = {"day": (1.0, 1.0, 1.0), "dusk": (0.98, 0.88, 0.86), "night": (0.74, 0.77, 0.9)}
GROUNDED = ("meadow", "snow", "desert", "street", "room")
FAST = ("vehicle", "flyer")
TRAVEL = {True: 0.5, False: 0.25}
"""How far who is fast, or is not, goes in a clip: a cell of the latents in a latent frame, or half of one."""
BEGUN = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What of a motion can be done before a clip; a clip that goes on from another's end is that much further."""
PHASE = 4
"""Clips begin at every so many frames of a loop, which are those at which a clip that goes on can begin."""
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
LARGEST, SMALLEST = 0.9, 0.2
"""Of a subject that comes closer or goes away, as fractions of the frame."""
ALONE, BESIDE = 0.58, 0.44
"""How large a subject is, alone or as one of two. It is always the same, and so is its place: a few pixels
more or less are seen by nobody, but a small network that has to draw them all draws none of them sharply."""
MIDDLE, PLACES = 0.5, (0.25, 0.75)
"""Where a subject is that floats or flies, and from left to right where two are: at edges of latent cells."""
LOW, RISEN = 0.625, 0.375
"""The middle of a subject that stands or swims, and of one that has risen: a cell lower, and higher."""
GROUND = LOW + 0.44 * ALONE
"""How low a subject stands."""
FALL = {"rain": FALLING // 4, "snow": CELL // 4}
"""Pixels that rain and snow fall in a frame: in four of them all the way to the next, or a cell."""
TURN = 5
"""Frames after which a `turning` scene does what it is told."""


@dataclass(frozen=True)
class Actor:
    """A subject in a scene.

    ``x``, ``y`` are where its middle is, or where it begins if it rises or sinks, ``height`` its size and
    ``travel`` how far it goes in a clip, all as fractions of the frame; ``phase`` and ``mirrored`` choose the
    first loop frame and the side it looks to; ``begun`` is how far its motion has come before the clip, 0
    to 1.
    """

    noun: str
    motion: str
    height: float
    x: float
    y: float
    mirrored: bool
    phase: int
    travel: float
    begun: float


@dataclass(frozen=True)
class Scene:
    """All that a clip shows. Equal scenes render to equal clips.

    An ``opening`` one is how a film begins: whoever plays does so from the start, and looks ahead where it
    goes and to the left otherwise. How far a motion has come is told by no caption, and a network that does
    not know which of many poses to draw draws none; one that goes on from another clip sees it there.

    A ``turning`` one begins with another motion, as when a film goes on with another prompt: who goes left
    or right stood still, and who does anything else was going.
    """

    actors: tuple[Actor, ...]
    setting: str
    time: str
    weather: str
    camera: str
    seed: int
    turning: bool = False
    opening: bool = False


def held_out(noun: str, setting: str, motion: str) -> bool:
    """Whether this combination is kept from training, to tell composing from recalling."""
    return zlib.crc32(f"{noun}|{setting}|{motion}".encode()) % HELD_OUT_SHARE == 0


def _draw_actor(
    rng: np.random.Generator, setting: str, opening: bool, count: int, index: int, motion: str | None = None
) -> Actor:
    noun = str(rng.choice(NOUNS))
    odds = HIGH_ODDS if setting in HIGH else MOTION_ODDS
    motion = str(rng.choice(MOTIONS, p=odds)) if motion is None else motion
    subject = subject_by_noun(noun)
    height = ALONE if count == 1 else BESIDE
    begun = 0.0 if opening else float(rng.choice(BEGUN, p=(0.3, 0.2, 0.2, 0.2, 0.1)))
    afloat = setting not in GROUNDED or subject.kind == "flyer"
    y = MIDDLE if afloat else GROUND - height * 0.44
    if motion in ("up", "down") and setting not in HIGH:
        begin, end = (LOW, RISEN) if motion == "up" else (RISEN, LOW)
        y = end if begun > 0.85 else begin + 0.4 * begun * (end - begin)
    elif setting == "sea" and subject.kind != "flyer":
        y = LOW
    x = MIDDLE if count == 1 else PLACES[index]
    looks_right = motion == "right" or (motion != "left" and not opening and rng.random() < 0.25)
    mirrored = looks_right and subject.faces == "left"
    phase = 0 if opening else PHASE * int(rng.integers(24 // PHASE))
    travel = TRAVEL[subject.kind in FAST]
    return Actor(noun, motion, height, x, y, mirrored, phase, travel, begun)


def _draw_actors(rng: np.random.Generator, setting: str, opening: bool) -> tuple[Actor, ...]:
    """One actor, or two; where the camera goes along with one of two, both go the same way."""
    count = 2 if rng.random() < 0.1 else 1
    first = _draw_actor(rng, setting, opening, count, 0)
    if count == 1:
        return (first,)
    other = _draw_actor(rng, setting, opening, count, 1, first.motion if first.motion in WAYS else None)
    if other.motion in WAYS and first.motion not in WAYS:
        first = _draw_actor(rng, setting, opening, count, 0, other.motion)
    return (first, other)


def _any_scene(rng: np.random.Generator, turning: bool, opening: bool) -> Scene:
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
    actors = _draw_actors(rng, setting, opening)
    camera = str(rng.choice(CAMERAS, p=CAMERA_ODDS))
    if turning or actors[0].motion in WAYS:
        camera = "still"  # or rather: it goes along
    return Scene(actors, setting, time, weather, camera, int(rng.integers(2**31)), turning, opening)


def is_held_out(scene: Scene) -> bool:
    """Whether any actor of the scene plays a held-out combination."""
    return any(held_out(actor.noun, scene.setting, actor.motion) for actor in scene.actors)


def draw_scene(
    rng: np.random.Generator, held: bool = False, turning: bool = False, opening: bool = False
) -> Scene:
    """A random scene without held-out combinations; with ``held``, one that has such a combination.

    One that is ``turning`` has one actor, who does not rise or sink; an ``opening`` one begins a film.
    """
    while True:
        scene = _any_scene(rng, turning, opening)
        if turning and (len(scene.actors) > 1 or scene.actors[0].motion in ("up", "down", "still")):
            continue
        if is_held_out(scene) == held:
            return scene


def _times(scene: Scene, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of its motion is done at some frames, and of what it did before, as shares of a clip."""
    turn = TURN - 1 if scene.turning else 0
    span = NUM_FRAMES - 1
    return np.maximum(frames - turn, 0) / span, np.minimum(frames, turn) / span


def camera_path(scene: Scene, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far the camera has gone to the right and down, as fractions of the frame, and its zoom: ``[n]``."""
    if not scene.actors:
        return np.zeros(len(frames)), np.zeros(len(frames)), np.ones(len(frames))
    actor = scene.actors[0]
    t, before = _times(scene, frames)
    way = scene.camera.removeprefix("pan ") if scene.camera.startswith("pan") else actor.motion
    if way in ("up", "down") and scene.setting not in HIGH:
        way = "still"
    right, down = WAYS.get(way, (0, 0))
    gone = (t - 0.5) * actor.travel
    led = 0 if right or not scene.turning else (before - 0.5) * actor.travel * (1 if actor.mirrored else -1)
    zoom = np.ones(len(frames))
    if scene.camera == "zoom in":
        zoom = (1 + 0.25 * actor.begun) * (1 + 0.2 * t)
    return right * gone + led, down * gone, zoom


def actor_path(
    scene: Scene, actor: Actor, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Middle x, y, size and angle of an actor at some frames, each ``[n]``."""
    t, _ = _times(scene, frames)
    x, y = np.full(len(t), actor.x), np.full(len(t), actor.y)
    size, angle = np.full(len(t), actor.height), np.zeros(len(t))
    begun = 0.0 if scene.turning else actor.begun
    turn = 2 * np.pi * (t + begun)
    if actor.motion == "up" and scene.setting not in HIGH:
        y = np.maximum(actor.y - t * actor.travel, min(RISEN, actor.y))
    elif actor.motion == "down" and scene.setting not in HIGH:
        y = np.minimum(actor.y + t * actor.travel, max(LOW, actor.y))
    elif actor.motion == "jumps":
        y = y - 0.22 * np.abs(np.sin(turn))
    elif actor.motion == "spins":
        angle = turn
    elif actor.motion == "circles":
        x, y = x + 0.16 * np.sin(turn), y - 0.11 * (1 - np.cos(turn))
    elif actor.motion == "grows":
        start = 1.0 if scene.turning else 1.35 if begun > 0.85 else 0.6 + 0.4 * begun
        size = size * start * 1.6**t
    elif actor.motion == "shrinks":
        start = 1.0 if scene.turning else 0.6 if begun > 0.85 else 1.25 - 0.4 * begun
        size = size * start / 1.6**t
    zoom = camera_path(scene, frames)[2]
    x, y = 0.5 + (x - 0.5) * zoom, 0.5 + (y - 0.5) * zoom
    return x, y, np.clip(size * zoom, SMALLEST, LARGEST), angle


def _through(
    layer: np.ndarray, right: np.ndarray, down: np.ndarray, zoom: np.ndarray, size: int
) -> torch.Tensor:
    """A layer as the camera sees it from frame to frame, float ``[n, channels, size, size]``."""
    picture = torch.from_numpy(layer.copy()).permute(2, 0, 1)[None].float()
    if size < VIEW * SCALE:  # so that nothing falls between the pixels
        picture = F.avg_pool2d(picture, SCALE, stride=1)
    height, width = (side / (VIEW * SCALE) for side in picture.shape[2:])
    theta = torch.zeros(len(zoom), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = (torch.from_numpy(1 / (zoom * side)) for side in (width, height))
    theta[:, 0, 2], theta[:, 1, 2] = torch.from_numpy(2 * right / width), torch.from_numpy(2 * down / height)
    grid = F.affine_grid(theta, [len(zoom), 1, size, size], align_corners=False)
    shown = picture.expand(len(zoom), -1, -1, -1)
    return F.grid_sample(shown, grid, padding_mode="border", align_corners=False)


def _view(scene: Scene, frames: np.ndarray, size: int) -> torch.Tensor:
    """The backdrop through the camera, float ``[n, 3, size, size]`` of 0 to 255."""
    upright = bool(scene.actors) and scene.actors[0].motion in ("up", "down")
    backdrop = draw_backdrop(
        scene.setting, scene.time, scene.weather, scene.seed, upright, CELL if scene.opening else CELL // 2
    )
    right, down, zoom = camera_path(scene, frames)
    zooms, moves = np.ptp(zoom) > 0, np.ptp(right) + np.ptp(down) > 0
    still = slice(0, 1)
    far_frames = slice(None) if zooms else still
    near_frames = slice(None) if zooms or moves else still
    nowhere = np.zeros_like(zoom)[far_frames]
    far = _through(backdrop.far, nowhere, nowhere, zoom[far_frames], size)
    near = _through(backdrop.near, right[near_frames], down[near_frames], zoom[near_frames], size)
    return (far * (1 - near[:, 3:] / 255) + near[:, :3]).expand(len(frames), -1, -1, -1)


def _place(
    actor: Actor, scene: Scene, loop: np.ndarray, frames: np.ndarray, picture: torch.Tensor
) -> torch.Tensor:
    """Lays an actor's loop over the picture ``[n, 3, side, side]``, with a soft shadow if there is ground."""
    side = picture.shape[-1]
    path = actor_path(scene, actor, frames)
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
        tile = draw_falling(scene.weather, size)
        fallen = FALL[scene.weather] * numbers + (0 if scene.opening else CELL * (scene.seed % 4))
        rows = fallen * size // SIZE
        fall = torch.from_numpy(np.stack([np.roll(tile, row, axis=0) for row in rows]))[:, None]
        light = torch.tensor((214.0, 228.0, 246.0) if scene.weather == "rain" else (255.0, 255.0, 255.0))
        cover = fall * (0.6 if scene.weather == "rain" else 0.95)
        picture = picture * (1 - cover) + light.view(1, 3, 1, 1) * cover
    return picture.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
