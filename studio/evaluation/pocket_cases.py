"""What the embedded model is asked for when it is measured: scenes of its corpus with their captions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.pocket.captions import DEEDS, PLACES, caption
from models.pocket.scenes import Scene, draw_scene

DIRECTIONS = ("left", "right", "up", "down")
FALLING = ("rain", "snow")
STREAM = 5_070_211
"""Of the random numbers, so that no scene of the training is drawn again."""

OUTSIDE: dict[str, str] = {
    "poodle": "dog",
    "tomcat": "cat",
    "vixen": "fox",
    "tigress": "tiger",
    "lioness": "lion",
    "mare": "horse",
    "bull": "cow",
    "hog": "pig",
    "cottontail": "rabbit",
    "drake": "duck",
    "owlet": "owl",
    "bullfrog": "frog",
    "terrapin": "turtle",
    "orca": "whale",
    "tyrannosaurus": "dinosaur",
    "minibus": "bus",
    "taxi": "car",
    "sedan": "car",
    "yacht": "sailboat",
    "schooner": "sailboat",
    "rotorcraft": "helicopter",
    "missile": "rocket",
    "gourd": "pumpkin",
    "cyborg": "robot",
    "phantom": "ghost",
    "spectre": "ghost",
}
"""Words that no caption holds, and the subject of the corpus that comes nearest to what they mean."""


@dataclass(frozen=True)
class Case:
    """One clip to make.

    Attributes:
        prompt: names subject, setting and motion.
        noun: of the subject that should be seen.
        seed: of the initial noise.
        scene: what the prompt describes; None for a word outside the corpus.
    """

    prompt: str
    noun: str
    seed: int
    scene: Scene | None = None

    @property
    def direction(self) -> str | None:
        """Where the subject should go, if that and nothing else moves: no camera, no rain, no snow."""
        if self.scene is None or not has_direction(self.scene):
            return None
        return self.scene.actors[0].motion


def has_direction(scene: Scene) -> bool:
    """Whether the subject goes in one direction and nothing else moves."""
    quiet = scene.camera == "still" and scene.weather not in FALLING
    return quiet and scene.actors[0].motion in DIRECTIONS


def draw_cases(count: int, seed: int, *, held: bool) -> list[Case]:
    """Scenes with one subject; every second one has a direction.

    Args:
        count: how many.
        seed: decides all.
        held: only combinations of subject, setting and motion that were kept from training; else none.
    """
    rng = np.random.default_rng([STREAM, seed, int(held)])
    cases: list[Case] = []
    while len(cases) < count:
        scene = draw_scene(rng, held)
        if len(scene.actors) == 1 and (len(cases) % 2 == 0 or has_direction(scene)):
            noise = 2 * (seed + len(cases)) + int(held)
            cases.append(Case(full_caption(scene, rng), scene.actors[0].noun, noise, scene))
    return cases


def full_caption(scene: Scene, rng: np.random.Generator) -> str:
    """A caption as the corpus words it, drawn until it says where the scene is and what the subject does."""
    motion = scene.actors[0].motion
    deeds = (f" {motion}",) if motion in ("left", "right") else DEEDS[motion]
    while True:
        text = caption(scene, rng)
        if any(place in text for place in PLACES[scene.setting]) and any(deed in text for deed in deeds):
            return text


def outside_cases(rounds: int, seed: int) -> list[Case]:
    """Every word outside the corpus, `rounds` times, in one setting after another."""
    places = [places[0] for places in PLACES.values()]
    return [
        Case(f"a {word} {places[(index + turn) % len(places)]}", noun, seed + turn)
        for turn in range(rounds)
        for index, (word, noun) in enumerate(OUTSIDE.items())
    ]
